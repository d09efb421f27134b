import type { Cluster, ClusterId, Pool, PoolName, RecordedEvent } from '@weir/contract'

/** What people set up: the pools of the platform and the clusters of the tenants. */
export interface Platform {
  readonly pools: ReadonlyMap<PoolName, Pool>
  readonly clusters: ReadonlyMap<ClusterId, Cluster>
  readonly deregistered: ReadonlySet<ClusterId>
}

export const emptyPlatform: Platform = {
  pools: new Map(),
  clusters: new Map(),
  deregistered: new Set(),
}

/** Adds one event to what is known of the platform. */
export const evolvePlatform = (at: Platform, event: RecordedEvent): Platform => {
  switch (event.type) {
    case 'PoolCreated':
    case 'PoolChanged': {
      const { pool } = event.data
      return { ...at, pools: new Map([...at.pools, [pool.name, pool]]) }
    }
    case 'PoolRemoved': {
      const left = [...at.pools].filter(([name]) => name !== event.data.name)
      return { ...at, pools: new Map(left) }
    }
    case 'ClusterConnected':
    case 'ClusterChanged': {
      const { cluster } = event.data
      const deregistered = new Set([...at.deregistered].filter((id) => id !== cluster.id))
      return { ...at, clusters: new Map([...at.clusters, [cluster.id, cluster]]), deregistered }
    }
    case 'ClusterDeregistered':
      return { ...at, deregistered: new Set([...at.deregistered, event.data.id]) }
    default:
      return at
  }
}
