import type { JsonObject } from '../object.ts'

/** One request of a case; `path` is below `/api/v1/namespaces/NAMESPACE`. */
export interface Step {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'GET'
  readonly path: string
  /** Of a PATCH: `merge`, `strategic` or `json`. */
  readonly patch?: 'merge' | 'strategic' | 'json'
  readonly body?: JsonObject | JsonObject[]
}

export interface Case {
  readonly name: string
  readonly steps: readonly Step[]
}

const web = { app: 'web' }
const http = { port: 80 }

const service = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', ...metadata },
  spec,
})

const make = (spec: JsonObject, metadata: JsonObject = {}): Step => ({
  method: 'POST',
  path: '/services',
  body: service(spec, metadata),
})

const merge = (body: JsonObject, path = '/services/web'): Step => ({
  method: 'PATCH',
  path,
  patch: 'merge',
  body,
})

const strategic = (body: JsonObject, path = '/services/web'): Step => ({
  method: 'PATCH',
  path,
  patch: 'strategic',
  body,
})

const setIngress = (...ingress: JsonObject[]): Step =>
  merge({ status: { loadBalancer: { ingress } } }, '/services/web/status')

const read: Step = { method: 'GET', path: '/services/web' }
const remove: Step = { method: 'DELETE', path: '/services/web' }

const balancer = (more: JsonObject = {}): JsonObject => ({
  type: 'LoadBalancer',
  selector: web,
  ports: [http],
  ...more,
})

const created = (name: string, spec: JsonObject, metadata: JsonObject = {}): Case => ({
  name,
  steps: [make(spec, metadata)],
})

const creations: readonly Case[] = [
  created('a ClusterIP service', { selector: web, ports: [http] }),
  created('a NodePort service', { type: 'NodePort', selector: web, ports: [http] }),
  created('a load balancer', balancer()),
  created(
    'a load balancer that keeps client addresses',
    balancer({ externalTrafficPolicy: 'Local' }),
  ),
  created('no node ports', balancer({ allocateLoadBalancerNodePorts: false })),
  created('client affinity', balancer({ sessionAffinity: 'ClientIP' })),
  created('affinity too long', {
    ports: [http],
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 90_000 } },
  }),
  created('unknown affinity', { ports: [http], sessionAffinity: 'Sticky' }),
  created('headless', { clusterIP: 'None', selector: web, ports: [http] }),
  created('headless without selector', { clusterIP: 'None', ports: [http] }),
  created('a headless load balancer', balancer({ clusterIP: 'None' })),
  created('an external name', { type: 'ExternalName', externalName: 'example.com' }),
  created('an external name without a name', { type: 'ExternalName' }),
  created('no ports', { selector: web }),
  created('an empty spec', {}),
  created('an unknown type', { type: 'Balancer', ports: [http] }),
  created('two ports without names', { ports: [http, { port: 81 }] }),
  created('a port twice', {
    ports: [
      { name: 'a', port: 80 },
      { name: 'b', port: 80 },
    ],
  }),
  created('one port for TCP and UDP', {
    type: 'LoadBalancer',
    ports: [
      { name: 'tcp', port: 53, protocol: 'TCP' },
      { name: 'udp', port: 53, protocol: 'UDP' },
    ],
  }),
  created('a port name twice', {
    ports: [
      { name: 'a', port: 80 },
      { name: 'a', port: 81 },
    ],
  }),
  created('a bad port name', { ports: [{ name: 'A_b', port: 80 }] }),
  created('port zero', { ports: [{ port: 0 }] }),
  created('a port too high', { ports: [{ port: 70_000 }] }),
  created('an unknown protocol', { ports: [{ port: 80, protocol: 'ICMP' }] }),
  created('SCTP', { ports: [{ port: 80, protocol: 'SCTP' }] }),
  created('a named target port', { ports: [{ port: 80, targetPort: 'http' }] }),
  created('a bad target port', { ports: [{ port: 80, targetPort: 'not_a_port-name!' }] }),
  created('a node port on a ClusterIP', { ports: [{ port: 80, nodePort: 30_080 }] }),
  created('a node port out of range', { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] }),
  created('a cluster IP out of range', { clusterIP: '192.0.2.1', ports: [http] }),
  created('a malformed cluster IP', { clusterIP: '10.96.0', ports: [http] }),
  created('two cluster IPs of one family', {
    clusterIP: '10.96.7.1',
    clusterIPs: ['10.96.7.1', '10.96.7.2'],
    ports: [http],
  }),
  created('dual stack required', { ipFamilyPolicy: 'RequireDualStack', ports: [http] }),
  created('dual stack preferred', { ipFamilyPolicy: 'PreferDualStack', ports: [http] }),
  created('IPv6', { ipFamilies: ['IPv6'], ports: [http] }),
  created('an unknown family', { ipFamilies: ['IPX'], ports: [http] }),
  created(
    'source ranges',
    balancer({ loadBalancerSourceRanges: [' 10.0.0.0/8', '192.0.2.0/24 '] }),
  ),
  created('a bad source range', balancer({ loadBalancerSourceRanges: ['10.0.0.0/40'] })),
  created('source ranges on a ClusterIP', {
    ports: [http],
    loadBalancerSourceRanges: ['10.0.0.0/8'],
  }),
  created('a source range annotation', balancer(), {
    annotations: { 'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8,x' },
  }),
  created('a class', balancer({ loadBalancerClass: 'weir.dev/edge' })),
  created('a bad class', balancer({ loadBalancerClass: 'weir.dev/' })),
  created('a class on a ClusterIP', { ports: [http], loadBalancerClass: 'weir.dev/edge' }),
  created('node port allocation on a ClusterIP', {
    ports: [http],
    allocateLoadBalancerNodePorts: false,
  }),
  created('a health check port without Local', balancer({ healthCheckNodePort: 30_500 })),
  created('a health check port asked for', {
    ...balancer({ externalTrafficPolicy: 'Local' }),
    healthCheckNodePort: 31_234,
  }),
  created('external policy on a ClusterIP', { ports: [http], externalTrafficPolicy: 'Local' }),
  created('an unknown external policy', balancer({ externalTrafficPolicy: 'Near' })),
  created('an unknown internal policy', { ports: [http], internalTrafficPolicy: 'Near' }),
  created('an unknown distribution', { ports: [http], trafficDistribution: 'Near' }),
  created('external IPs', { ports: [http], externalIPs: ['192.0.2.7'] }),
  created('a loopback external IP', { ports: [http], externalIPs: ['127.0.0.1'] }),
  created('a bad name', { ports: [http] }, { name: 'Web_1' }),
  created('a dotted name', { ports: [http] }, { name: 'web.one' }),
  created('a name that begins with a digit', { ports: [http] }, { name: '1web' }),
  created('a bad label', { ports: [http] }, { labels: { 'a b': 'c', ok: '-' } }),
  created('a bad selector', { ports: [http], selector: { a: 'b c' } }),
  created('a bad finalizer', { ports: [http] }, { finalizers: ['a/b/c'] }),
  created('another namespace', { ports: [http] }, { namespace: 'elsewhere' }),
  created('a resource version', { ports: [http] }, { resourceVersion: '1' }),
  {
    name: 'a status is dropped',
    steps: [
      {
        method: 'POST',
        path: '/services',
        body: {
          ...service(balancer()),
          status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
        },
      },
    ],
  },
  {
    name: 'an unknown field',
    steps: [
      { ...make({ ports: [http], prots: [] }), path: '/services?fieldValidation=Strict' },
      make({ ports: [http], prots: [] }),
    ],
  },
  created('a text for a number', { ports: [{ port: 'eighty' }] }),
  created('an app protocol', { ports: [{ port: 80, appProtocol: 'kubernetes.io/h2c' }] }),
  {
    name: 'the same name again',
    steps: [make({ ports: [http] }), make({ ports: [http] })],
  },
  {
    name: 'a node port that is taken',
    steps: [
      make({ type: 'NodePort', ports: [{ port: 80, nodePort: 30_777 }] }),
      make({ type: 'NodePort', ports: [{ port: 80, nodePort: 30_777 }] }, { name: 'other' }),
    ],
  },
  {
    name: 'a cluster IP that is taken',
    steps: [
      make({ clusterIP: '10.96.9.9', ports: [http] }),
      make({ clusterIP: '10.96.9.9', ports: [http] }, { name: 'other' }),
    ],
  },
]

const changes: readonly Case[] = [
  {
    name: 'Local and back to Cluster',
    steps: [
      make(balancer()),
      merge({ spec: { externalTrafficPolicy: 'Local' } }),
      merge({ spec: { healthCheckNodePort: 30_999 } }),
      merge({ spec: { externalTrafficPolicy: 'Cluster' } }),
    ],
  },
  {
    name: 'from load balancer to ClusterIP and back',
    steps: [
      make(balancer({ externalTrafficPolicy: 'Local', loadBalancerClass: 'weir.dev/edge' })),
      setIngress({ ip: '192.0.2.10' }),
      merge({ spec: { type: 'ClusterIP' } }),
      merge({ spec: { type: 'LoadBalancer', loadBalancerClass: 'weir.dev/other' } }),
    ],
  },
  {
    name: 'from NodePort to load balancer keeps the node port',
    steps: [
      make({ type: 'NodePort', selector: web, ports: [{ port: 80, nodePort: 30_123 }] }),
      merge({ spec: { type: 'LoadBalancer' } }),
      merge({ spec: { type: 'ClusterIP' } }),
    ],
  },
  {
    name: 'to ExternalName and back',
    steps: [
      make(balancer()),
      merge({ spec: { type: 'ExternalName', externalName: 'example.com' } }),
      merge({ spec: { type: 'ClusterIP', externalName: null } }),
    ],
  },
  {
    name: 'the class may not change',
    steps: [
      make(balancer({ loadBalancerClass: 'weir.dev/edge' })),
      merge({ spec: { loadBalancerClass: 'weir.dev/other' } }),
      merge({ spec: { loadBalancerClass: null } }),
    ],
  },
  {
    name: 'the class may not be set later',
    steps: [make(balancer()), merge({ spec: { loadBalancerClass: 'weir.dev/edge' } })],
  },
  {
    name: 'the cluster IP may not change',
    steps: [
      make({ clusterIP: '10.96.8.8', ports: [http] }),
      merge({ spec: { clusterIP: '10.96.8.9', clusterIPs: ['10.96.8.9'] } }),
      merge({ spec: { clusterIP: 'None', clusterIPs: ['None'] } }),
      merge({ spec: { clusterIP: null } }),
      merge({ spec: { clusterIP: null, clusterIPs: null } }),
    ],
  },
  {
    name: 'a replacement that leaves out what was allocated',
    steps: [
      make(balancer({ externalTrafficPolicy: 'Local' })),
      {
        method: 'PUT',
        path: '/services/web',
        body: service(balancer({ externalTrafficPolicy: 'Local' })),
      },
      {
        method: 'PUT',
        path: '/services/web',
        body: service({ type: 'LoadBalancer', ports: [{ port: 81 }] }),
      },
    ],
  },
  {
    name: 'node ports are dropped by hand when not allocated',
    steps: [
      make(balancer()),
      merge({ spec: { allocateLoadBalancerNodePorts: false } }),
      merge({ spec: { ports: [{ port: 80 }] } }),
      merge({ spec: { allocateLoadBalancerNodePorts: true } }),
    ],
  },
  {
    name: 'ports merge by number in a strategic patch',
    steps: [
      make(balancer({ ports: [{ name: 'http', port: 80, nodePort: 30_201 }] })),
      strategic({ spec: { ports: [{ name: 'https', port: 443 }] } }),
      strategic({ spec: { ports: [{ port: 80, $patch: 'delete' }] } }),
      strategic({ spec: { ports: [{ $patch: 'replace' }, { name: 'only', port: 8080 }] } }),
      strategic({
        spec: {
          ports: [
            { name: 'last', port: 90 },
            { name: 'only', port: 8080 },
          ],
        },
      }),
      strategic({
        spec: {
          '$setElementOrder/ports': [{ port: 8080 }, { port: 70 }, { port: 90 }],
          ports: [{ name: 'first', port: 70 }],
        },
      }),
      strategic({ spec: { selector: { tier: 'front' } } }),
      strategic({ spec: { selector: { $patch: 'replace', only: 'this' } } }),
    ],
  },
  {
    name: 'a JSON patch',
    steps: [
      make(balancer()),
      {
        method: 'PATCH',
        path: '/services/web',
        patch: 'json',
        body: [{ op: 'replace', path: '/spec/ports/0/port', value: 8080 }],
      },
      {
        method: 'PATCH',
        path: '/services/web',
        patch: 'json',
        body: [{ op: 'test', path: '/spec/type', value: 'ClusterIP' }],
      },
    ],
  },
  {
    name: 'an unknown patch of nothing',
    steps: [merge({ spec: {} }), read, remove],
  },
]

const statuses: readonly Case[] = [
  {
    name: 'an address',
    steps: [make(balancer()), setIngress({ ip: '192.0.2.10' })],
  },
  {
    name: 'an address by proxy, with ports',
    steps: [
      make(balancer()),
      setIngress({ ip: '192.0.2.10', ipMode: 'Proxy', ports: [{ port: 80, protocol: 'TCP' }] }),
      setIngress({ hostname: 'web.example.com' }),
    ],
  },
  ...(
    [
      ['a malformed address', { ip: '192.0.2' }],
      ['an unknown mode', { ip: '192.0.2.1', ipMode: 'Direct' }],
      ['a mode without address', { hostname: 'web.example.com', ipMode: 'VIP' }],
      ['an upper case name', { hostname: 'Web.example.com' }],
      ['an address as name', { hostname: '192.0.2.1' }],
    ] as const
  ).map(([name, ingress]) => ({ name, steps: [make(balancer()), setIngress(ingress)] })),
  {
    name: 'an address on a ClusterIP service',
    steps: [make({ ports: [http] }), setIngress({ ip: '192.0.2.10' })],
  },
  {
    name: 'a status patch changes metadata, not spec',
    steps: [
      make(balancer()),
      strategic(
        {
          metadata: { finalizers: ['weir.dev/load-balancer-cleanup'], annotations: { a: 'b' } },
          spec: { ports: [{ port: 80, targetPort: 9999 }] },
        },
        '/services/web/status',
      ),
    ],
  },
  {
    name: 'a main patch does not change status',
    steps: [
      make(balancer()),
      setIngress({ ip: '192.0.2.10' }),
      merge({ status: { loadBalancer: {} }, spec: { loadBalancerSourceRanges: ['10.0.0.0/8'] } }),
    ],
  },
  {
    name: 'conditions merge by type',
    steps: [
      make(balancer()),
      strategic({ status: { conditions: [condition('A', 'True')] } }, '/services/web/status'),
      strategic({ status: { conditions: [condition('B', 'False')] } }, '/services/web/status'),
    ],
  },
  {
    name: 'the life of a finalizer',
    steps: [
      make(balancer()),
      strategic({ metadata: { finalizers: ['weir.dev/one'] } }, '/services/web/status'),
      strategic({ metadata: { finalizers: ['weir.dev/two'] } }),
      remove,
      remove,
      strategic({ metadata: { finalizers: ['weir.dev/three'] } }),
      strategic({ metadata: { '$deleteFromPrimitiveList/finalizers': ['weir.dev/one'] } }),
      merge({ metadata: { deletionTimestamp: null } }),
      strategic({ metadata: { '$deleteFromPrimitiveList/finalizers': ['weir.dev/two'] } }),
      read,
    ],
  },
  {
    name: 'deletion without finalizers',
    steps: [make(balancer()), remove, read],
  },
  {
    name: 'deletion of another than was meant',
    steps: [
      make(balancer()),
      {
        method: 'DELETE',
        path: '/services/web',
        body: { preconditions: { uid: '00000000-0000-0000-0000-000000000000' } },
      },
    ],
  },
  {
    name: 'deletion of another version than was meant',
    steps: [
      make(balancer()),
      {
        method: 'DELETE',
        path: '/services/web',
        body: { preconditions: { resourceVersion: '1' } },
      },
    ],
  },
  {
    name: 'a replacement of another than was meant',
    steps: [
      make(balancer()),
      { method: 'PUT', path: '/services/web', body: service(balancer(), { resourceVersion: '1' }) },
      { method: 'PUT', path: '/services/web', body: service(balancer(), { name: 'other' }) },
    ],
  },
  {
    name: 'a replacement of what is not there',
    steps: [{ method: 'PUT', path: '/services/web', body: service(balancer()) }],
  },
  {
    name: 'what is not there',
    steps: [read, remove, merge({}), setIngress({ ip: '192.0.2.1' })],
  },
  {
    name: 'an old resource version',
    steps: [make(balancer()), merge({ metadata: { resourceVersion: '1', labels: { a: 'b' } } })],
  },
  {
    name: 'a new identity',
    steps: [make(balancer()), merge({ metadata: { uid: '00000000-0000-0000-0000-000000000000' } })],
  },
]

function condition(type: string, status: string): JsonObject {
  return {
    type,
    status,
    reason: 'Because',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }
}

/** Requests about Services whose answers were recorded from a real API server. */
export const serviceCases: readonly Case[] = [...creations, ...changes, ...statuses]
