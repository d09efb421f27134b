import { invalidValue } from '../api-error.ts'
import { asText, at, copyOf, isObject, type KubeObject, textAt } from '../object.ts'
import { nodeColumns } from '../print/node-columns.ts'
import {
  configMapColumns,
  leaseColumns,
  namespaceColumns,
  plainColumns,
  secretColumns,
} from '../print/other-columns.ts'
import { defineResource, type ResourceType, statusOf } from './resource.ts'

const keepStatus = (draft: KubeObject, old: KubeObject): void => {
  draft['status'] = copyOf(old['status'] ?? {})
}

export const nodes: ResourceType = defineResource({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  namespaced: false,
  shortNames: ['no'],
  definition: 'io.k8s.api.core.v1.Node',
  columns: nodeColumns,
  subresources: [statusOf('Node')],
  selectable: {
    'spec.unschedulable': (node) => String(at(node, 'spec', 'unschedulable') === true),
  },
  strategy: {
    // A node may be made with its status; later only the subresource changes it.
    initialise: (draft) => {
      draft['spec'] ??= {}
      draft['status'] ??= {}
    },
    prepareForUpdate: keepStatus,
  },
})

export const namespaces: ResourceType = defineResource({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
  shortNames: ['ns'],
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  definition: 'io.k8s.api.core.v1.Namespace',
  columns: namespaceColumns,
  returnsDeleted: true,
  subresources: [statusOf('Namespace'), { name: 'finalize', kind: 'Namespace', verbs: ['update'] }],
  selectable: { 'status.phase': (namespace) => textAt(namespace, 'status', 'phase') },
  strategy: {
    initialise: (draft) => {
      draft['spec'] ??= {}
      draft['status'] ??= {}
      draft.metadata.labels = {
        ...draft.metadata.labels,
        'kubernetes.io/metadata.name': draft.metadata.name,
      }
    },
    prepareForCreate: (draft) => {
      draft['spec'] = { finalizers: ['kubernetes'] }
      draft['status'] = { phase: 'Active' }
    },
    prepareForUpdate: (draft, old) => {
      draft['spec'] = copyOf(old['spec'] ?? {})
      keepStatus(draft, old)
    },
  },
})

export const leases: ResourceType = defineResource({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  definition: 'io.k8s.api.coordination.v1.Lease',
  columns: leaseColumns,
  createsOnUpdate: true,
  strategy: {
    initialise: (draft) => {
      draft['spec'] ??= {}
    },
    validate: (draft) => {
      const seconds = at(draft, 'spec', 'leaseDurationSeconds')
      if (typeof seconds !== 'number' || seconds > 0) return []
      return [invalidValue('spec.leaseDurationSeconds', seconds, 'must be greater than 0')]
    },
  },
})

export const serviceAccounts: ResourceType = defineResource({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  definition: 'io.k8s.api.core.v1.ServiceAccount',
  columns: plainColumns,
  returnsDeleted: true,
  subresources: [
    {
      name: 'token',
      kind: 'TokenRequest',
      group: 'authentication.k8s.io',
      version: 'v1',
      verbs: ['create'],
    },
  ],
})

export const configMaps: ResourceType = defineResource({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  definition: 'io.k8s.api.core.v1.ConfigMap',
  columns: configMapColumns,
})

/** `stringData` is for writing only: it is merged into `data` in base64. */
const foldStringData = (draft: KubeObject): void => {
  draft['type'] ??= 'Opaque'
  const { stringData } = draft
  if (!isObject(stringData)) return
  const data = isObject(draft['data']) ? draft['data'] : {}
  for (const [key, value] of Object.entries(stringData))
    data[key] = Buffer.from(asText(value)).toString('base64')
  draft['data'] = data
  delete draft['stringData']
}

export const secrets: ResourceType = defineResource({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  definition: 'io.k8s.api.core.v1.Secret',
  columns: secretColumns,
  strategy: { initialise: foldStringData },
  selectable: { type: (secret) => textAt(secret, 'type') },
})
