import { asText, at, type Json, type KubeObject, listAt, textAt } from '../object.ts'
import { formatSelector } from '../resources/selector.ts'
import type { Column } from '../resources/resource.ts'
import { ageColumn, column, createdColumn, firstThree, nameColumn, orNone } from './format.ts'
import { since } from './format.ts'

const numberText = (value: Json | undefined): string => asText(value ?? 0)

const containersOf = (object: KubeObject): Json[] =>
  listAt(object, 'spec', 'template', 'spec', 'containers')

export const deploymentColumns: readonly Column[] = [
  nameColumn,
  column(
    'Ready',
    (object) =>
      `${numberText(at(object, 'status', 'readyReplicas'))}/` +
      numberText(at(object, 'spec', 'replicas')),
  ),
  column('Up-to-date', (object) => numberText(at(object, 'status', 'updatedReplicas'))),
  column('Available', (object) => numberText(at(object, 'status', 'availableReplicas'))),
  ageColumn,
  column(
    'Containers',
    (object) =>
      containersOf(object)
        .map((c) => textAt(c, 'name'))
        .join(','),
    1,
  ),
  column(
    'Images',
    (object) =>
      containersOf(object)
        .map((c) => textAt(c, 'image'))
        .join(','),
    1,
  ),
  column('Selector', (object) => orNone(formatSelector(at(object, 'spec', 'selector'))), 1),
]

export const endpointSliceColumns: readonly Column[] = [
  nameColumn,
  column('AddressType', (object) => textAt(object, 'addressType')),
  column('Ports', (object) =>
    firstThree(
      listAt(object, 'ports').map((port) =>
        asText(at(port, 'port') ?? (textAt(port, 'name') || '*')),
      ),
    ),
  ),
  column('Endpoints', (object) =>
    firstThree(listAt(object, 'endpoints').flatMap((one) => listAt(one, 'addresses').map(String))),
  ),
  ageColumn,
]

const endpointsText = (object: KubeObject): string => {
  const shown = listAt(object, 'subsets').flatMap((subset) =>
    listAt(subset, 'ports').flatMap((port) =>
      listAt(subset, 'addresses').map(
        (address) => `${textAt(address, 'ip')}:${numberText(at(port, 'port'))}`,
      ),
    ),
  )
  return shown.length === 0 ? '<none>' : firstThree(shown)
}

export const endpointsColumns: readonly Column[] = [
  nameColumn,
  column('Endpoints', endpointsText),
  ageColumn,
]

const firstSeen = (event: KubeObject, now: number): string =>
  since(textAt(event, 'firstTimestamp') || textAt(event, 'eventTime'), now)

const lastSeen = (event: KubeObject, now: number): string => {
  const series = textAt(event, 'series', 'lastObservedTime')
  if (series !== '') return since(series, now)
  const last = textAt(event, 'lastTimestamp')
  return last === '' ? firstSeen(event, now) : since(last, now)
}

const sourceOf = (event: KubeObject): string => {
  const component = textAt(event, 'source', 'component') || textAt(event, 'reportingComponent')
  const place = textAt(event, 'source', 'host') || textAt(event, 'reportingInstance')
  return place === '' ? component : `${component}, ${place}`
}

const targetOf = (event: KubeObject): string => {
  const name = textAt(event, 'involvedObject', 'name')
  const kind = textAt(event, 'involvedObject', 'kind').toLowerCase()
  return name === '' ? kind : `${kind}/${name}`
}

const countOf = (event: KubeObject): string =>
  asText(at(event, 'series', 'count') ?? at(event, 'count') ?? 1)

export const eventColumns: readonly Column[] = [
  column('Last Seen', lastSeen),
  column('Type', (event) => textAt(event, 'type')),
  column('Reason', (event) => textAt(event, 'reason')),
  column('Object', targetOf),
  column('Subobject', (event) => textAt(event, 'involvedObject', 'fieldPath'), 1),
  column('Source', sourceOf, 1),
  column('Message', (event) => textAt(event, 'message').trim()),
  column('First Seen', firstSeen, 1),
  column('Count', countOf, 1),
  { ...nameColumn, priority: 1 },
]

export const namespaceColumns: readonly Column[] = [
  nameColumn,
  column('Status', (object) => textAt(object, 'status', 'phase')),
  ageColumn,
]

export const leaseColumns: readonly Column[] = [
  nameColumn,
  column('Holder', (object) => textAt(object, 'spec', 'holderIdentity')),
  ageColumn,
]

const dataSize = (object: KubeObject): string => {
  const fields = [at(object, 'data'), at(object, 'binaryData')]
  return String(fields.reduce((sum: number, one) => sum + Object.keys(one ?? {}).length, 0))
}

export const configMapColumns: readonly Column[] = [nameColumn, column('Data', dataSize), ageColumn]

export const secretColumns: readonly Column[] = [
  nameColumn,
  column('Type', (object) => textAt(object, 'type')),
  column('Data', dataSize),
  ageColumn,
]

export const plainColumns: readonly Column[] = [nameColumn, ageColumn]
export const roleColumns: readonly Column[] = [nameColumn, createdColumn]

const subjectsOf = (kind: string) => (object: KubeObject) =>
  listAt(object, 'subjects')
    .filter((subject) => textAt(subject, 'kind') === kind)
    .map((subject) => {
      const namespace = textAt(subject, 'namespace')
      const name = textAt(subject, 'name')
      return kind === 'ServiceAccount' ? `${namespace}/${name}` : name
    })
    .join(', ')

export const bindingColumns: readonly Column[] = [
  nameColumn,
  column(
    'Role',
    (object) => `${textAt(object, 'roleRef', 'kind')}/${textAt(object, 'roleRef', 'name')}`,
  ),
  ageColumn,
  column('Users', subjectsOf('User'), 1),
  column('Groups', subjectsOf('Group'), 1),
  column('ServiceAccounts', subjectsOf('ServiceAccount'), 1),
]
