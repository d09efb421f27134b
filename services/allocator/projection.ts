// What the allocator keeps in memory, all of it rebuilt from the log and the claim rows at start.
import type { ClusterId, IpAddress, ServiceUid, TenantId } from '@weir/contract'
import { platformTenant } from '@weir/contract'
import type { Store } from '@weir/eventlog'
import type { AddressClaim } from './domain/address-index.ts'
import { createAddressIndex, type AddressIndex } from './domain/address-index.ts'
import { emptyPlatform, evolvePlatform, type Platform } from './domain/platform.ts'

const pageSize = 1000

export interface Projection {
  readonly index: AddressIndex
  platform(): Platform
  /** Reads what people did since the last time: pools from the platform's log, clusters from `tenant`'s. */
  catchUp(tenant: TenantId): Promise<void>
  /** Reads the claim rows again, after another allocator took one we thought free. */
  reload(): Promise<void>
}

/** Reads everything once; later calls read only what is new. */
export const openProjection = async (store: Pick<Store, 'log'>): Promise<Projection> => {
  const index = createAddressIndex()
  const cursors = new Map<TenantId, number>()
  let platform = emptyPlatform

  const readOn = async (tenant: TenantId): Promise<void> => {
    for (;;) {
      const from = cursors.get(tenant) ?? 0
      const page = await store.log.after(tenant, from, pageSize)
      // Two calls may read the same page: applying an event twice changes nothing.
      for (const event of page) platform = evolvePlatform(platform, event)
      const last = page.at(-1)
      if (last) cursors.set(tenant, Math.max(last.sequence, cursors.get(tenant) ?? 0))
      if (page.length < pageSize) return
    }
  }
  const reload = async (): Promise<void> => {
    const claims = await store.log.claims('address', '')
    index.load(claims.map((claim): AddressClaim => ({ ...claim, ip: claim.key as IpAddress })))
  }

  await Promise.all([reload(), readOn(platformTenant)])
  return {
    index,
    platform: () => platform,
    catchUp: async (tenant) => {
      await readOn(platformTenant)
      if (tenant !== platformTenant) await readOn(tenant)
    },
    reload,
  }
}

/** Where a Service lives, remembered from its observations so that an event can be placed. */
export const createHomes = (): {
  readonly note: (service: ServiceUid, cluster: ClusterId) => void
  readonly of: (service: ServiceUid) => ClusterId | undefined
} => {
  const homes = new Map<ServiceUid, ClusterId>()
  return {
    note: (service, cluster) => void homes.set(service, cluster),
    of: (service) => homes.get(service),
  }
}
