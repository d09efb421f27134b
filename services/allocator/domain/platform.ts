import type { Cluster, ClusterId, Pool, PoolName, RecordedEvent } from '@weir/contract'
import { builtInDrivers, configured, removed, type Drivers } from './drivers.ts'

/** What people set up: the pools and drivers of the platform and the clusters of the tenants. */
export interface Platform {
  readonly pools: ReadonlyMap<PoolName, Pool>
  readonly drivers: Drivers
  readonly clusters: ReadonlyMap<ClusterId, Cluster>
  readonly deregistered: ReadonlySet<ClusterId>
}

export const emptyPlatform: Platform = {
  pools: new Map(),
  drivers: builtInDrivers,
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
    case 'DriverConfigured':
      return { ...at, drivers: configured(at.drivers, event.data.driver) }
    case 'DriverRemoved':
      return { ...at, drivers: removed(at.drivers, event.data.name) }
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
