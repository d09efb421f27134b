import type { Cluster } from '../cluster.ts'
import { copyOf, isObject, type KubeObject } from '../object.ts'
import { namespaces, serviceAccounts } from '../resources/plain.ts'
import { decodeObject } from '../write/decode-object.ts'
import { remove } from '../write/remove.ts'
import { create, update } from '../write/write.ts'
import { DirtyKeys } from './dirty-keys.ts'

/**
 * Gives each namespace its default service account, and empties one that is being deleted: when
 * nothing is left in it, its own finalizer goes and it with it.
 */
export const startNamespaces = (cluster: Cluster): (() => void) => {
  const table = cluster.store.table('namespaces')
  const terminating = new Set<string>()
  const keys = new DirtyKeys((name) => {
    const stored = table.get(name)
    if (stored === undefined) return void terminating.delete(name)
    if (stored.object.metadata.deletionTimestamp === undefined) return keepAccount(cluster, name)
    terminating.add(name)
    if (empty(cluster, name)) finalize(cluster, stored.object)
  })
  const ends = [...cluster.store.tables()].map((one) =>
    one.subscribe((change) => {
      if (one === table) return keys.mark(change.now.key)
      const { namespace } = change.now.object.metadata
      const left = change.type === 'DELETED' && namespace !== undefined
      if (left && (terminating.has(namespace) || one.name === 'serviceaccounts'))
        keys.mark(namespace)
    }),
  )
  for (const { key } of table.values()) keys.mark(key)
  return () => {
    for (const end of ends) end()
    keys.stop()
  }
}

const keepAccount = (cluster: Cluster, namespace: string): void => {
  if (cluster.table(serviceAccounts).get(`${namespace}/default`) !== undefined) return
  const body = { metadata: { name: 'default', namespace } }
  const { object } = decodeObject(serviceAccounts, body, 'Strict')
  create(cluster, { resource: serviceAccounts, namespace }, object, { dryRun: false })
}

/** Deletes what is in a namespace; true once nothing is. */
const empty = (cluster: Cluster, namespace: string): boolean => {
  let left = 0
  for (const resource of cluster.registry.all) {
    if (!resource.namespaced || resource.convert !== undefined) continue
    const table = cluster.table(resource)
    for (const { object } of table.all()) {
      if (object.metadata.namespace !== namespace) continue
      const place = { resource, namespace, name: object.metadata.name }
      const gone =
        object.metadata.deletionTimestamp === undefined &&
        remove(cluster, place, { dryRun: false, propagation: 'Background' }).gone
      if (!gone) left += 1
    }
  }
  return left === 0
}

const finalize = (cluster: Cluster, namespace: KubeObject): void => {
  const draft = copyOf(namespace)
  if (isObject(draft['spec'])) delete draft['spec']['finalizers']
  const place = { resource: namespaces, namespace: undefined, name: namespace.metadata.name }
  update(cluster, place, draft, { dryRun: false, part: 'finalize' })
}
