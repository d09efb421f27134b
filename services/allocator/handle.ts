import {
  clusterId,
  ipAddress,
  strayOf,
  streamId,
  streamOf,
  type ClusterId,
  type DomainEvent,
  type IpAddress,
  type RecordedEvent,
  type ServiceObservation,
  type TenantId,
} from '@weir/contract'
import type { AppendOutcome, NewEvent, Store, WorkItem } from '@weir/eventlog'
import { OperatingError, type Clock, type Logger } from '@weir/kernel'
import type { Metrics, Trace } from '@weir/runtime'
import { claimChange } from './claims.ts'
import { decide } from './domain/decide.ts'
import type { Claiming, Decision, Situation } from './domain/decision.ts'
import { defaultDriver } from './domain/drivers.ts'
import { evolve, initialFacts, type BalancerFacts } from './domain/fold.ts'
import { groupsOf, nobody } from './domain/sharing.ts'
import { readGroups } from './groups.ts'
import type { AddressClaim } from './domain/address-index.ts'
import { createPlaces } from './places.ts'
import type { KnownCluster, Offers, Projection } from './projection.ts'
import type { Reservation } from './reservations.ts'
import { createStrays } from './strays.ts'

export const consumer = 'allocator'

export interface AllocatorPorts {
  readonly store: Store
  readonly projection: Projection
  readonly clock: Clock
  readonly log: Logger
  readonly trace: Pick<Trace, 'span'>
  readonly metrics: Pick<Metrics, 'stage'>
}

export interface Allocator {
  /** Work keys that an event makes dirty. */
  keysOf(event: RecordedEvent): readonly string[]
  /** The work key of a Service that was seen. */
  keyOf(seen: ServiceObservation): string
  /** Decides about one Service and records it. */
  reconcile(item: WorkItem): Promise<{ readonly againInMs?: number }>
}

/** What a decision is made on. */
type Basis = Pick<Situation, 'facts' | 'seen' | 'groups'>

/** Work that is no Service: a pool or a driver changed, or the cluster named after it. */
const poolsKey = 'pools'
const clusterPrefix = 'cluster-'
/** A refused Service is looked at again by itself, should a wake-up have been lost. */
const refusedAgainMs = 30_000
/** An order may be carried out without a word about it on the Service. */
const leftAgainMs = 2000
/** An address that the rows refuse though it looks free: our clock and the log's differ. */
const skewMs = 1000
/** Decisions made anew before a key goes back to the queue: each loss means that somebody else won. */
const decisionsMax = 8

const concerns: readonly string[] = [
  'FinalizerAdded',
  'FinalizerRemoved',
  'ResourceAbsent',
  // It may show that an address of before is out of use.
  'StatusPublished',
  // Our own are looked at once more: a process that paused may have decided on a cluster as it was,
  // when whoever looked meanwhile found nothing to end.
  'LoadBalancerRequested',
  'LoadBalancerChanged',
  'DriverChanged',
]
/** Refusals that addresses let go elsewhere would end. */
const scarcities: readonly string[] = ['PoolExhausted', 'AddressTaken']

export const createAllocator = (ports: AllocatorPorts): Allocator => {
  const { store, projection, clock, log } = ports
  const letGoOfStray = createStrays({ ...ports, consumer })
  const places = createPlaces({ observed: store.observed, projection })
  // Who was refused here, by tenant: woken when an address comes free or a pool appears.
  const waiting = new Map<TenantId, Set<string>>()

  const wakeWaiting = async (): Promise<void> => {
    const waitingNow = [...waiting] // while these are marked, others come to wait
    for (const [tenant, keys] of waitingNow) {
      const woken = [...keys]
      await store.work.mark(consumer, tenant, woken)
      for (const key of woken) keys.delete(key)
      if (keys.size === 0) waiting.delete(tenant)
    }
  }
  /** It waits to be woken, and comes back by itself: at the latest when an address comes free. */
  const wait = (item: WorkItem, freeAt: number | null): { readonly againInMs: number } => {
    const keys = waiting.get(item.tenant) ?? new Set<string>()
    waiting.set(item.tenant, keys.add(item.key))
    const freeInMs = freeAt === null ? refusedAgainMs : Math.max(0, freeAt - clock.now()) + 1
    return { againInMs: Math.min(refusedAgainMs, freeInMs) }
  }

  /** Nobody is refused by what is remembered: the rows are read first. */
  const decideFairly = async (at: () => Situation): Promise<Decision> => {
    const decision = decide(at())
    if (!scarcities.includes(decision.refused?.type ?? '')) return decision
    return (await projection.freshen()) ? decide(at()) : decision
  }

  /** Decides until the decision is recorded: each round reads what the last one lost to. */
  const settle = async (item: WorkItem): Promise<{ readonly againInMs?: number }> => {
    for (let round = 1; round <= decisionsMax; round += 1) {
      const [story, offers] = await Promise.all([
        store.log.story(item.tenant, item.key),
        projection.offers(),
      ])
      const facts = story.reduce(evolve, initialFacts)
      const place = await places.find(item, facts)
      if (!place) return {}
      const { seen, cluster } = place
      const groups = await readGroups(store.log, item.tenant, groupsOf({ facts, seen }))
      const situation = (): Situation => situationOf({ facts, seen, cluster, offers, groups })
      const decision = await decideFairly(situation)
      const { refused } = decision
      if (decision.events.length > 0) {
        if (!(await record(item, { facts, seen, groups }, decision))) continue
        const events = decision.events.map((event) => event.type)
        log.info({ tenant: item.tenant, service: item.key, events }, 'decided')
        if (events.includes('FrontendsAllocated')) noteStage(seen, facts)
        if (letsGo(decision)) await wakeWaiting()
        // A Service that was wanted again meanwhile, by a cluster that came back, begins its next life.
        if (events.includes('FrontendsReleased')) continue
      }
      if (refused) return wait(item, refused.freeAt)
      waiting.get(item.tenant)?.delete(item.key)
      return leavesSomething(facts, decision) ? { againInMs: leftAgainMs } : {}
    }
    throw new OperatingError(`cannot settle ${item.key}: lost ${decisionsMax} races in a row`, {
      retry: { afterMs: 200 },
    })
  }

  /** From the watcher's sight of the wish to the address that is held for it. */
  const noteStage = (seen: ServiceObservation, { balancer }: BalancerFacts): void => {
    if ('refusal' in balancer && balancer.refusal) return // it waited for others, not for us
    const seconds = (clock.now() - Date.parse(seen.seenAt)) / 1000
    ports.metrics.stage('seen-to-allocated', Math.max(0, seconds))
  }

  const situationOf = (from: {
    readonly facts: BalancerFacts
    readonly seen: ServiceObservation
    readonly cluster: KnownCluster
    readonly offers: Offers
    readonly groups: Situation['groups']
  }): Situation => {
    const { facts, seen, offers, cluster, groups } = from
    const { deregistered } = cluster
    const by = defaultDriver(cluster, offers.drivers, seen.tenant)
    const now = clock.now()
    return { facts, seen, groups, deregistered, ...by, ...offers, index: projection.index, now }
  }

  const record = async (item: WorkItem, basis: Basis, decision: Decision): Promise<boolean> => {
    const reservation = reserve(item, decision.claims)
    try {
      const outcome = await append(item, basis, decision)
      if (outcome.status === 'appended') {
        reservation.keep()
        return true
      }
      reservation.undo()
      if (outcome.status === 'claimed') await learn(outcome)
      // A repeated command was decided on this version before, but perhaps on another wish.
      return false
    } catch (error) {
      reservation.undo()
      throw error
    }
  }

  const append = (
    item: WorkItem,
    { facts, seen, groups }: Basis,
    { events, claims }: Decision,
  ): Promise<AppendOutcome> => {
    const own = { stream: streamOf('lb', item.key), expectedVersion: facts.version }
    const at = (event: DomainEvent): Omit<NewEvent, 'event'> =>
      event.type === 'SharingChanged'
        ? {
            stream: streamId.parse(event.data.group),
            expectedVersion: (groups.get(event.data.group) ?? nobody).version,
          }
        : own
    const parent = seen.traceparent
    return ports.trace.span('allocate', { parent, kind: 'consumer' }, (span) =>
      store.log.append({
        tenant: item.tenant,
        commandId: commandId(item.key, facts.version, events),
        events: events.map((event): NewEvent => ({ ...at(event), event })),
        claims: claims.map((claim) => claimChange(item.key, claim)),
        actor: consumer,
        correlationId: item.key,
        causationId: `observation:${seen.kind}:${seen.watcherEpoch}.${seen.order}`,
        traceparent: span.traceparent,
      }),
    )
  }

  /** Somebody else holds what we took for free: only the rows know, so they are read again. */
  const learn = async ({ scope, key }: { scope: string; key: string }): Promise<void> => {
    await projection.reload()
    const claim = scope === 'address' ? projection.index.get(ipAddress.parse(key)) : undefined
    if (!claim || claim.holder !== null || (claim.restsUntil ?? 0) > clock.now()) return
    projection.index.set({ ...claim, restsUntil: clock.now() + skewMs })
  }

  const reserve = (item: WorkItem, claims: readonly Claiming[]): Reservation => {
    const now = clock.now()
    const isTaken = (ip: IpAddress): boolean =>
      claims.some((claim) => claim.change === 'take' && claim.at === ip)
    return projection.reserve(
      claims.flatMap((claim): AddressClaim[] => {
        if (typeof claim.at !== 'string') return []
        const { tenant, key } = item
        const { at: ip, holder = key } = claim
        if (claim.change === 'take') return [{ ip, tenant, ...taken, holder }]
        // What is handed over is taken in the same decision.
        if (isTaken(ip)) return []
        return [{ ip, tenant, ...restingFrom(now, claim.restMs), lastHolder: holder }]
      }),
    )
  }

  /** A cluster came, changed or went: every Service seen in it is decided about again. */
  const clusterChanged = async (tenant: TenantId, cluster: ClusterId): Promise<void> => {
    const seen = await store.observed.list({ tenant, cluster, kind: 'service' })
    const keys = seen.map((each) => each.serviceUid)
    for (let at = 0; at < keys.length; at += markedAtOnce) {
      await store.work.mark(consumer, tenant, keys.slice(at, at + markedAtOnce))
    }
  }

  return {
    keysOf: (event) => {
      if (/^(pool|driver)-/.test(event.subject)) return [poolsKey]
      if (event.subject.startsWith(clusterPrefix)) return [event.subject]
      return concerns.includes(event.type) ? [event.correlationid] : []
    },
    keyOf: (seen) => {
      places.note(seen)
      return seen.serviceUid
    },
    reconcile: async (item) => {
      if (item.key === poolsKey) await wakeWaiting()
      else if (strayOf(item.key)) {
        if (await letGoOfStray(item)) await wakeWaiting()
      } else if (item.key.startsWith(clusterPrefix)) {
        await clusterChanged(item.tenant, clusterId.parse(item.key.slice(clusterPrefix.length)))
      } else return settle(item)
      return {}
    },
  }
}

const markedAtOnce = 1000

/** Whether somebody else may have what it lets go of: an address, or a port of a shared one. */
const letsGo = ({ claims, events }: Decision): boolean => {
  const shares = events.some(({ type }) => type === 'SharingChanged')
  return claims.some(({ change, at }) => change === 'release' && (shares || typeof at === 'string'))
}

/** Whether it holds something of before, which is looked for again until it is out of use. */
const leavesSomething = ({ balancer }: BalancerFacts, { events }: Decision): boolean => {
  if (events.length === 0) {
    return balancer.status === 'Serving' && balancer.leaving.length + balancer.closing.length > 0
  }
  return events.some(
    ({ type, data }) =>
      type === 'FrontendsAllocated' && (data.leaving ?? data.closing) !== undefined,
  )
}

const taken = { lastHolder: null, releasedAt: null, restsUntil: null } as const
const restingFrom = (now: number, restMs: number) =>
  ({ holder: null, releasedAt: now, restsUntil: now + restMs }) as const

/** The same decision on the same version is the same command, however often it is made. */
const commandId = (key: string, version: number, events: readonly DomainEvent[]): string =>
  `${consumer}/${key}/${version}/${events.map((event) => event.type).join('+')}`
