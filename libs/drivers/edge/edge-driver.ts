import {
  desiredHash,
  edgeOrderSubject,
  streams,
  type DesiredResource,
  type EdgeOrder,
  type FleetName,
  type InstallationId,
  type OwnershipMarks,
  type ResourceKey,
} from '@weir/contract'
import type { Clock, Logger } from '@weir/kernel'
import { findUnsupported } from '../capability.ts'
import type { Capabilities, Driver, Observed, Outcome, ProviderChange } from '../driver.ts'
import { comparePlaces, sameOwner } from '../marks.ts'
import type { EdgeBus } from './edge-bus.ts'
import { createInventory } from './edge-inventory.ts'
import { createFleetReader, type FleetReader } from './fleet-reader.ts'
import { createFleetView, type Patience } from './fleet-view.ts'
import {
  judge,
  majority,
  newestGeneration,
  orderMarks,
  orderPlace,
  ownOrder,
  refusedBy,
  someoneOwes,
  type FleetSays,
  type Quorum,
} from './judge.ts'

export interface EdgeDriverOptions {
  readonly bus: EdgeBus
  readonly clock: Clock
  readonly fleet: FleetName
  /** Resources with another installation's marks are not ours to touch. */
  readonly installation: InstallationId
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
export interface EdgeDriver extends Driver {
  /**
   * Reads the fleet's words until `signal` aborts. Without it the driver still answers, from a read of
   * the bus each time, but says nothing through `onChange`.
   */
  run(signal: AbortSignal): Promise<void>
}

/** What the userspace data plane carries: a proxy in Node on addresses of this machine. */
export const userspaceCapabilities: Capabilities = {
  protocols: ['TCP', 'UDP'],
  ipFamilies: ['IPv4'],
  sourceRanges: true,
  clientIpAffinity: true,
  proxyProtocol: true,
  weights: true,
  preservesClientAddress: 'on-loopback',
  needsNodePort: true,
  ipMode: 'Proxy',
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
  const context: Context = {
    options,
    quorum: options.quorum ?? majority,
    fleet: createFleetReader(options, view),
    told: createToldTimes(options.clock),
  }
  const listeners = new Set<(change: ProviderChange) => void>()
  return {
    name: 'edge',
    capabilities: userspaceCapabilities,
    apply: (desired) => apply(context, desired),
    remove: (marks) => remove(context, marks),
    observe: async (marks) => look(context, marks, await context.fleet.read(marks.key)),
    inventory: createInventory(options, view),
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

const apply = async (context: Context, desired: DesiredResource): Promise<Outcome> => {
  const { options, fleet, quorum } = context
  const { marks } = desired
  const unsupported = findUnsupported(userspaceCapabilities, desired)
  if (unsupported !== undefined) return { status: 'refused', ...unsupported }
  if (marks.installation !== options.installation) return notOurs(marks)
  const says = await fleet.read(marks.key)
  const order: EdgeOrder = { order: 'serve', fleet: options.fleet, desired }
  if (says.order !== undefined) {
    if (!sameOwner(orderMarks(says.order), marks)) return notOurs(orderMarks(says.order))
    const place = orderPlace(says.order)
    const ahead = comparePlaces(place, orderPlace(order))
    const clash = ahead === 0 && !saysTheSame(says.order, order)
    if (ahead > 0 || clash) return { status: 'superseded', ...place }
  }
  await tell(context, says, order)
  const after = await fleet.read(marks.key)
  const problem = refusedBy(after, quorum)
  if (problem !== undefined) return { status: 'refused', capability: 'edge', problem }
  const seen = look(context, marks, after)
  const done = seen.status === 'present' && seen.ready && seen.hash === desiredHash(desired)
  return done ? { status: 'done' } : { status: 'pending', lookAgainMs }
}

const remove = async (context: Context, marks: OwnershipMarks): Promise<Outcome> => {
  const { options, fleet } = context
  const says = await fleet.read(marks.key)
  const own = ownOrder(marks, says)
  const foreign = says.order !== undefined && own === undefined
  if (foreign || marks.installation !== options.installation) return { status: 'done' }
  const newer = own !== undefined && orderPlace(own).epoch > marks.epoch
  if (!newer) await tell(context, says, tombstone(options.fleet, marks, says))
  const absent = look(context, marks, await fleet.read(marks.key)).status === 'absent'
  return absent ? { status: 'done' } : { status: 'pending', lookAgainMs }
}

const look = ({ quorum }: Context, marks: OwnershipMarks, says: FleetSays): Observed =>
  judge(marks, says, { quorum, ipMode: userspaceCapabilities.ipMode })

/** Publishes `order` unless it is out already and either answered by all or told just now. */
const tell = async (context: Context, says: FleetSays, order: EdgeOrder): Promise<void> => {
  const { options, fleet, told } = context
  const { key } = orderMarks(order)
  const same = says.order !== undefined && saysTheSame(says.order, order)
  if (same && !(someoneOwes(says) && told.longAgo(key))) return
  const traceparent = options.traceparent?.()
  const body = JSON.stringify({ ...order, traceparent }) // without one, JSON leaves the key out
  const message = { subject: edgeOrderSubject(options.fleet, key), body }
  await options.bus.publish([message])
  fleet.take(message)
  told.set(key)
}

/** The end of an incarnation, behind the newest generation that anybody knows of. */
const tombstone = (fleet: FleetName, marks: OwnershipMarks, says: FleetSays): EdgeOrder => {
  const own = ownOrder(marks, says)
  const place = own === undefined ? undefined : orderPlace(own)
  const ordered = place?.epoch === marks.epoch ? place.generation : 0
  const generation = Math.max(ordered, newestGeneration(marks, says.edges))
  return { order: 'remove', fleet, marks, generation }
}

const saysTheSame = (one: EdgeOrder, other: EdgeOrder): boolean => {
  if (comparePlaces(orderPlace(one), orderPlace(other)) !== 0) return false
  if (one.order === 'remove' || other.order === 'remove') return one.order === other.order
  return desiredHash(one.desired) === desiredHash(other.desired)
}

const notOurs = (marks: OwnershipMarks): Outcome => ({
  status: 'refused',
  capability: 'ownership',
  problem: `${marks.key} carries the marks of installation ${marks.installation}, tenant ${marks.tenant}`,
})

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
