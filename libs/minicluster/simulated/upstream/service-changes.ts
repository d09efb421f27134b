import {
  type Case,
  balancer,
  http,
  make,
  merge,
  read,
  remove,
  service,
  setIngress,
  strategic,
  web,
} from './steps.ts'

/** Services that change type, policy, class, addresses and ports. */
export const changes: readonly Case[] = [
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
