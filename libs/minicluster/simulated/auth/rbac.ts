import type { Cluster } from '../cluster.ts'
import { asText, type Json, type KubeObject, listAt, textAt } from '../object.ts'
import type { Act, User } from './user.ts'

/** Tells whether roles and bindings grant an act; `system:masters` may do everything. */
export class Rbac {
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  allows(user: User, act: Act): boolean {
    if (user.groups.includes('system:masters')) return true
    for (const rule of this.rulesOf(user, act.namespace)) if (grants(rule, act)) return true
    return false
  }

  /** Every rule that binds the user cluster-wide and, when given, in a namespace. */
  *rulesOf(user: User, namespace: string): Generator<Json> {
    const { store } = this.#cluster
    for (const { object } of store.table(tables.ClusterRoleBinding).values())
      if (names(object, user)) yield* this.#rulesBehind(object, '')
    if (namespace === '') return
    for (const { object } of store.table(tables.RoleBinding).values())
      if (object.metadata.namespace === namespace && names(object, user))
        yield* this.#rulesBehind(object, namespace)
  }

  #rulesBehind(binding: KubeObject, namespace: string): Json[] {
    const name = textAt(binding, 'roleRef', 'name')
    const local = textAt(binding, 'roleRef', 'kind') === 'Role'
    const table = this.#cluster.store.table(local ? tables.Role : tables.ClusterRole)
    return listAt(table.get(local ? `${namespace}/${name}` : name)?.object, 'rules')
  }
}

const tables = {
  ClusterRole: 'clusterroles.rbac.authorization.k8s.io',
  ClusterRoleBinding: 'clusterrolebindings.rbac.authorization.k8s.io',
  Role: 'roles.rbac.authorization.k8s.io',
  RoleBinding: 'rolebindings.rbac.authorization.k8s.io',
}

const names = (binding: KubeObject, user: User): boolean =>
  listAt(binding, 'subjects').some((subject) => {
    const name = textAt(subject, 'name')
    switch (textAt(subject, 'kind')) {
      case 'User':
        return name === user.name
      case 'Group':
        return user.groups.includes(name)
      default: {
        const namespace = textAt(subject, 'namespace') || binding.metadata.namespace
        return user.name === `system:serviceaccount:${namespace}:${name}`
      }
    }
  })

const has = (list: readonly Json[], value: string): boolean =>
  list.includes('*') || list.includes(value)

const grants = (rule: Json, act: Act): boolean => {
  if (!has(listAt(rule, 'verbs'), act.verb)) return false
  if (act.path !== undefined) return grantsPath(listAt(rule, 'nonResourceURLs'), act.path)
  if (!has(listAt(rule, 'apiGroups'), act.group)) return false
  if (!grantsResource(listAt(rule, 'resources'), act)) return false
  const only = listAt(rule, 'resourceNames')
  return only.length === 0 || only.includes(act.name)
}

const grantsResource = (resources: readonly Json[], act: Act): boolean => {
  if (act.subresource === '') return has(resources, act.resource)
  const full = `${act.resource}/${act.subresource}`
  return has(resources, full) || resources.includes(`*/${act.subresource}`)
}

const grantsPath = (paths: readonly Json[], path: string): boolean =>
  paths.some((one) => {
    const text = asText(one)
    return text.endsWith('*') ? path.startsWith(text.slice(0, -1)) : path === text
  })
