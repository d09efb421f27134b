import type { Cluster } from '../cluster.ts'
import { copyOf, type KubeObject } from '../object.ts'
import type { ResourceType } from '../resources/resource.ts'
import type { Change, Stored } from '../storage/table.ts'
import { remove } from '../write/remove.ts'
import { update } from '../write/write.ts'
import { DirtyKeys } from './dirty-keys.ts'
import type { Dependent, Owners } from './owners.ts'

/**
 * Follows ownerReferences: what belonged to an object that is gone goes too; an object that waits for
 * its dependents (`foregroundDeletion`) or lets them go (`orphan`) loses that finalizer when it is so.
 */
export const startGarbageCollector = (cluster: Cluster, owners: Owners): (() => void) => {
  const gone = new DirtyKeys((uid) => {
    for (const dependent of owners.of(uid)) collect(cluster, dependent)
  })
  const stored = cluster.registry.all.filter((one) => one.convert === undefined)
  const resources = new Map(stored.map((one) => [one.table, one]))
  const waiting = new DirtyKeys((place) => {
    const [tableName = '', key = ''] = place.split(' ')
    const resource = resources.get(tableName)
    const stored = cluster.store.table(tableName).get(key)
    if (resource !== undefined && stored !== undefined)
      settle(cluster, owners, { resource, stored })
  })
  // Owners that wait for their dependents, by UID; few objects ever do.
  const waitingOwners = new Map<string, string>()
  const markWaiting = (uid: string): void => {
    const place = waitingOwners.get(uid)
    if (place !== undefined) waiting.mark(place)
  }
  const observe = (name: string, change: Change): void => {
    const { uid, deletionTimestamp, finalizers = [] } = change.now.object.metadata
    if (change.type === 'DELETED') {
      if (uid !== undefined && owners.of(uid).length > 0) gone.mark(uid)
      for (const owner of change.now.object.metadata.ownerReferences ?? []) markWaiting(owner.uid)
      if (uid !== undefined) waitingOwners.delete(uid)
    } else if (deletionTimestamp !== undefined && finalizers.some((one) => ours.has(one))) {
      if (uid !== undefined) waitingOwners.set(uid, `${name} ${change.now.key}`)
      waiting.mark(`${name} ${change.now.key}`)
    }
  }
  const ends = [...cluster.store.tables()].map((table) =>
    table.subscribe((change) => observe(table.name, change)),
  )
  for (const table of cluster.store.tables())
    for (const now of table.values())
      if (now.object.metadata.deletionTimestamp !== undefined)
        observe(table.name, { type: 'MODIFIED', revision: now.revision, now, before: undefined })
  return () => {
    for (const end of ends) end()
    gone.stop()
    waiting.stop()
  }
}

const ours = new Set(['foregroundDeletion', 'orphan'])

const resourceOf = (cluster: Cluster, table: string): ResourceType | undefined =>
  cluster.registry.all.find((one) => one.table === table && one.convert === undefined)

const collect = (cluster: Cluster, { table, key }: Dependent): void => {
  const resource = resourceOf(cluster, table.name)
  const stored = table.get(key)
  if (resource === undefined || stored === undefined) return
  const { object } = stored
  const others = (object.metadata.ownerReferences ?? []).filter((one) => isAlive(cluster, one.uid))
  if (others.length > 0) {
    const draft = copyOf(object)
    draft.metadata.ownerReferences = others
    update(cluster, placeOf(resource, object), draft, { dryRun: false })
    return
  }
  remove(cluster, placeOf(resource, object), { dryRun: false, propagation: 'Background' })
}

const placeOf = (resource: ResourceType, { metadata }: KubeObject) => ({
  resource,
  namespace: metadata.namespace,
  name: metadata.name,
})

const isAlive = (cluster: Cluster, uid: string): boolean => {
  for (const table of cluster.store.tables())
    for (const { object } of table.values()) if (object.metadata.uid === uid) return true
  return false
}

interface Waiting {
  readonly resource: ResourceType
  readonly stored: Stored
}

const settle = (cluster: Cluster, owners: Owners, { resource, stored }: Waiting): void => {
  const { object } = stored
  const { uid = '', finalizers = [], deletionTimestamp } = object.metadata
  if (deletionTimestamp === undefined || !finalizers.some((one) => ours.has(one))) return
  const dependents = owners.of(uid)
  if (finalizers.includes('orphan')) {
    for (const dependent of dependents) letGo(cluster, dependent, uid)
  } else if (dependents.length > 0) {
    for (const dependent of dependents) collectNow(cluster, dependent)
    if (owners.of(uid).length > 0) return
  }
  // Dependents that are gone by now may have looked here already.
  const now = cluster.table(resource).get(stored.key)
  if (now === undefined) return
  const draft = copyOf(now.object)
  draft.metadata.finalizers = finalizers.filter((one) => !ours.has(one))
  update(cluster, placeOf(resource, object), draft, { dryRun: false })
}

const collectNow = (cluster: Cluster, { table, key }: Dependent): void => {
  const resource = resourceOf(cluster, table.name)
  const stored = table.get(key)
  if (resource === undefined || stored === undefined) return
  if (stored.object.metadata.deletionTimestamp !== undefined) return
  remove(cluster, placeOf(resource, stored.object), { dryRun: false, propagation: 'Foreground' })
}

const letGo = (cluster: Cluster, { table, key }: Dependent, uid: string): void => {
  const resource = resourceOf(cluster, table.name)
  const stored = table.get(key)
  if (resource === undefined || stored === undefined) return
  const draft = copyOf(stored.object)
  const kept = (draft.metadata.ownerReferences ?? []).filter((one) => one.uid !== uid)
  if (kept.length > 0) draft.metadata.ownerReferences = kept
  else delete draft.metadata.ownerReferences
  update(cluster, placeOf(resource, stored.object), draft, { dryRun: false })
}
