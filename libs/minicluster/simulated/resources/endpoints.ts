import { type Cause, invalidValue, notSupported, required } from '../api-error.ts'
import { isObject, type KubeObject, listAt, textAt } from '../object.ts'
import { endpointsColumns, endpointSliceColumns } from '../print/other-columns.ts'
import { causes, ipProblems } from './names.ts'
import { defineResource, type ResourceType } from './resource.ts'
import { specialAddressProblems } from './service/validate.ts'

const initialiseSlice = (draft: KubeObject): void => {
  draft['endpoints'] ??= []
  draft['ports'] ??= []
  for (const endpoint of listAt(draft, 'endpoints'))
    if (isObject(endpoint)) endpoint['conditions'] ??= {}
  for (const port of listAt(draft, 'ports')) {
    if (!isObject(port)) continue
    port['name'] ??= ''
    port['protocol'] ??= 'TCP'
  }
}

const validateSlice = (draft: KubeObject, old: KubeObject | undefined): Cause[] => {
  const type = textAt(draft, 'addressType')
  if (type === '') return [required('addressType')]
  const known = ['FQDN', 'IPv4', 'IPv6']
  if (!known.includes(type)) return [notSupported('addressType', type, known)]
  const before = textAt(old, 'addressType')
  const changed =
    old !== undefined && before !== type
      ? [invalidValue('addressType', type, 'field is immutable')]
      : []
  return [...changed, ...(type === 'FQDN' ? [] : addressCauses(draft))]
}

const addressCauses = (draft: KubeObject): Cause[] =>
  listAt(draft, 'endpoints').flatMap((endpoint, index) => {
    const field = `endpoints[${index}].addresses`
    const addresses = listAt(endpoint, 'addresses').map(String)
    if (addresses.length === 0) return [required(field, 'must contain at least 1 address')]
    return addresses.flatMap((address, place) => {
      const problems = ipProblems(address)
      const found = problems.length > 0 ? problems : specialAddressProblems(address)
      return causes(`${field}[${place}]`, address, found)
    })
  })

export const endpointSlices: ResourceType = defineResource({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  definition: 'io.k8s.api.discovery.v1.EndpointSlice',
  columns: endpointSliceColumns,
  counted: 'with labels',
  strategy: { initialise: initialiseSlice, validate: validateSlice },
})

/** Kept for those who write them; the EndpointSlice controller here does not mirror into them. */
export const endpoints: ResourceType = defineResource({
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  definition: 'io.k8s.api.core.v1.Endpoints',
  columns: endpointsColumns,
  createsOnUpdate: true,
})
