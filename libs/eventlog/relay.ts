import { relayShardCount, relayShardOf, type RecordedEvent, type TenantId } from '@weir/contract'
import { Bug, explainError, type Clock, type Ids, type Logger } from '@weir/kernel'
import { createAlarm } from './alarm.ts'
import type { Store } from './eventlog.ts'
import { createRelayTenants } from './relay-tenants.ts'

export interface RelayOptions {
  readonly store: Pick<Store, 'log' | 'work' | 'leases'>
  /** This process, for the lease rows. */
  readonly holder: string
  /**
   * Puts events of one tenant, in order and gapless, on the bus; resolves when the bus has them all.
   * They may come again after a failure or a change of holder: the bus knows them by their ids.
   */
  readonly publish: (events: readonly RecordedEvent[]) => Promise<void>
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** How long a shard stays ours without renewal, 10,000 ms. */
  readonly leaseMs?: number
  /** Milliseconds between two looks for what no hint told of, 300; varied by a quarter. */
  readonly pollMs?: number
}

/** Carries the log to the bus. Of all processes that run one, each shard is carried by a single one. */
export interface Relay {
  /**
   * A tenant has something new, up to the sequence `upTo`: it is read and published at once, if its
   * shard is ours and it is not on its way already.
   */
  wake(tenant: TenantId, upTo?: number): void
  /** The events of an append of this process: published without being read, if their shard is ours. */
  offer(events: readonly RecordedEvent[]): void
  /** Whether this process carries the tenant now; if not, a hint must tell the one that does. */
  carries(tenant: TenantId): boolean
  /**
   * Carries until `signal` aborts, then lets go of its shards and resolves. Whatever fails is tried
   * again; only a `Bug` rejects.
   */
  run(signal: AbortSignal): Promise<void>
  health(): RelayHealth
}

/** For metrics and health checks. Counts are since the start. */
export interface RelayHealth {
  readonly shards: number
  /** Events in the log that were not published at the last look, over the tenants of our shards. */
  readonly lag: number
  readonly lastLookAt: number | null
  readonly counts: { readonly published: number; readonly reads: number; readonly failures: number }
}

export const createRelay = (options: RelayOptions): Relay => {
  const { store, holder, clock, ids, logger } = options
  const leaseMs = options.leaseMs ?? 10_000
  const pollMs = options.pollMs ?? 300
  const alarm = createAlarm(clock)
  /** The end of our lease of each shard, by our clock and from before it was asked for. */
  const held = new Map<number, number>()
  const carries = (tenant: TenantId): boolean => (held.get(relayShardOf(tenant)) ?? 0) > clock.now()
  const tenants = createRelayTenants({ ...options, carries })
  let nextLeaseAt = -Infinity
  let lastLookAt: number | null = null
  let lag = 0

  const takeShards = async (): Promise<void> => {
    for (const shard of shuffled(ids)) {
      const asked = clock.now()
      const lease = await store.leases.take(leaseName(shard), holder, leaseMs)
      if (lease !== undefined) held.set(shard, asked + leaseMs)
      else if (held.delete(shard)) logger.info({ shard }, 'another process carries this shard now')
    }
    nextLeaseAt = clock.now() + (leaseMs / 3) * (0.8 + ids.random() * 0.4)
  }

  const look = async (): Promise<void> => {
    if (clock.now() >= nextLeaseAt) await takeShards()
    tenants.forget((tenant) => !carries(tenant))
    if (held.size === 0) return
    const lagging = (await store.work.lagging('relay')).filter(({ tenant }) => carries(tenant))
    lag = 0
    for (const one of lagging) lag += tenants.lookAt(one)
    lastLookAt = clock.now()
  }

  const letGo = async (): Promise<void> => {
    await tenants.idle()
    for (const shard of held.keys()) {
      // A lease that cannot be let go of runs out by itself.
      await store.leases.release(leaseName(shard), holder).catch(() => undefined)
    }
    held.clear()
  }

  return {
    carries,
    wake: (tenant, upTo) => {
      if (carries(tenant)) tenants.wake(tenant, upTo)
    },
    offer: (events) => {
      const tenant = events[0]?.tenantid
      if (tenant !== undefined && carries(tenant)) tenants.offer(tenant, events)
    },
    run: async (signal) => {
      while (!signal.aborted && tenants.fault() === undefined) {
        try {
          await look()
        } catch (error) {
          if (error instanceof Bug) throw error
          logger.warn({ problem: explainError(error) }, 'relay cannot reach the log; trying again')
        }
        await alarm.wait(pollMs * (0.75 + ids.random() / 2), signal)
      }
      await letGo()
      const fault = tenants.fault()
      if (fault !== undefined) throw fault
    },
    health: () => ({ shards: held.size, lag, lastLookAt, counts: { ...tenants.counts } }),
  }
}

const leaseName = (shard: number): string => `relay-${shard}`

/** All shards in an order of chance, so that processes that start together share them. */
const shuffled = (ids: Ids): readonly number[] =>
  Array.from({ length: relayShardCount }, (_, shard) => ({ shard, at: ids.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ shard }) => shard)
