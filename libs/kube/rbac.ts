import { stringify } from 'yaml'

const name = 'weir'
const namespace = 'kube-system'

const role = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name },
  rules: [
    { apiGroups: [''], resources: ['services'], verbs: ['get', 'list', 'watch'] },
    // Finalizers, address, conditions and the reason go through this one; specs are never written.
    { apiGroups: [''], resources: ['services/status'], verbs: ['patch'] },
    { apiGroups: [''], resources: ['nodes'], verbs: ['list', 'watch'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
    // Its UID is the cluster's identity.
    {
      apiGroups: [''],
      resources: ['namespaces'],
      resourceNames: ['kube-system'],
      verbs: ['get'],
    },
  ],
}

/** All that weir is allowed in a tenant's cluster: an account, its role and the tie between them. */
export const rbacObjects: readonly Readonly<Record<string, unknown>>[] = [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
  role,
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  },
  {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'weir-token',
      namespace,
      annotations: { 'kubernetes.io/service-account.name': name },
    },
    type: 'kubernetes.io/service-account-token',
  },
]

/** The same as YAML for `kubectl apply -f -`. */
export const rbacManifest = (): string =>
  rbacObjects.map((object) => stringify(object)).join('---\n')
