import type { Clock, Ids } from '@weir/kernel'
import { join } from 'node:path'
import { createRegistry, type Registry } from './resources/registry.ts'
import type { ResourceType } from './resources/resource.ts'
import { ServiceAllocations } from './resources/service/allocate.ts'
import { asService } from './resources/service/service.ts'
import { Store } from './storage/store.ts'
import type { Table } from './storage/table.ts'

/** One cluster's objects and rules, with no network: what every request handler works on. */
export interface Cluster {
  readonly store: Store
  readonly registry: Registry
  readonly clock: Clock
  readonly ids: Ids
  table(resource: ResourceType): Table
}

export interface ClusterOptions {
  readonly stateDir: string
  readonly clock: Clock
  readonly ids: Ids
}

/** Opens the cluster that `stateDir` keeps, or an empty one. */
export const openCluster = ({ stateDir, clock, ids }: ClusterOptions): Cluster => {
  const allocations = new ServiceAllocations(() => ids.random())
  const registry = createRegistry(allocations)
  const names = new Set(registry.all.map((resource) => resource.table))
  const store = new Store(join(stateDir, 'objects.journal'), [...names])
  const services = store.table('services')
  for (const { object } of services.values()) allocations.hold(asService(object).spec)
  services.subscribe((change) => allocations.observe(change))
  return { store, registry, clock, ids, table: (resource) => store.table(resource.table) }
}

const letters = 'bcdfghjklmnpqrstvwxz2456789'

/** The random end of a generated name: five letters that spell nothing rude. */
export const randomSuffix = (ids: Ids, length = 5): string =>
  Array.from({ length }, () => letters[Math.floor(ids.random() * letters.length)] ?? 'x').join('')
