import {
  serviceUid,
  type ClusterId,
  type ServiceObservation,
  type ServiceUid,
  type TenantId,
} from '@weir/contract'
import type { Observed } from '@weir/eventlog'
import type { BalancerFacts } from './domain/fold.ts'
import type { KnownCluster, Projection } from './projection.ts'

/** What was seen of a Service, and the cluster it was seen in. */
export interface Place {
  readonly seen: ServiceObservation
  readonly cluster: KnownCluster
}

export interface Places {
  /** Remembers where a Service was seen, which its work key does not tell. */
  note(seen: ServiceObservation): void
  /** The Service as it was seen last; undefined when it never was, in any connected cluster. */
  find(
    at: { readonly tenant: TenantId; readonly key: string },
    facts: BalancerFacts,
  ): Promise<Place | undefined>
}

/** Enough for what is seen and not yet decided about; what is forgotten is looked for in each cluster. */
const maxHomes = 10_000

/**
 * Finds Services again. A life belongs to the cluster that it began in, whatever another cluster shows
 * under the same UID; without one, the newest observation counts.
 */
export const createPlaces = (ports: {
  readonly observed: Pick<Observed, 'get'>
  readonly projection: Pick<Projection, 'cluster' | 'clustersOf'>
}): Places => {
  const homes = new Map<ServiceUid, ClusterId>()

  const look = async (
    tenant: TenantId,
    uid: ServiceUid,
    id: ClusterId | undefined,
  ): Promise<Place | undefined> => {
    if (id === undefined) return undefined
    const [seen, cluster] = await Promise.all([
      ports.observed.get({ tenant, cluster: id, kind: 'service', key: uid }),
      ports.projection.cluster(tenant, id),
    ])
    return seen && cluster && { seen, cluster }
  }
  const search = async (tenant: TenantId, uid: ServiceUid): Promise<Place | undefined> => {
    let found: Place | undefined
    for (const id of await ports.projection.clustersOf(tenant)) {
      const place = await look(tenant, uid, id)
      if (place && (!found || place.seen.seenAt > found.seen.seenAt)) found = place
    }
    return found
  }

  return {
    note: ({ serviceUid: uid, cluster }) => {
      homes.delete(uid)
      homes.set(uid, cluster)
      const [oldest] = homes.keys()
      if (homes.size > maxHomes && oldest !== undefined) homes.delete(oldest)
    },
    find: async ({ tenant, key }, { balancer, cluster }) => {
      const uid = serviceUid.parse(key)
      if (balancer.status !== 'None') return look(tenant, uid, cluster)
      return (await look(tenant, uid, homes.get(uid) ?? cluster)) ?? search(tenant, uid)
    },
  }
}
