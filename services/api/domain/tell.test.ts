import type { RecordedEvent } from '@weir/contract'
import { expect, test } from 'vitest'
import { requested, said } from '../rig/api.ts'
import { gistOf } from './tell.ts'

const service = '0b2c7d1e-64f3-4c55-8f2a-91d7e0a4b6c3'
const nodes = (...weights: number[]) =>
  weights.map((weight, at) => ({ node: `node-${at + 1}`, ip: `10.0.0.${at + 1}`, weight }))
const at = { key: `edge-${service}`, epoch: 1, generation: 2 }
const ip = '198.51.100.7'
const leases = [{ ip, pool: 'public' }]
const frontends = [{ ip, protocol: 'TCP', port: 443 }]
const moved = (after: unknown) =>
  said('TargetsChanged', { ...at, before: [], after, cause: 'nodes' })
const healthOf = (
  serving: number,
  ...changes: readonly (readonly [string, number, number, string | null])[]
) =>
  said('TargetHealthChanged', {
    ...at,
    serving,
    changes: changes.map(([node, before, after, problem]) => ({ node, before, after, problem })),
  })

test.each([
  [requested(service, 'web'), 'shop/web wants a load balancer'],
  [said('FrontendsAllocated', { leases, frontends, choice: 'sticky' }), `${ip}:443/TCP (sticky)`],
  [
    said('FrontendsAllocated', { leases: [], frontends: [], choice: 'provider' }),
    'nothing (provider)',
  ],
  [
    said('DriverChanged', { from: 'edge', to: 'octavia', cause: 'cluster-default' }),
    'from edge to octavia, by cluster-default',
  ],
  [said('OperationStarted', { ...at, token: 't', what: 'create it' }), 'create it'],
  [said('LoadBalancerChanged', { fields: ['ports', 'sourceRanges'] }), 'ports, sourceRanges'],
  [
    said('AddressTaken', { address: ip, holder: null }),
    `the address ${ip} is held by another load balancer`,
  ],
  [
    said('ResourceIntended', { ...at, desired: { targets: nodes(1, 1) } }),
    'generation 2 for node-1, node-2',
  ],
  [moved(nodes(3, 0, 1)), 'node-1 x3, node-3, by nodes'],
  [moved(nodes(0, 0)), 'no node, by nodes'],
  [moved(nodes(1, 1, 1, 1, 1, 1)), 'node-1, node-2, node-3, node-4 and 2 more, by nodes'],
  [
    said('ResourceProgrammed', { ...at, confirmedBy: ['edge-1'] }),
    'generation 2, confirmed by edge-1',
  ],
  [
    healthOf(2, ['node-1', 1, 0, 'answered 503'], ['node-2', 1, 3, null], ['node-3', 0, 1, null]),
    'without node-1 (answered 503), node-2 x3, node-3 back; 2 nodes take flows',
  ],
  [healthOf(1, ['node-1', 0, 2, null]), 'node-1 x2 back; 1 node takes flows'],
  [healthOf(0, ['node-1', 1, 0, null]), 'without node-1; no node takes flows'],
  [
    healthOf(7, ...['a', 'b', 'c', 'd', 'e', 'f'].map((node) => [node, 0, 1, null] as const)),
    'a back, b back, c back, d back, 2 more; 7 nodes take flows',
  ],
  [said('ResourceAbsent', { ...at, confirmedBy: ['log'] }), 'confirmed by log'],
  [said('FinalizerRemoved', { objectGone: false }), ''],
  [said('FinalizerRemoved', { objectGone: true }), 'the object was gone already'],
  [said('FrontendsReleased', { leases, quarantineUntil: null }), ip],
  [said('ReconcileParked', { ...at, attempts: 10, problem: 'no answer' }), 'no answer'],
  [said('PoolRemoved', { name: 'public' }), ''],
])('$type: %#', (event, gist) => expect(gistOf(event as RecordedEvent)).toBe(gist))
