import { type Case, balancer, created, http, make, service, web } from './steps.ts'

/** Services that are made, or refused. */
export const creations: readonly Case[] = [
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
  // One at a time: upstream tells of several in the order of a Go map, which is another one each time.
  created('a bad label', { ports: [http] }, { labels: { 'a b': 'c' } }),
  created("a bad label's value", { ports: [http] }, { labels: { ok: '-' } }),
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
