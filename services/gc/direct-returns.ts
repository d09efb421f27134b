import {
  edgeHeartbeat,
  event,
  streamOf,
  streams,
  type DriverName,
  type FleetName,
  type ReturnFinding,
} from '@weir/contract'
import type { Bus } from '@weir/bus'
import type { EventLog, Observed } from '@weir/eventlog'
import { explainError, OperatingError, type Clock, type Logger } from '@weir/kernel'
import { failedPools, returnStory, type FailedPool } from './domain/direct-return.ts'
import { collectorName } from './record.ts'

export interface DirectReturnsPorts {
  readonly bus: Pick<Bus, 'lastOfEach'>
  readonly log: Pick<EventLog, 'story' | 'append' | 'now'>
  readonly observed: Pick<Observed, 'get'>
  /** Asked each time: fleets may come later. */
  readonly fleets: () => readonly { readonly driver: DriverName; readonly fleet: FleetName }[]
  readonly clock: Clock
  readonly logger: Logger
  readonly intervalMs: number
  /** How long a Service's status must have been shown, and a cluster have been as it is, to be judged. */
  readonly settleMs: number
}

/** Puts into the clusters' stories which of their node pools cannot answer clients directly. */
export interface DirectReturns {
  /** Each pool once since somebody said last who serves the cluster. How many it was. */
  record(): Promise<number>
  /** Again and again, each interval, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
}

/** An edge that was not heard for so long tells nothing of now. */
const freshMs = 60_000

export const createDirectReturns = (ports: DirectReturnsPorts): DirectReturns => {
  const { bus, log, observed, fleets, clock, logger, intervalMs, settleMs } = ports

  const findingsOf = async (fleet: FleetName): Promise<readonly ReturnFinding[]> => {
    const found: ReturnFinding[] = []
    const beats = bus.lastOfEach(streams.edge.name, `weir.edge.${fleet}.heartbeat.*`)
    for await (const { body } of beats) {
      const beat = edgeHeartbeat.safeParse(parseJson(body))
      if (!beat.success || clock.now() - Date.parse(beat.data.at) > freshMs) continue
      found.push(...(beat.data.returns ?? []))
    }
    return found
  }
  /** Before its status shows the address, a node need not know it. */
  const isShown = async ({ tenant }: ReturnFinding, { service }: FailedPool): Promise<boolean> => {
    const story = await log.story(tenant, service)
    const shown = story.findLast(({ type }) => type === 'StatusPublished')
    return shown !== undefined && (await log.now()) - Date.parse(shown.recordedtime) > settleMs
  }
  const recordOf = async (
    driver: DriverName,
    findings: readonly [ReturnFinding, ...ReturnFinding[]],
  ): Promise<number> => {
    const [first] = findings
    const { tenant, cluster: id } = first
    const at = returnStory(await log.story(tenant, id))
    if (at.driver !== driver || (await log.now()) - at.saidAt < settleMs) return 0
    const seen = await observed.get({ tenant, cluster: id, kind: 'nodes', key: 'all' })
    const pools = new Map(seen?.nodes.map(({ name, pool }) => [name, pool ?? null]))
    const failing = failedPools(findings, (node) => pools.get(node) ?? null)
    const fresh = failing.filter(({ pool }) => !at.told.includes(pool))
    const sure = await Promise.all(fresh.map((each) => isShown(first, each)))
    const told = fresh.filter((_, place) => sure[place])
    if (told.length === 0) return 0
    const stream = streamOf('cluster', id)
    const events = told.map((each) => ({
      stream,
      expectedVersion: at.version,
      event: event('DirectReturnFailed', { id, driver, ...each, nodes: each.nodes.slice(0, 50) }),
    }))
    const { status } = await log.append({
      tenant,
      commandId: `${collectorName}/${stream}/${at.version}/direct-return`,
      events,
      actor: collectorName,
      correlationId: id,
      causationId: `heartbeats:${driver}`,
    })
    if (status !== 'appended') return 0 // somebody else was faster, or the next look tells
    for (const { pool, nodes } of told) {
      logger.warn({ cluster: id, pool, nodes }, 'nodes cannot answer clients directly')
    }
    return told.length
  }
  const record = async (): Promise<number> => {
    let count = 0
    for (const { driver, fleet } of fleets()) {
      const found = await findingsOf(fleet)
      for (const [first, ...rest] of Map.groupBy(found, nameOf).values()) {
        if (first === undefined) continue
        const all = [first, ...rest] as const
        if (all.some(({ silent }) => silent.length > 0)) count += await recordOf(driver, all)
      }
    }
    return count
  }
  return {
    record,
    run: async (signal) => {
      while (!signal.aborted) {
        try {
          await record()
        } catch (error) {
          if (!(error instanceof OperatingError)) throw error
          logger.warn({ problem: explainError(error) }, 'cannot record what edges found of nodes')
        }
        await clock.sleep(intervalMs, signal)
      }
    },
  }
}

const nameOf = ({ tenant, cluster }: ReturnFinding): string => `${tenant} ${cluster}`

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
