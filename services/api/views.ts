// Read models, one per tenant, folded from the log in memory and brought up to its head before each
// answer, so that who has just changed something sees it.
import {
  platformTenant,
  type Cluster,
  type EventData,
  type Pool,
  type RecordedEvent,
  type TenantId,
} from '@weir/contract'
import type { EventLog } from '@weir/eventlog'
import { evolveBalancer, type BalancerState } from './domain/balancer-view.ts'

export interface TenantView {
  /** By the Service's UID, in the order they were first asked for. */
  readonly balancers: ReadonlyMap<string, BalancerState>
  readonly clusters: ReadonlyMap<string, Cluster>
  /** By cluster: how many Services are missing there, and are not released for being so many. */
  readonly missing: ReadonlyMap<string, Missing>
  /** By cluster: node pools that cannot answer clients directly, since somebody said last who serves it. */
  readonly failing: ReadonlyMap<string, readonly Failing[]>
  /** Only in the platform's view. */
  readonly pools: ReadonlyMap<string, Pool>
  readonly tenants: ReadonlyMap<string, string>
  readonly sequence: number
  /** The version of a stream that people write to, for an append. */
  versionOf(stream: string): number
}

export interface Missing {
  readonly missing: number
  readonly of: number
}

export type Failing = EventData<'DirectReturnFailed'>

interface Model {
  balancers: Map<string, BalancerState>
  clusters: Map<string, Cluster>
  missing: Map<string, Missing>
  failing: Map<string, readonly Failing[]>
  pools: Map<string, Pool>
  tenants: Map<string, string>
  versions: Map<string, number>
  sequence: number
}

const pageSize = 2000
const acts = /^(pool|cluster|tenant|driver)-/

export const createViews = (
  log: EventLog,
): {
  readonly of: (tenant: TenantId) => Promise<TenantView>
  readonly platform: () => Promise<TenantView>
} => {
  const models = new Map<TenantId, Model>()
  const reading = new Map<TenantId, Promise<Model>>()

  const readOn = async (tenant: TenantId): Promise<Model> => {
    const model = models.get(tenant) ?? emptyModel()
    models.set(tenant, model)
    for (;;) {
      const page = await log.after(tenant, model.sequence, pageSize)
      for (const event of page) apply(model, event)
      if (page.length < pageSize) return model
    }
  }
  /** One read at a time per tenant. A caller that joins late waits for the read after, to see its own writes. */
  const of = async (tenant: TenantId): Promise<TenantView> => {
    const next = (reading.get(tenant) ?? Promise.resolve(undefined)).then(
      () => readOn(tenant),
      () => readOn(tenant),
    )
    reading.set(tenant, next)
    const model = await next
    if (reading.get(tenant) === next) reading.delete(tenant)
    return { ...model, versionOf: (stream) => model.versions.get(stream) ?? 0 }
  }
  return { of, platform: () => of(platformTenant) }
}

const emptyModel = (): Model => ({
  balancers: new Map(),
  clusters: new Map(),
  missing: new Map(),
  failing: new Map(),
  pools: new Map(),
  tenants: new Map(),
  versions: new Map(),
  sequence: 0,
})

const apply = (model: Model, event: RecordedEvent): void => {
  model.sequence = event.sequence
  if (acts.test(event.subject)) model.versions.set(event.subject, event.streamversion)
  switch (event.type) {
    case 'PoolCreated':
    case 'PoolChanged':
      model.pools.set(event.data.pool.name, event.data.pool)
      return
    case 'PoolRemoved':
      model.pools.delete(event.data.name)
      return
    case 'TenantCreated':
      model.tenants.set(event.data.tenant, event.data.name)
      return
    case 'ClusterConnected':
    case 'ClusterChanged':
      model.clusters.set(event.data.cluster.id, event.data.cluster)
      model.failing.delete(event.data.cluster.id)
      return
    case 'ClusterDeregistered':
      model.clusters.delete(event.data.id)
      model.missing.delete(event.data.id)
      model.failing.delete(event.data.id)
      return
    case 'DirectReturnFailed': {
      const { id } = event.data
      model.failing.set(id, [...(model.failing.get(id) ?? []), event.data])
      return
    }
    case 'ServicesMissing':
      model.missing.set(event.data.id, event.data)
      return
    case 'ServicesReturned':
    case 'AbsenceApproved':
      model.missing.delete(event.data.id)
      return
    default: {
      const state = evolveBalancer(model.balancers.get(event.correlationid), event)
      if (state) model.balancers.set(event.correlationid, state)
    }
  }
}
