import type { Cluster, ClusterId, DriverName, Pool, PoolName, RecordedEvent } from '@weir/contract'
import { builtInDrivers, configured, removed, type Drivers } from './drivers.ts'

/** What people set up: the pools and drivers of the platform and the clusters of the tenants. */
export interface Platform {
  readonly pools: ReadonlyMap<PoolName, Pool>
  readonly drivers: Drivers
  readonly clusters: ReadonlyMap<ClusterId, Cluster>
  readonly deregistered: ReadonlySet<ClusterId>
  /** Clusters with nodes that cannot answer clients directly, by the driver whose edges found it. */
  readonly failing: ReadonlyMap<ClusterId, DriverName>
}

export const emptyPlatform: Platform = {
  pools: new Map(),
  drivers: builtInDrivers,
  clusters: new Map(),
  deregistered: new Set(),
  failing: new Map(),
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
      const clusters = new Map([...at.clusters, [cluster.id, cluster]])
      // Whoever says who serves a cluster has the last word, until nodes are found to fail again.
      const failing = new Map([...at.failing].filter(([id]) => id !== cluster.id))
      return { ...at, clusters, deregistered, failing }
    }
    case 'DirectReturnFailed':
      return { ...at, failing: new Map([...at.failing, [event.data.id, event.data.driver]]) }
    case 'ClusterDeregistered':
      return { ...at, deregistered: new Set([...at.deregistered, event.data.id]) }
    default:
      return at
  }
}
