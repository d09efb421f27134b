import {
  clusterId,
  driverName,
  frontendText,
  serviceUid,
  streamOf,
  type ClusterId,
  type DomainEvent,
  type RecordedEvent,
  type ServiceObservation,
  type TenantId,
} from '@weir/contract'
import type { ClaimChange, NewEvent, Store, WorkItem } from '@weir/eventlog'
import { OperatingError, type Clock, type Logger } from '@weir/kernel'
import type { Trace } from '@weir/runtime'
import { decide, type Claiming, type Decision, type Situation } from './domain/decide.ts'
import { evolve, initialFacts, type BalancerFacts } from './domain/fold.ts'
import { platformTypes } from './domain/platform.ts'
import { createHomes, type Projection } from './projection.ts'

export const consumer = 'allocator'

export interface AllocatorPorts {
  readonly store: Store
  readonly projection: Projection
  readonly clock: Clock
  readonly log: Logger
  readonly trace: Trace
}

export interface Allocator {
  /** Work keys that an event makes dirty. */
  keysOf(event: RecordedEvent): readonly string[]
  /** The work key of a Service that was seen. */
  keyOf(seen: ServiceObservation): string
  /** Decides about one Service and records it. */
  reconcile(item: WorkItem): Promise<{ readonly againInMs?: number }>
}

/** The work key that stands for what people changed: pools and clusters. */
const platformKey = 'platform'
/** A refused Service is looked at again by itself, should a wake-up have been lost. */
const refusedAgainMs = 30_000
/** Decisions made anew before a key goes back to the queue: each loss means that somebody else won. */
const decisionsMax = 8

const acts: readonly string[] = platformTypes
const concerns: readonly string[] = ['FinalizerAdded', 'FinalizerRemoved', 'ResourceAbsent']

export const createAllocator = (ports: AllocatorPorts): Allocator => {
  const { store, projection, clock, log } = ports
  const homes = createHomes()
  // Who was refused, by tenant: woken when an address comes free or a pool appears.
  const waiting = new Map<TenantId, Set<string>>()

  const wakeWaiting = async (): Promise<void> => {
    const woken = [...waiting]
    waiting.clear()
    for (const [tenant, keys] of woken) await store.work.mark(consumer, tenant, [...keys])
  }
  const wait = (tenant: TenantId, key: string): void => {
    const keys = waiting.get(tenant) ?? new Set<string>()
    waiting.set(tenant, keys.add(key))
  }

  const lastSeen = async (
    tenant: TenantId,
    key: string,
    facts: BalancerFacts,
  ): Promise<ServiceObservation | undefined> => {
    const uid = serviceUid.parse(key)
    const known = homes.of(uid) ?? (facts.cluster && clusterId.parse(facts.cluster))
    const places = known ? [known] : clustersOf(tenant)
    for (const cluster of places) {
      const seen = await store.observed.get({ tenant, cluster, kind: 'service', key })
      if (seen) return seen
    }
    return undefined
  }
  const clustersOf = (tenant: TenantId): readonly ClusterId[] =>
    [...projection.platform().clusters.values()]
      .filter((cluster) => cluster.tenant === tenant)
      .map((cluster) => cluster.id)

  const situationOf = (facts: BalancerFacts, seen: ServiceObservation): Situation => {
    const { clusters, pools, deregistered } = projection.platform()
    return {
      facts,
      seen,
      driver: clusters.get(seen.cluster)?.driver ?? driverName.parse('edge'),
      pools: [...pools.values()],
      index: projection.index,
      deregistered: deregistered.has(seen.cluster),
      now: clock.now(),
    }
  }

  /** Decides until the decision is recorded: each round reads what the last one lost to. */
  const settle = async (item: WorkItem): Promise<{ readonly againInMs?: number }> => {
    for (let round = 1; round <= decisionsMax; round += 1) {
      const story = await store.log.story(item.tenant, item.key)
      const facts = story.reduce(evolve, initialFacts)
      const seen = await lastSeen(item.tenant, item.key, facts)
      if (!seen) return {}
      if (!projection.platform().clusters.has(seen.cluster)) await projection.catchUp(item.tenant)
      const decision = decide(situationOf(facts, seen))
      if (decision.events.length === 0) return refusalStands(item, facts)
      const recorded = await record(item, facts, seen, decision)
      if (recorded) return afterwards(item, decision)
    }
    throw new OperatingError(`cannot settle ${item.key}: lost ${decisionsMax} races in a row`, {
      retry: { afterMs: 200 },
    })
  }

  const refusalStands = (item: WorkItem, facts: BalancerFacts): { readonly againInMs?: number } => {
    const { balancer } = facts
    const refused = 'refusal' in balancer && balancer.refusal !== undefined
    if (!refused) return {}
    wait(item.tenant, item.key)
    return { againInMs: refusedAgainMs }
  }

  const afterwards = async (
    item: WorkItem,
    { events }: Decision,
  ): Promise<{ readonly againInMs?: number }> => {
    const types = events.map((event) => event.type)
    log.info({ tenant: item.tenant, service: item.key, events: types }, 'decided')
    if (types.includes('FrontendsReleased')) await wakeWaiting()
    const served = types.some((type) => type === 'FrontendsAllocated' || type.endsWith('Released'))
    if (served || types.includes('ReleaseRequested')) return {}
    wait(item.tenant, item.key)
    return { againInMs: refusedAgainMs }
  }

  const record = async (
    item: WorkItem,
    facts: BalancerFacts,
    seen: ServiceObservation,
    decision: Decision,
  ): Promise<boolean> => {
    const undo = reserve(item, decision.claims)
    const stream = streamOf('lb', item.key)
    const parent = seen.traceparent
    try {
      const outcome = await ports.trace.span('allocate', { parent, kind: 'consumer' }, (span) =>
        store.log.append({
          tenant: item.tenant,
          commandId: commandId(item.key, facts.version, decision.events),
          events: decision.events.map((event): NewEvent => ({
            stream,
            expectedVersion: facts.version,
            event,
          })),
          claims: decision.claims.map((claim) => claimChange(item.key, claim)),
          actor: consumer,
          correlationId: item.key,
          causationId: `observation:${seen.kind}:${seen.watcherEpoch}.${seen.order}`,
          traceparent: span.traceparent,
        }),
      )
      if (outcome.status === 'appended' || outcome.status === 'repeated') return true
      undo()
      // Somebody else holds what we took for free: only the rows know, so read them again.
      if (outcome.status === 'claimed') await projection.reload()
      return false
    } catch (error) {
      undo()
      throw error
    }
  }

  /** Notes claims at once, so that another Service decided meanwhile does not choose the same address. */
  const reserve = (item: WorkItem, claims: readonly Claiming[]): (() => void) => {
    const now = clock.now()
    const undone: (() => void)[] = []
    for (const claim of claims) {
      if (typeof claim.at !== 'string') continue
      const ip = claim.at
      const before = projection.index.get(ip)
      const taken = claim.change === 'take'
      projection.index.set({
        ip,
        tenant: item.tenant,
        holder: taken ? item.key : null,
        lastHolder: taken ? null : item.key,
        releasedAt: taken ? null : now,
        restsUntil: taken ? null : now + claim.restMs,
      })
      undone.push(() => (before ? projection.index.set(before) : projection.index.drop(ip)))
    }
    return () => undone.toReversed().forEach((undo) => undo())
  }

  const platformChanged = async (tenant: TenantId): Promise<void> => {
    await projection.catchUp(tenant)
    await wakeWaiting()
    const { clusters, deregistered } = projection.platform()
    for (const cluster of clusters.values()) {
      if (cluster.tenant !== tenant || !deregistered.has(cluster.id)) continue
      const at = { tenant, cluster: cluster.id, kind: 'service' } as const
      const seen = await store.observed.list(at)
      await store.work.mark(
        consumer,
        tenant,
        seen.map((each) => each.serviceUid),
      )
    }
  }

  return {
    keysOf: (event) => {
      if (acts.includes(event.type)) return [platformKey]
      return concerns.includes(event.type) ? [event.correlationid] : []
    },
    keyOf: (seen) => {
      homes.note(seen.serviceUid, seen.cluster)
      return seen.serviceUid
    },
    reconcile: async (item) => {
      if (item.key !== platformKey) return settle(item)
      await platformChanged(item.tenant)
      return {}
    },
  }
}

/** The same decision on the same version is the same command, however often it is made. */
const commandId = (key: string, version: number, events: readonly DomainEvent[]): string =>
  `${consumer}/${key}/${version}/${events.map((event) => event.type).join('+')}`

const claimChange = (holder: string, claim: Claiming): ClaimChange => {
  const at =
    typeof claim.at === 'string'
      ? ({ scope: 'address', key: claim.at } as const)
      : ({ scope: 'frontend', key: frontendText(claim.at) } as const)
  return claim.change === 'take'
    ? { change: 'take', ...at, holder }
    : { change: 'release', ...at, holder, restMs: claim.restMs }
}
