import {
  edgeLifetimes,
  edgeOrder,
  edgeOrderSubject,
  streams,
  type EdgeOrder,
  type FleetName,
  type InstallationId,
  type OwnershipMarks,
  type ResourceKey,
} from '@weir/contract'
import type { Clock, Logger } from '@weir/kernel'
import type {
  Capabilities,
  Driver,
  Marked,
  Observed,
  Outcome,
  Probe,
  ProviderChange,
} from '../driver.ts'
import { sameOwner } from '../marks.ts'
import type { EdgeBus } from './edge-bus.ts'
import { createInventory, refOf } from './edge-inventory.ts'
import { notOurs, planOrder, type FleetSeen, type PlanRules } from './edge-plan.ts'
import { createFleetReader, type FleetReader } from './fleet-reader.ts'
import { createFleetView, type Patience } from './fleet-view.ts'
import { judge, majority, orderMarks, type FleetSays, type Quorum } from './judge.ts'

export interface EdgeDriverOptions {
  /** Default `edge`, the platform's own; further fleets have drivers of other names. */
  readonly name?: string
  readonly bus: EdgeBus
  readonly clock: Clock
  readonly fleet: FleetName
  /** Resources with another installation's marks are not ours to touch. */
  readonly installation: InstallationId
  /** What all edges of the fleet run; default `userspace`. */
  readonly dataPlane?: FleetDataPlane
  /** Default: more than half of the live edges, at least one. */
  readonly quorum?: Quorum
  /** Default: silent after 15 s, gone after 5 min. */
  readonly patience?: Patience
  /** Orders and reports kept in memory, each; default 100,000. */
  readonly capacity?: number
  readonly logger?: Logger
  /** The trace context of whatever is being done now, which an order carries to the edges. */
  readonly traceparent?: () => string | undefined
}

/** The driver, and the loop that keeps its view of the fleet fresh. */
export interface EdgeDriver extends Driver<FleetSeen> {
  /**
   * Reads the fleet's words until `signal` aborts. Without it the driver still answers, from a read of
   * the bus each time, but says nothing through `onChange`.
   */
  run(signal: AbortSignal): Promise<void>
}

/** What moves the packets of a fleet; see `services/edge/data-plane`. */
export type FleetDataPlane = 'userspace' | 'kernel' | 'envoy'

/** What the userspace data plane carries: a proxy in Node on addresses of this machine. */
export const userspaceCapabilities: Capabilities = {
  protocols: ['TCP', 'UDP'],
  ipFamilies: ['IPv4'],
  addresses: 'pool',
  sourceRanges: true,
  clientIpAffinity: true,
  proxyProtocol: true,
  weights: true,
  preservesClientAddress: 'on-loopback',
  samePortTcpUdp: 'always',
  needsNodePort: true,
  targetsByProviderId: null,
  maxFrontends: 500,
  ipMode: 'Proxy',
}

/** What the kernel data plane carries: packets as they came, so it can say nothing of its own to a pod. */
export const kernelCapabilities: Capabilities = {
  ...userspaceCapabilities,
  ipFamilies: ['IPv4', 'IPv6'],
  proxyProtocol: false,
  preservesClientAddress: 'always',
  needsNodePort: false,
  ipMode: 'VIP',
}

/** What Envoy carries: a proxy, so only the PROXY protocol can tell a pod who its client is. */
export const envoyCapabilities: Capabilities = {
  ...userspaceCapabilities,
  ipFamilies: ['IPv4', 'IPv6'],
  preservesClientAddress: 'never',
}

export const capabilitiesBy: Readonly<Record<FleetDataPlane, Capabilities>> = {
  userspace: userspaceCapabilities,
  kernel: kernelCapabilities,
  envoy: envoyCapabilities,
}

/** Wait before a look at edges that owe an answer; the answer itself comes by `onChange`. */
const lookAgainMs = 1000
/** An order that somebody still owes an answer to is told again after this long. */
const tellAgainMs = 5000
const defaultPatience: Patience = { silentAfterMs: 15_000, goneAfterMs: 300_000 }

/** What every step of the driver works with. */
interface Context {
  readonly options: EdgeDriverOptions
  readonly quorum: Quorum
  readonly rules: PlanRules
  readonly fleet: FleetReader
  readonly told: ReturnType<typeof createToldTimes>
}

/**
 * Drives our own edges: the wish goes out as the last value of one subject, and each edge answers with
 * a report. What this process has seen pass on the bus is a read at the provider, pushed; what it has
 * not seen is fetched.
 */
export const createEdgeDriver = (options: EdgeDriverOptions): EdgeDriver => {
  const patience = options.patience ?? defaultPatience
  const view = createFleetView(options.fleet, patience, options.capacity ?? 100_000)
  const quorum = options.quorum ?? majority
  const capabilities = capabilitiesBy[options.dataPlane ?? 'userspace']
  const context: Context = {
    options,
    quorum,
    rules: {
      capabilities,
      fleet: options.fleet,
      installation: options.installation,
      quorum,
    },
    fleet: createFleetReader(options, view),
    told: createToldTimes(options.clock),
  }
  const listeners = new Set<(change: ProviderChange) => void>()
  return {
    name: options.name ?? 'edge',
    capabilities,
    probe: () => probe(context),
    observe: async (marks) => look(context, marks, await context.fleet.read(marks.key)),
    plan: (order, seen) => planOrder(order, seen, context.rules),
    execute: ({ call }) => tell(context, edgeOrder.parse(call)),
    // No order has a token: how it stands is what the edges report.
    poll: () => Promise.resolve({ status: 'unknown' }),
    inventory: createInventory(options, view),
    release: (item) => release(context, item),
    onChange: (handle, signal) => {
      if (signal.aborted) return
      listeners.add(handle)
      signal.addEventListener('abort', () => listeners.delete(handle), { once: true })
    },
    run: async (signal) => {
      options.bus.onRebuilt((names) => {
        if (names.includes(streams.edge.name)) view.forget()
      }, signal)
      await options.bus.consume({
        stream: streams.edge.name,
        filter: `weir.edge.${options.fleet}.>`,
        from: 'last-of-each',
        signal,
        handle: async (messages) => {
          const changes = messages.flatMap((message) => context.fleet.take(message))
          for (const change of changes) for (const listener of listeners) listener(change)
          await Promise.resolve()
        },
      })
    },
  }
}

const look = (
  { quorum, rules, told }: Context,
  marks: OwnershipMarks,
  says: FleetSays,
): Observed<FleetSeen> => ({
  ...judge(marks, says, { quorum, ipMode: rules.capabilities.ipMode }),
  view: { says, toldLongAgo: told.longAgo(marks.key) },
})

/** Done when the bus keeps the order; what the edges make of it is read afterwards. */
const tell = async ({ options, fleet, told }: Context, order: EdgeOrder): Promise<Outcome> => {
  const { key } = orderMarks(order)
  const traceparent = options.traceparent?.()
  const body = JSON.stringify({ ...order, traceparent }) // without one, JSON leaves the key out
  const message = { subject: edgeOrderSubject(options.fleet, key), body }
  const ends = order.order === 'remove' ? { ttlMs: edgeLifetimes.tombstoneMs } : {}
  await options.bus.publish([{ ...message, ...ends }])
  fleet.take(message)
  told.set(key)
  return { status: 'done' }
}

const release = async (context: Context, { ref, marks }: Marked): Promise<Outcome> => {
  if (marks.installation !== context.rules.installation || ref !== refOf(marks)) {
    return notOurs(marks)
  }
  const says = await context.fleet.readAnew(marks.key)
  const { order } = says
  if (order !== undefined && !sameOwner(orderMarks(order), marks)) return notOurs(orderMarks(order))
  const seen = look(context, marks, says)
  if (seen.status === 'absent') return { status: 'done' }
  const plan = planOrder({ order: 'remove', marks }, seen, context.rules)
  if (plan.status !== 'steps') return plan
  for (const { call } of plan.steps) await tell(context, edgeOrder.parse(call))
  return { status: 'pending', lookAgainMs }
}

const probe = async ({ options, rules, fleet }: Context): Promise<Probe> => {
  const edges = await fleet.edges()
  const live = edges.filter(({ standing }) => standing === 'live')
  const planes = [...new Set(live.map(({ heartbeat }) => heartbeat.dataPlane))].toSorted()
  return {
    status: 'ready',
    account: options.fleet,
    found: `${live.length} of ${edges.length} edges live: ${planes.join(', ') || 'none'}`,
    capabilities: rules.capabilities,
  }
}

/** When this process last told an order of a key; only for telling again, so losing it is harmless. */
const createToldTimes = (clock: Clock) => {
  const times = new Map<ResourceKey, number>()
  return {
    set: (key: ResourceKey): void => {
      times.delete(key)
      times.set(key, clock.now())
      const [oldest] = times.keys()
      if (times.size > 10_000 && oldest !== undefined) times.delete(oldest)
    },
    longAgo: (key: ResourceKey): boolean => clock.now() - (times.get(key) ?? 0) > tellAgainMs,
  }
}
