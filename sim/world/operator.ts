// What people tell the platform through its API, as the API records it.
import {
  driverAccount,
  event,
  platformTenant,
  pool as poolSchema,
  poolSize,
  streamOf,
  type Cluster,
  type ClusterId,
  type DomainEvent,
  type StreamId,
  type TenantId,
} from '@weir/contract'
import type { Store } from '@weir/eventlog'

export interface Operator {
  createPool(pool: unknown): Promise<void>
  changePool(pool: unknown): Promise<void>
  configureDriver(name: string): Promise<void>
  connect(tenant: TenantId, cluster: Cluster): Promise<void>
  changeCluster(tenant: TenantId, cluster: Cluster): Promise<void>
  deregister(tenant: TenantId, id: ClusterId): Promise<void>
  /** How many addresses the pool has. */
  poolSize(): number
}

export const createOperator = (store: Pick<Store, 'log'>): Operator => {
  const versions = new Map<StreamId, number>()
  let size = 0
  const say = async (
    tenant: TenantId,
    at: { readonly stream: StreamId; readonly story: string },
    said: DomainEvent,
  ): Promise<void> => {
    const version = versions.get(at.stream) ?? 0
    versions.set(at.stream, version + 1)
    await store.log.append({
      tenant,
      commandId: `operator/${at.stream}/${version}`,
      events: [{ stream: at.stream, expectedVersion: version, event: said }],
      actor: 'api',
      correlationId: at.story,
      causationId: 'operator',
    })
  }
  const sayPool = (type: 'PoolCreated' | 'PoolChanged', raw: unknown): Promise<void> => {
    const pool = poolSchema.parse(raw)
    size = Number(poolSize(pool, 'IPv4'))
    const at = { stream: streamOf('pool', pool.name), story: pool.name }
    return say(platformTenant, at, event(type, { pool }))
  }
  const atCluster = (id: ClusterId) => ({ stream: streamOf('cluster', id), story: id })
  return {
    poolSize: () => size,
    createPool: async (pool) => {
      await sayPool('PoolCreated', pool)
      const cleanup = { stream: streamOf('cleanup', 'all'), story: 'cleanup' }
      await say(platformTenant, cleanup, event('CleanupApproved', {}))
    },
    changePool: (pool) => sayPool('PoolChanged', pool),
    configureDriver: (name) => {
      const driver = driverAccount.parse({
        name,
        kind: 'octavia',
        tenant: null,
        account: 'simulated',
        settings: {},
      })
      const at = { stream: streamOf('driver', name), story: name }
      return say(platformTenant, at, event('DriverConfigured', { driver }))
    },
    connect: (tenant, cluster) =>
      say(tenant, atCluster(cluster.id), event('ClusterConnected', { cluster })),
    changeCluster: (tenant, cluster) =>
      say(tenant, atCluster(cluster.id), event('ClusterChanged', { cluster })),
    deregister: (tenant, id) => say(tenant, atCluster(id), event('ClusterDeregistered', { id })),
  }
}
