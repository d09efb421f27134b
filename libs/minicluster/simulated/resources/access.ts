import { type Cause, invalidValue, notSupported, required } from '../api-error.ts'
import { at, type KubeObject, sameJson, textAt } from '../object.ts'
import { bindingColumns, roleColumns } from '../print/other-columns.ts'
import { isObject, listAt } from '../object.ts'
import { defineResource, type ResourceType } from './resource.ts'

const group = 'rbac.authorization.k8s.io'

const initialiseRole = (draft: KubeObject): void => {
  draft['rules'] ??= []
}

/** A binding's role cannot change; kubectl deletes and makes it anew. */
const validateBinding = (draft: KubeObject, old: KubeObject | undefined): Cause[] => {
  const role = at(draft, 'roleRef')
  const found: Cause[] = []
  const kind = textAt(role, 'kind')
  const kinds = textAt(draft, 'kind') === 'RoleBinding' ? ['ClusterRole', 'Role'] : ['ClusterRole']
  if (!kinds.includes(kind)) found.push(notSupported('roleRef.kind', kind, kinds))
  if (textAt(role, 'name') === '') found.push(required('roleRef.name'))
  if (old !== undefined && !sameJson(at(old, 'roleRef'), role))
    found.push(invalidValue('roleRef', role ?? null, 'cannot change roleRef'))
  return found
}

const initialiseBinding = (draft: KubeObject): void => {
  const role = draft['roleRef']
  if (isObject(role)) role['apiGroup'] ??= group
  for (const subject of listAt(draft, 'subjects')) {
    if (!isObject(subject) || textAt(subject, 'kind') === 'ServiceAccount') continue
    subject['apiGroup'] ??= group
  }
}

const role = (kind: string, plural: string, namespaced: boolean): ResourceType =>
  defineResource({
    group,
    version: 'v1',
    kind,
    plural,
    namespaced,
    definition: `io.k8s.api.rbac.v1.${kind}`,
    columns: roleColumns,
    createsOnUpdate: true,
    strategy: { initialise: initialiseRole },
  })

const binding = (kind: string, plural: string, namespaced: boolean): ResourceType =>
  defineResource({
    group,
    version: 'v1',
    kind,
    plural,
    namespaced,
    definition: `io.k8s.api.rbac.v1.${kind}`,
    columns: bindingColumns,
    createsOnUpdate: true,
    strategy: { initialise: initialiseBinding, validate: validateBinding },
  })

export const clusterRoleBindings = binding('ClusterRoleBinding', 'clusterrolebindings', false)
export const clusterRoles = role('ClusterRole', 'clusterroles', false)
export const roleBindings = binding('RoleBinding', 'rolebindings', true)
export const roles = role('Role', 'roles', true)
