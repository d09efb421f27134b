import { describe, expect, test } from 'vitest'
import type { JsonObject, KubeObject } from '../object.ts'
import type { Column } from '../resources/resource.ts'
import { firstThree, humanDuration } from './format.ts'
import { nodeColumns } from './node-columns.ts'
import { deploymentColumns, endpointSliceColumns, eventColumns } from './other-columns.ts'
import { podColumns } from './pod-columns.ts'
import { serviceColumns } from './service-columns.ts'
import { readForm } from './table.ts'

const now = Date.parse('2026-01-01T01:00:00Z')

const row = (columns: readonly Column[], object: JsonObject): unknown[] => {
  const metadata = { name: 'web', creationTimestamp: '2026-01-01T00:55:30Z' }
  const whole: KubeObject = { kind: '', apiVersion: '', ...object, metadata }
  return columns.map((column) => column.cell(whole, now))
}

test.each([
  [-5_000, '<invalid>'],
  [-1_000, '0s'],
  [0, '0s'],
  [119_000, '119s'],
  [120_000, '2m'],
  [125_000, '2m5s'],
  [601_000, '10m'],
  [3 * 3_600_000, '3h'],
  [3 * 3_600_000 + 60_000, '3h1m'],
  [9 * 3_600_000, '9h'],
  [49 * 3_600_000, '2d1h'],
  [9 * 86_400_000, '9d'],
  [800 * 86_400_000, '2y70d'],
  [3_000 * 86_400_000, '8y'],
])('%d ms is shown as %s', (millis, text) => {
  expect(humanDuration(millis)).toBe(text)
})

describe('a service', () => {
  const spec = {
    type: 'LoadBalancer',
    clusterIPs: ['10.96.0.7'],
    ports: [
      { port: 80, nodePort: 30_080, protocol: 'TCP' },
      { port: 53, protocol: 'UDP' },
    ],
    selector: { b: '2', a: '1' },
  }
  const shown = ['80:30080/TCP,53/UDP', '4m30s', 'a=1,b=2']

  test('without an address is pending', () => {
    expect(row(serviceColumns, { spec, status: { loadBalancer: {} } })).toEqual([
      'web',
      'LoadBalancer',
      '10.96.0.7',
      '<pending>',
      ...shown,
    ])
  })

  test('shows addresses and names, sorted', () => {
    const ingress = [{ hostname: 'web.example.com' }, { ip: '192.0.2.1', ipMode: 'VIP' }]
    expect(row(serviceColumns, { spec, status: { loadBalancer: { ingress } } })[3]).toBe(
      '192.0.2.1,web.example.com',
    )
  })

  test('of another type shows none, its external IPs or its name', () => {
    const status = { loadBalancer: {} }
    const external = (more: JsonObject) => row(serviceColumns, { spec: more, status })[3]
    expect(external({ type: 'ClusterIP' })).toBe('<none>')
    expect(external({ type: 'NodePort', externalIPs: ['192.0.2.9'] })).toBe('192.0.2.9')
    expect(external({ type: 'ExternalName', externalName: 'example.com' })).toBe('example.com')
  })
})

test('a running pod', () => {
  const object = {
    spec: { containers: [{ name: 'a' }], nodeName: 'node-1' },
    status: {
      phase: 'Running',
      podIPs: [{ ip: '10.244.0.2' }],
      containerStatuses: [{ ready: true, restartCount: 2, state: { running: {} } }],
    },
  }
  expect(row(podColumns, object).slice(0, 7)).toEqual([
    'web',
    '1/1',
    'Running',
    '2',
    '4m30s',
    '10.244.0.2',
    'node-1',
  ])
})

test('a node that is ready and unschedulable', () => {
  const object = {
    spec: { unschedulable: true },
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      addresses: [{ type: 'InternalIP', address: '127.30.0.1' }],
      nodeInfo: { kubeletVersion: 'v1.36.3' },
    },
  }
  expect(row(nodeColumns, object).slice(0, 6)).toEqual([
    'web',
    'Ready,SchedulingDisabled',
    '<none>',
    '4m30s',
    'v1.36.3',
    '127.30.0.1',
  ])
})

test('a deployment half way', () => {
  const object = {
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: { spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
    status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 },
  }
  expect(row(deploymentColumns, object).slice(1)).toEqual([
    '2/3',
    '3',
    '2',
    '4m30s',
    'c',
    'i',
    'app=web',
  ])
})

test('an endpoint slice of five', () => {
  const endpoints = [1, 2, 3, 4, 5].map((n) => ({ addresses: [`10.244.0.${n}`] }))
  const object = { addressType: 'IPv4', ports: [{ port: 9376 }], endpoints }
  expect(row(endpointSliceColumns, object).slice(1, 4)).toEqual([
    'IPv4',
    '9376',
    '10.244.0.1,10.244.0.2,10.244.0.3 + 2 more...',
  ])
  expect(firstThree([])).toBe('<unset>')
})

test('an event that was seen often', () => {
  const object = {
    involvedObject: { kind: 'Service', name: 'web' },
    type: 'Warning',
    reason: 'SyncLoadBalancerFailed',
    message: 'no pool ',
    firstTimestamp: '2026-01-01T00:58:00Z',
    lastTimestamp: '2026-01-01T00:59:00Z',
    count: 4,
    source: { component: 'weir' },
  }
  expect(row(eventColumns, object)).toEqual([
    '60s',
    'Warning',
    'SyncLoadBalancerFailed',
    'service/web',
    '',
    'weir',
    'no pool',
    '2m',
    '4',
    'web',
  ])
})

test('the form is what the client lists first', () => {
  const none = new URLSearchParams()
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
  expect(readForm(table, none).as).toBe('table')
  expect(readForm('application/json', none).as).toBe('object')
  expect(readForm('application/json,application/json;as=Table;v=v1;g=meta.k8s.io', none).as).toBe(
    'object',
  )
  expect(readForm(table, new URLSearchParams('includeObject=Object')).include).toBe('Object')
})
