import type { Cluster } from './cluster.ts'
import { asText, type Json, type JsonObject } from './object.ts'
import { decodeObject } from './write/decode-object.ts'
import { create, keyAt } from './write/write.ts'

const rbacGroup = 'rbac.authorization.k8s.io'

const anything: Json = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]
const discovery: Json = [
  {
    nonResourceURLs: [
      '/api',
      '/api/*',
      '/apis',
      '/apis/*',
      '/healthz',
      '/livez',
      '/openapi',
      '/openapi/*',
      '/readyz',
      '/version',
      '/version/',
    ],
    verbs: ['get'],
  },
]
const reviewSelf: Json = [
  {
    apiGroups: ['authorization.k8s.io'],
    resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
    verbs: ['create'],
  },
  { apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'], verbs: ['create'] },
]
const readMost: Json = [
  {
    apiGroups: ['', 'apps', 'discovery.k8s.io', 'events.k8s.io'],
    resources: [
      'configmaps',
      'deployments',
      'deployments/scale',
      'deployments/status',
      'endpoints',
      'endpointslices',
      'events',
      'namespaces',
      'pods',
      'pods/status',
      'serviceaccounts',
      'services',
      'services/status',
    ],
    verbs: ['get', 'list', 'watch'],
  },
]

const clusterRole = (name: string, rules: Json): JsonObject => ({
  kind: 'ClusterRole',
  apiVersion: `${rbacGroup}/v1`,
  metadata: { name },
  rules,
})

const bindGroup = (role: string, group: string): JsonObject => ({
  kind: 'ClusterRoleBinding',
  apiVersion: `${rbacGroup}/v1`,
  metadata: { name: role },
  roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name: role },
  subjects: [{ apiGroup: rbacGroup, kind: 'Group', name: group }],
})

const namespace = (name: string): JsonObject => ({
  kind: 'Namespace',
  apiVersion: 'v1',
  metadata: { name },
})

const kubernetesService: JsonObject = {
  kind: 'Service',
  apiVersion: 'v1',
  metadata: {
    name: 'kubernetes',
    namespace: 'default',
    labels: { component: 'apiserver', provider: 'kubernetes' },
  },
  spec: {
    clusterIP: '10.96.0.1',
    clusterIPs: ['10.96.0.1'],
    ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: 6443 }],
    type: 'ClusterIP',
  },
}

const first: readonly JsonObject[] = [
  ...['default', 'kube-system', 'kube-public', 'kube-node-lease'].map(namespace),
  kubernetesService,
  clusterRole('cluster-admin', [...anything, { nonResourceURLs: ['*'], verbs: ['*'] }]),
  clusterRole('view', readMost),
  clusterRole('system:discovery', discovery),
  clusterRole('system:basic-user', reviewSelf),
  bindGroup('cluster-admin', 'system:masters'),
  bindGroup('system:discovery', 'system:authenticated'),
  bindGroup('system:basic-user', 'system:authenticated'),
]

const placeOf = (cluster: Cluster, object: JsonObject) => {
  const [version = '', group = ''] = asText(object['apiVersion']).split('/').reverse()
  const resource = cluster.registry.all.find(
    (one) => one.kind === object['kind'] && one.group === group && one.version === version,
  )
  if (resource === undefined) throw new Error(`no resource for ${asText(object['kind'])}`)
  return resource
}

/** Makes what every cluster has from its first moment, where it is missing. */
export const bootstrap = (cluster: Cluster): void => {
  for (const object of first) {
    const resource = placeOf(cluster, object)
    const { object: draft } = decodeObject(resource, object, 'Strict')
    const { namespace: inside, name } = draft.metadata
    if (cluster.table(resource).get(keyAt({ namespace: inside, name })) !== undefined) continue
    create(cluster, { resource, namespace: inside }, draft, { dryRun: false })
  }
}
