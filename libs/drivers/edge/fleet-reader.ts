import {
  edgeOrderSubject,
  edgeReportSubject,
  streams,
  type FleetName,
  type ResourceKey,
} from '@weir/contract'
import { silentLogger, type Clock, type Logger } from '@weir/kernel'
import type { ProviderChange } from '../driver.ts'
import type { EdgeBus, EdgeMessage } from './edge-bus.ts'
import type { FleetView } from './fleet-view.ts'
import type { EdgeSays, FleetSays } from './judge.ts'

export interface ReaderOptions {
  readonly bus: EdgeBus
  readonly clock: Clock
  readonly fleet: FleetName
  readonly logger?: Logger
}

export interface FleetReader {
  /** Takes a message into the view; answers whose resources may have changed. */
  take(message: EdgeMessage): readonly ProviderChange[]
  /** What the fleet says of `key` now. */
  read(key: ResourceKey): Promise<FleetSays>
  /** As `read`, with the order as the bus has it, whatever this process has seen of it. */
  readAnew(key: ResourceKey): Promise<FleetSays>
  /** Every edge ever heard of. */
  edges(): Promise<readonly Omit<EdgeSays, 'report'>[]>
}

/** Reads what a fleet says of one resource: from the view, and from the bus where the view is blank. */
export const createFleetReader = (options: ReaderOptions, view: FleetView): FleetReader => {
  const { bus, clock, fleet } = options
  const logger = options.logger ?? silentLogger
  const stream = streams.edge.name

  const take = (message: EdgeMessage): readonly ProviderChange[] => {
    const taken = view.take(message, clock.now())
    if (taken.status === 'taken') return taken.changes
    // One malformed word stands alone; the resource it was about stays as it was last told.
    logger.warn({ subject: message.subject, problem: taken.problem }, 'edge message rejected')
    return []
  }
  const fetch = async (subject: string): Promise<void> => {
    const message = await bus.last(stream, subject)
    if (message !== undefined) take(message)
  }
  const fetchEdges = async (): Promise<void> => {
    const filter = `weir.edge.${fleet}.heartbeat.>`
    for await (const message of bus.lastOfEach(stream, filter)) take(message)
  }
  const edgesNow = async (): Promise<readonly Omit<EdgeSays, 'report'>[]> => {
    if (!view.edges(clock.now()).some(({ standing }) => standing === 'live')) await fetchEdges()
    return view.edges(clock.now())
  }
  const readAround = async (key: ResourceKey): Promise<FleetSays> => {
    const edges = await edgesNow()
    const blank = edges.filter(
      ({ edge, standing }) => standing !== 'gone' && view.report(edge, key) === undefined,
    )
    await Promise.all(blank.map(({ edge }) => fetch(edgeReportSubject(fleet, edge, key))))
    return {
      order: view.order(key),
      edges: edges.map((says) => ({ ...says, report: view.report(says.edge, key) })),
    }
  }

  return {
    take,
    edges: edgesNow,
    read: async (key) => {
      if (view.order(key) === undefined) await fetch(edgeOrderSubject(fleet, key))
      return readAround(key)
    },
    readAnew: async (key) => {
      await fetch(edgeOrderSubject(fleet, key))
      return readAround(key)
    },
  }
}
