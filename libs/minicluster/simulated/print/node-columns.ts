import { at, type KubeObject, listAt, textAt } from '../object.ts'
import type { Column } from '../resources/resource.ts'
import { ageColumn, column, nameColumn, orNone } from './format.ts'

const statusText = (object: KubeObject): string => {
  const ready = listAt(object, 'status', 'conditions').find(
    (one) => textAt(one, 'type') === 'Ready',
  )
  const shown =
    ready === undefined ? 'Unknown' : textAt(ready, 'status') === 'True' ? 'Ready' : 'NotReady'
  return at(object, 'spec', 'unschedulable') === true ? `${shown},SchedulingDisabled` : shown
}

const rolePrefix = 'node-role.kubernetes.io/'

const rolesOf = (object: KubeObject): string => {
  const roles = Object.entries(object.metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(rolePrefix)) return [key.slice(rolePrefix.length)]
    return key === 'kubernetes.io/role' ? [value] : []
  })
  return orNone([...new Set(roles.filter((role) => role !== ''))].sort().join(','))
}

const addressOf = (type: string) => (object: KubeObject) =>
  orNone(
    textAt(
      listAt(object, 'status', 'addresses').find((one) => textAt(one, 'type') === type),
      'address',
    ),
  )

const infoOf = (field: string) => (object: KubeObject) =>
  textAt(object, 'status', 'nodeInfo', field) || '<unknown>'

const kernelOf = (object: KubeObject): string => {
  const architecture = textAt(object, 'status', 'nodeInfo', 'architecture')
  const kernel = infoOf('kernelVersion')(object)
  return architecture === '' ? kernel : `${kernel} (${architecture})`
}

export const nodeColumns: readonly Column[] = [
  nameColumn,
  column('Status', statusText),
  column('Roles', rolesOf),
  ageColumn,
  column('Version', (object) => textAt(object, 'status', 'nodeInfo', 'kubeletVersion')),
  column('Internal-IP', addressOf('InternalIP'), 1),
  column('External-IP', addressOf('ExternalIP'), 1),
  column('OS-Image', infoOf('osImage'), 1),
  column('Kernel-Version', kernelOf, 1),
  column('Container-Runtime', infoOf('containerRuntimeVersion'), 1),
]
