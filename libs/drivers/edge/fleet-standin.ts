// For tests: a bus that keeps last values in memory, and edges that obey orders as real ones do. The real
// agent is a service, which a library may not import; `e2e/fleet` runs the driver on it.
import {
  desiredHash,
  edgeHeartbeat,
  edgeHeartbeatSubject,
  edgeId,
  edgeLifetimes,
  edgeOrder,
  edgeReport,
  edgeReportSubject,
  type EdgeOrder,
  type FleetName,
  type ResourceKey,
  type Target,
  type TargetHealth,
} from '@weir/contract'
import { OperatingError, type Clock } from '@weir/kernel'
import { comparePlaces } from '../marks.ts'
import type { EdgeBus, EdgeMessage, EdgeTelling } from './edge-bus.ts'
import { orderMarks, orderPlace } from './judge.ts'

export interface StandinBus extends EdgeBus {
  /** Publishes past the driver's faults, as an edge does. */
  tell(message: EdgeTelling): void
  /** Ends what was told to live for at most so many milliseconds. */
  endAfter(ms: number): void
  /** Loses everything, as a bus may. */
  wipe(): void
  /** The publish that fails, counted from 1, before or after the bus keeps the message. */
  failPublish(at: number, when: 'before' | 'after'): void
  published(): number
}

export const createStandinBus = (): StandinBus => {
  const values = new Map<string, EdgeTelling>()
  const readers = new Set<(message: EdgeMessage) => void>()
  const rebuilt = new Set<(streams: readonly string[]) => void>()
  let fault: { readonly at: number; readonly when: 'before' | 'after' } | undefined
  let published = 0

  const tell = (told: EdgeTelling): void => {
    values.set(told.subject, told)
    for (const reader of readers) reader({ subject: told.subject, body: told.body })
  }
  const matching = (filter: string): EdgeMessage[] => {
    const escaped = filter.replaceAll('.', '\\.').replaceAll('*', '[^.]+').replace('>', '.+')
    const pattern = new RegExp(`^${escaped}$`)
    return [...values.values()]
      .filter(({ subject }) => pattern.test(subject))
      .map(({ subject, body }) => ({ subject, body }))
  }
  return {
    tell,
    published: () => published,
    endAfter: (ms) => {
      const over = [...values.values()].filter(({ ttlMs = Infinity }) => ttlMs <= ms)
      for (const { subject } of over) values.delete(subject)
    },
    failPublish: (at, when) => {
      fault = { at: published + at, when }
    },
    wipe: () => {
      values.clear()
      for (const handle of rebuilt) handle(['EDGE'])
    },
    publish: async (messages) => {
      published += 1
      const mine = fault?.at === published ? fault.when : undefined
      if (mine === 'before') throw new OperatingError('cannot publish: the bus is away')
      for (const message of messages) tell(message)
      if (mine === 'after') throw new OperatingError('no answer to publish: timed out')
      return Promise.resolve([])
    },
    last: async (_stream, subject) => {
      const told = values.get(subject)
      return Promise.resolve(told && { subject, body: told.body })
    },
    lastOfEach: async function* (_stream, filter) {
      for (const message of matching(filter)) yield await Promise.resolve(message)
    },
    consume: async ({ filter, handle, signal }) => {
      const reader = (message: EdgeMessage): void => void handle([message])
      await handle(matching(filter))
      readers.add(reader)
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      readers.delete(reader)
    },
    onRebuilt: (handle) => void rebuilt.add(handle),
  }
}

export interface StandinEdge {
  /** Reads every order and obeys what is newer than what it holds; then beats. */
  work(): Promise<void>
  beat(): void
  /** Orders it serves. */
  serving(): readonly Extract<EdgeOrder, { order: 'serve' }>[]
  /** Serves this without an order, as an edge that was away does from its disk. */
  plant(order: Extract<EdgeOrder, { order: 'serve' }>): void
  /** From now on it sends new flows by these weights, by node, and by those ordered where none is given. */
  steer(weights: Readonly<Record<string, number>>): void
  /** From now on it refuses to serve, for this reason. */
  refuse(problem: string): void
}

export const createStandinEdge = (
  bus: StandinBus,
  clock: Clock,
  at: { readonly fleet: FleetName; readonly name: string },
): StandinEdge => {
  const edge = edgeId.parse(at.name)
  const held = new Map<ResourceKey, EdgeOrder>()
  let refusal: string | null = null
  let steered:
    | { readonly weights: Readonly<Record<string, number>>; readonly since: string }
    | undefined
  const now = (): string => new Date(clock.now()).toISOString()

  const healthOf = ({ node, weight }: Target): TargetHealth => ({
    node,
    state: 'unknown',
    weight: null,
    problem: null,
    flows: steered?.weights[node] ?? weight,
  })
  const report = (order: EdgeOrder): void => {
    const marks = orderMarks(order)
    const serves = order.order === 'serve' && refusal === null
    const said = edgeReport.parse({
      fleet: at.fleet,
      edge,
      key: marks.key,
      marks,
      generation: orderPlace(order).generation,
      state: order.order === 'remove' ? 'absent' : serves ? 'serving' : 'refused',
      problem: order.order === 'serve' ? refusal : null,
      hash: order.order === 'serve' ? desiredHash(order.desired) : '',
      targets: serves ? order.desired.targets.map(healthOf) : [],
      flowsSince: steered?.since,
      at: now(),
    })
    const subject = edgeReportSubject(at.fleet, edge, marks.key)
    bus.tell({ subject, body: JSON.stringify(said), ttlMs: edgeLifetimes.reportMs })
  }
  const serving = () =>
    [...held.values()].flatMap((order) =>
      order.order === 'serve' && refusal === null ? [order] : [],
    )
  const beat = (): void => {
    const said = edgeHeartbeat.parse({
      fleet: at.fleet,
      edge,
      dataPlane: 'userspace',
      startedAt: '2026-01-01T00:00:00Z',
      at: now(),
      resources: serving().map(({ desired: { marks, generation } }) => ({ marks, generation })),
    })
    const subject = edgeHeartbeatSubject(at.fleet, edge)
    bus.tell({ subject, body: JSON.stringify(said), ttlMs: edgeLifetimes.heartbeatMs })
  }
  return {
    beat,
    serving,
    steer: (weights) => (steered = { weights, since: now() }),
    refuse: (problem) => (refusal = problem),
    plant: (order) => held.set(order.desired.marks.key, order),
    work: async () => {
      for await (const { body } of bus.lastOfEach('EDGE', `weir.edge.${at.fleet}.order.*`)) {
        const parsed = edgeOrder.safeParse(JSON.parse(body))
        if (!parsed.success) continue
        const order = parsed.data
        const { key } = orderMarks(order)
        const mine = held.get(key)
        const newer = mine === undefined || isNewer(order, mine)
        if (newer) held.set(key, order)
        report(held.get(key) ?? order)
      }
      beat()
    },
  }
}

/** The greater place wins, and a tombstone comes after the generation that it names. */
const isNewer = (order: EdgeOrder, held: EdgeOrder): boolean => {
  const ahead = comparePlaces(orderPlace(order), orderPlace(held))
  return ahead > 0 || (ahead === 0 && order.order === 'remove' && held.order === 'serve')
}
