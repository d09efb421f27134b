// What the allocator knows of pools, drivers, clusters and addresses. Other allocators and people change all of it,
// and no message is sure to reach this process: pools and clusters are read anew for every decision
// (shared by those made at the same time), and addresses are read again before somebody is refused.
import {
  clusterId,
  platformTenant,
  tenantId,
  type Cluster,
  type ClusterId,
  type IpAddress,
  type Pool,
  type TenantId,
} from '@weir/contract'
import type { Store } from '@weir/eventlog'
import type { Clock } from '@weir/kernel'
import { createAddressIndex, type AddressClaim, type AddressIndex } from './domain/address-index.ts'
import type { Drivers } from './domain/drivers.ts'
import { emptyPlatform, evolvePlatform, type Platform } from './domain/platform.ts'
import { createReservations, type Reservation } from './reservations.ts'
import { createSharedRead } from './shared-read.ts'

const pageSize = 1000
/** Rows read so short ago need not be read again before a refusal, which is looked at again anyway. */
const freshMs = 1000

export interface KnownCluster {
  readonly driver: Cluster['driver']
  /** The driver whose edges found that nodes cannot answer clients directly; null while nobody did. */
  readonly failing: Cluster['driver'] | null
  readonly deregistered: boolean
}

export interface Offers {
  readonly pools: readonly Pool[]
  readonly drivers: Drivers
}

export interface Projection {
  readonly index: AddressIndex
  /** The pools and drivers as they are now. */
  offers(): Promise<Offers>
  /** The pools as they were read last, for what is only counted. */
  poolsKnown(): readonly Pool[]
  /** A cluster as it is now; undefined when it was never connected. */
  cluster(tenant: TenantId, id: ClusterId): Promise<KnownCluster | undefined>
  /** Every cluster the tenant ever connected. Reads the tenant's log once, then only what is new. */
  clustersOf(tenant: TenantId): Promise<readonly ClusterId[]>
  /** Notes what is about to be recorded, so that nobody else chooses it meanwhile. */
  reserve(claims: readonly AddressClaim[]): Reservation
  /** Reads the rows again. */
  reload(): Promise<void>
  /** Reads the rows again unless that was done just now; whether it did. */
  freshen(): Promise<boolean>
}

/** Reads the addresses and the pools once, so that the first decision need not. */
export const openProjection = async (ports: {
  readonly store: Pick<Store, 'log'>
  readonly clock: Clock
}): Promise<Projection> => {
  const { clock, store } = ports
  const { log } = store
  const index = createAddressIndex()
  const reservations = createReservations(index)
  const readPlatform = createFollower(log)
  let loadedAt = -Infinity
  let poolsKnown: readonly Pool[] = []

  const reload = createSharedRead(async () => {
    const began = clock.now()
    await reservations.reload(async () =>
      (await log.claims('address', '')).map((claim) => ({ ...claim, ip: claim.key as IpAddress })),
    )
    loadedAt = began
  })
  const readCluster = createSharedRead(async (name) => {
    const [tenant, id] = name.split('/')
    const story = await log.story(tenantId.parse(tenant), clusterId.parse(id))
    return story.reduce(evolvePlatform, emptyPlatform)
  })

  const projection: Projection = {
    index,
    offers: async () => {
      const { pools, drivers } = await readPlatform(platformTenant)
      poolsKnown = [...pools.values()]
      return { pools: poolsKnown, drivers }
    },
    poolsKnown: () => poolsKnown,
    cluster: async (tenant, id) => {
      const { clusters, deregistered, failing } = await readCluster(`${tenant}/${id}`)
      const known = clusters.get(id)
      if (known === undefined) return undefined
      const { driver } = known
      return { driver, failing: failing.get(id) ?? null, deregistered: deregistered.has(id) }
    },
    clustersOf: async (tenant) => [...(await readPlatform(tenant)).clusters.keys()],
    reserve: reservations.reserve,
    reload: () => reload('claims'),
    freshen: async () => {
      if (clock.now() - loadedAt < freshMs) return false
      await reload('claims')
      return true
    },
  }
  await Promise.all([projection.reload(), projection.offers()])
  return projection
}

/** Folds a tenant's log and reads only what is new each time. */
const createFollower = (log: Pick<Store['log'], 'after'>) => {
  const followed = new Map<string, { readonly platform: Platform; readonly cursor: number }>()
  return createSharedRead(async (tenant): Promise<Platform> => {
    let { platform, cursor } = followed.get(tenant) ?? { platform: emptyPlatform, cursor: 0 }
    for (;;) {
      const page = await log.after(tenantId.parse(tenant), cursor, pageSize)
      platform = page.reduce(evolvePlatform, platform)
      cursor = page.at(-1)?.sequence ?? cursor
      followed.set(tenant, { platform, cursor })
      if (page.length < pageSize) return platform
    }
  })
}
