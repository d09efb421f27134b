import type { JsonObject } from '../object.ts'
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
} from './steps.ts'

const condition = (type: string, status: string): JsonObject => ({
  type,
  status,
  reason: 'Because',
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
})

/** Status writes, finalizers, deletion and preconditions. */
export const statuses: readonly Case[] = [
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
