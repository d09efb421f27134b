import {
  edgeLifetimes,
  edgeOrder,
  streams,
  type EdgeId,
  type EdgeOrder,
  type FleetName,
  type ResourceKey,
} from '@weir/contract'
import { createKeyedQueue, explainError, type Clock, type Ids, type Logger } from '@weir/kernel'
import type { Bus, IncomingMessage } from '@weir/bus'
import type { Herald } from './announce/herald.ts'
import type { DataPlane } from './data-plane/data-plane.ts'
import { compareVersions, decide, generationOf, marksOf } from './domain/decide.ts'
import type { NodeHealth } from './domain/health.ts'
import type { Probe } from './health/ask-node.ts'
import { createProber } from './health/prober.ts'
import { createReturnWatch } from './health/return-watch.ts'
import { createSecondOpinion } from './health/second-opinion.ts'
import { createWaitingRoom } from './health/waiting-room.ts'
import { healthyNodes, reportOf, sameContent } from './holding.ts'
import { createHeartbeat, type Heartbeat } from './heartbeat.ts'
import { answerQuestions } from './inspector.ts'
import { createReporter, type Reporter } from './reporter.ts'
import { createResources } from './resources.ts'
import type { OrderJournal } from './state/order-journal.ts'

/** The agent of one edge machine. */
export interface EdgeAgent {
  /** Serves the last good state from disk; nothing else need be alive. */
  start(): Promise<void>
  /** Obeys orders and reports until the signal aborts; may be called when a bus is there. */
  follow(bus: Bus): Promise<void>
  /** Resources held, tombstones not counted. */
  held(): number
  /** Stops probing and forwarding. */
  stop(): Promise<void>
}

export interface EdgeAgentOptions {
  readonly fleet: FleetName
  readonly edge: EdgeId
  readonly plane: DataPlane
  /** Who tells that addresses are served here; nobody where it is left out. */
  readonly herald?: Herald
  readonly journal: OrderJournal
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly signal: AbortSignal
  readonly heartbeatMs?: number
  readonly probeIntervalMs?: number
  readonly probeTimeoutMs?: number
  readonly lookAgainMs?: number
  /** Between two calls of a node that does not answer directly. */
  readonly returnEveryMs?: number
  /** The longest wait for new node ports before a resource is said to be served. */
  readonly portsMs?: number
  /** How long a tombstone is remembered after it was obeyed. */
  readonly tombstoneMs?: number
  /** Runs work in a span that continues the order's trace. */
  readonly span?: (
    name: string,
    parent: string | undefined,
    work: () => Promise<void>,
  ) => Promise<void>
}

/** Health changes of this long are told together. */
const healthReportMs = 200
/** The bus may have lost an order or a report, so both are gone through again this often. */
const lookAgainDefaultMs = 30_000
const portsDefaultMs = 2_000
const pageSize = 256

export const createEdgeAgent = (options: EdgeAgentOptions): EdgeAgent => {
  const { fleet, edge, plane, journal, clock, ids, log, signal } = options
  const startedAt = new Date(clock.now()).toISOString()
  const { lookAgainMs = lookAgainDefaultMs } = options
  const healthNews = new Set<ResourceKey>()
  const turn = createKeyedQueue(1)
  let reporter: Reporter | undefined

  const prober = createProber({
    clock,
    ids,
    onChange: (watchers) => onHealth(watchers),
    ...(options.probeIntervalMs === undefined ? {} : { intervalMs: options.probeIntervalMs }),
    ...(options.probeTimeoutMs === undefined ? {} : { timeoutMs: options.probeTimeoutMs }),
  })
  const second = createSecondOpinion({
    ...options,
    healthy: ({ key, epoch }) => {
      const holding = holdings.get(key)
      return holding && healthyNodes(holding, epoch, prober.healthOf)
    },
  })
  const resources = createResources({
    ...options,
    prober,
    second,
    waitingRoom: createWaitingRoom({ clock, ids, signal }),
    portsMs: options.portsMs ?? portsDefaultMs,
    onChange: (key) => reporter?.changed([key]),
  })
  const { holdings } = resources
  const returns = createReturnWatch({ ...options, holdings: () => holdings.values() })

  const onHealth = (watchers: ReadonlySet<ResourceKey>): void => {
    resources.reweigh(watchers)
    if (healthNews.size === 0) void tellHealth()
    for (const key of watchers) healthNews.add(key)
  }
  const tellHealth = async (): Promise<void> => {
    await clock.sleep(healthReportMs, signal)
    reporter?.changed(healthNews)
    healthNews.clear()
  }

  const createBeat = (bus: Bus): Heartbeat =>
    createHeartbeat({
      bus,
      fleet,
      edge,
      plane,
      returns: returns.findings,
      startedAt,
      now: () => new Date(clock.now()).toISOString(),
      held: () =>
        [...holdings.values()]
          .filter(({ order }) => order.order === 'serve')
          .map(({ order }) => ({ marks: marksOf(order), generation: generationOf(order) })),
      changes: () => resources.changes(),
    })
  const beat = async (heart: Heartbeat): Promise<void> => {
    try {
      await heart.beat()
    } catch (error) {
      log.warn({ cause: explainError(error) }, 'cannot publish the heartbeat')
    }
  }
  const repeat = async (everyMs: number, work: (round: number) => Promise<void>) => {
    for (let round = 1; !signal.aborted; round += 1) {
      await work(round)
      await clock.sleep(everyMs, signal)
    }
  }
  /** Later than the bus does, which counts from the telling: what it still tells is still known. */
  const forget = async (): Promise<void> => {
    const before = clock.now() - (options.tombstoneMs ?? edgeLifetimes.tombstoneMs)
    try {
      await turn.run('orders', () => resources.forgetRemoved(before))
    } catch (error) {
      log.warn({ cause: explainError(error) }, 'cannot write the journal without old tombstones')
    }
  }
  const lookAgain = async (bus: Bus, round: number): Promise<void> => {
    await forget()
    reporter?.changed(holdings.keys())
    resources.doubtEmptied()
    try {
      let page: IncomingMessage[] = []
      for await (const message of bus.lastOfEach(streams.edge.name, ordersOf(fleet))) {
        page.push(message)
        if (page.length === pageSize) await take(page.splice(0))
      }
      await take(page)
      await plane.releaseUnclaimed()
      const resources = holdings.size
      if (round === 1) log.info({ resources }, 'went through every order of the bus')
    } catch (error) {
      log.warn({ cause: explainError(error) }, 'cannot go through the orders again')
    }
  }

  // One batch at a time: between the decision and its effect no other may decide.
  const take = (messages: readonly IncomingMessage[]): Promise<void> =>
    turn.run('orders', () => obeyBatch(messages))
  const obeyBatch = async (messages: readonly IncomingMessage[]): Promise<void> => {
    const { obeyed, answered } = sortOrders(newestPerKey(readOrders(messages)))
    if (obeyed.length > 0) await inTracesOf(obeyed, () => resources.obey(obeyed))
    reporter?.changed([...answered, ...obeyed.map((order) => marksOf(order).key)])
  }
  /** The orders of a batch belong to as many traces, and each shall show when it was obeyed. */
  const inTracesOf = (orders: readonly EdgeOrder[], work: () => Promise<void>): Promise<void> => {
    const span = options.span ?? ((_name, _parent, done) => done())
    const parents = new Set(orders.map(({ traceparent }) => traceparent))
    let inside = work
    for (const parent of parents) {
      const next = inside
      inside = () => span('edge.obey', parent, next)
    }
    return inside()
  }
  const readOrders = (messages: readonly IncomingMessage[]): readonly EdgeOrder[] =>
    messages.flatMap((message) => {
      const order = parseOrder(message)
      if (typeof order !== 'string') return [order]
      // One bad message concerns one resource; the others of the batch go on.
      log.error(
        { subject: message.subject, problem: order },
        'parked an order that breaks the rules',
      )
      return []
    })
  const parseOrder = ({ subject, body }: IncomingMessage): EdgeOrder | string => {
    try {
      const order = edgeOrder.parse(JSON.parse(body))
      if (order.fleet !== fleet) return `it is for the fleet ${order.fleet}, this is ${fleet}`
      const { key } = marksOf(order)
      return subject.endsWith(`.${key}`) ? order : `its subject is not that of resource ${key}`
    } catch (error) {
      return explainError(error).slice(0, 1_000)
    }
  }
  /** Which orders to put into force, and which keys to report again as they are. */
  const sortOrders = (
    orders: readonly EdgeOrder[],
  ): { readonly obeyed: readonly EdgeOrder[]; readonly answered: readonly ResourceKey[] } => {
    const obeyed: EdgeOrder[] = []
    const answered: ResourceKey[] = []
    for (const order of orders) {
      const { key, epoch } = marksOf(order)
      const verdict = decide(holdings.get(key)?.order, order, sameContent)
      if (verdict === 'obey') obeyed.push(order)
      else answered.push(key)
      if (verdict === 'late' || verdict === 'contradicts') {
        const generation = generationOf(order)
        log.warn({ key, epoch, generation, verdict }, 'an order was not obeyed')
      }
    }
    return { obeyed, answered }
  }

  return {
    start: async () => {
      await resources.restore()
      log.info({ resources: journal.orders.size }, 'serves its last good state')
    },
    follow: async (bus) => {
      reporter = createReporter({
        bus,
        clock,
        ids,
        log,
        signal,
        reportOf: (key) => {
          const holding = holdings.get(key)
          const healthOf = (probe: Probe): NodeHealth => prober.healthOf(probe)
          return holding && reportOf(holding, { fleet, edge, healthOf, now: clock.now() })
        },
      })
      const heart = createBeat(bus)
      second.follow(bus)
      const about = { fleet, edge, startedAt, plane, holdings, returns: returns.findings }
      answerQuestions({ bus, ...about, clock, log, signal })
      bus.onRebuilt(() => {
        reporter?.changed(holdings.keys())
        heart.forget()
        void beat(heart)
      }, signal)
      await Promise.all([
        bus.consume({
          stream: streams.edge.name,
          filter: ordersOf(fleet),
          from: 'last-of-each',
          handle: take,
          signal,
        }),
        repeat(options.heartbeatMs ?? 5_000, () => beat(heart)),
        returns.run(signal),
        clock
          .sleep(lookAgainMs, signal)
          .then(() => repeat(lookAgainMs, (round) => lookAgain(bus, round))),
      ])
    },
    held: () => [...holdings.values()].filter(({ order }) => order.order === 'serve').length,
    stop: async () => {
      prober.close()
      await resources.close()
      await plane.close()
      await journal.close()
    },
  }
}

const ordersOf = (fleet: FleetName): string => `weir.edge.${fleet}.order.>`

/** A batch may hold several orders of one resource, in any sequence; the greatest version counts. */
const newestPerKey = (orders: readonly EdgeOrder[]): readonly EdgeOrder[] => {
  const newest = new Map<ResourceKey, EdgeOrder>()
  for (const order of orders) {
    const known = newest.get(marksOf(order).key)
    if (!known || compareVersions(order, known) > 0) newest.set(marksOf(order).key, order)
  }
  return [...newest.values()]
}
