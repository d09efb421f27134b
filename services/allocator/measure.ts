import { poolSize } from '@weir/contract'
import type { Clock } from '@weir/kernel'
import type { Metrics } from '@weir/runtime'
import type { Projection } from './projection.ts'

const families = ['IPv4', 'IPv6'] as const

/**
 * How full each pool is, as this allocator knows it: what is held, what rests, and how much there is. An
 * allocator that decides nothing does not hear of what others do, so sum over none and take the highest.
 */
export const measurePools = (
  metrics: Metrics,
  projection: Pick<Projection, 'index' | 'poolsKnown'>,
  clock: Clock,
): void => {
  const addresses = metrics.gauge<'pool' | 'family' | 'state'>({
    name: 'weir_pool_addresses',
    help: 'Addresses of a pool: held by a load balancer, resting after one, and in all',
    labels: ['pool', 'family', 'state'],
  })
  metrics.beforeReading(() => {
    for (const pool of projection.poolsKnown()) {
      for (const family of families) {
        const size = poolSize(pool, family)
        if (size === 0n) continue
        const { held, quarantined } = projection.index.usage(pool, family, clock.now())
        const of = { pool: pool.name, family }
        addresses.set(held, { ...of, state: 'held' })
        addresses.set(quarantined, { ...of, state: 'resting' })
        addresses.set(Number(size), { ...of, state: 'size' })
      }
    }
  })
}
