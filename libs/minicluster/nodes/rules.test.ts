import { expect, test } from 'vitest'
import type { EndpointSlice, Service, SliceEndpoint } from './objects.ts'
import { rulesOf } from './rules.ts'

const service = (spec: Partial<Service['spec']> = {}): Service => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    type: 'LoadBalancer',
    clusterIP: '10.96.0.9',
    ports: [{ port: 80, nodePort: 30_080, protocol: 'TCP' }],
    ...spec,
  },
})
const at = (address: string, nodeName: string, conditions = {}): SliceEndpoint => ({
  addresses: [address],
  nodeName,
  conditions: { ready: true, serving: true, terminating: false, ...conditions },
})
const slice = (endpoints: SliceEndpoint[], ports = [{ port: 9376 }]): EndpointSlice => ({
  metadata: { name: 'web-x', namespace: 'default' },
  addressType: 'IPv4',
  endpoints,
  ports,
})
const leaving = { ready: false, terminating: true }
const broken = { ready: false, serving: false }
const addresses = (node: string, spec: Partial<Service['spec']>, endpoints: SliceEndpoint[]) =>
  rulesOf(node, service(spec), [slice(endpoints)]).ports.map((port) =>
    port.endpoints.map((endpoint) => `${endpoint.address}:${endpoint.port}`),
  )
const local = { externalTrafficPolicy: 'Local', healthCheckNodePort: 31_000 }
const two = [at('10.244.1.2', 'a'), at('10.244.2.2', 'b')]

test('policy Cluster sends to ready endpoints of any node', () => {
  expect(addresses('a', {}, two)).toEqual([['10.244.1.2:9376', '10.244.2.2:9376']])
  expect(addresses('c', {}, two)).toEqual([['10.244.1.2:9376', '10.244.2.2:9376']])
})

test('policy Local sends to endpoints of the own node only, and opens no port without any', () => {
  expect(addresses('a', local, two)).toEqual([['10.244.1.2:9376']])
  expect(addresses('c', local, two)).toEqual([])
})

test('an endpoint that is not ready gets nothing', () => {
  expect(addresses('a', {}, [at('10.244.1.2', 'a', broken)])).toEqual([])
})

test('terminating endpoints that serve are used when no ready one is left, per policy', () => {
  const endpoints = [at('10.244.1.2', 'a', leaving), at('10.244.2.2', 'b')]
  expect(addresses('a', {}, endpoints)).toEqual([['10.244.2.2:9376']])
  expect(addresses('a', local, endpoints)).toEqual([['10.244.1.2:9376']])
  const last = [at('10.244.1.2', 'a', { ...leaving, serving: false })]
  expect(addresses('a', {}, last)).toEqual([])
})

test('the health port counts ready local endpoints, so terminating ones fail it', () => {
  const health = (endpoints: SliceEndpoint[]) =>
    rulesOf('a', service(local), [slice(endpoints)]).health?.localEndpoints
  expect(health([...two, at('10.244.1.3', 'a')])).toBe(2)
  expect(health([at('10.244.1.2', 'a', leaving)])).toBe(0)
  expect(health([])).toBe(0)
  expect(rulesOf('a', service(), [slice(two)]).health).toBeUndefined()
})

test('a port meets the slice port of its name and protocol', () => {
  const ports = [
    { name: 'web', port: 80, nodePort: 30_080, protocol: 'TCP' },
    { name: 'dns', port: 53, nodePort: 30_053, protocol: 'UDP' },
    { name: 'none', port: 54, nodePort: 30_054, protocol: 'TCP' },
  ]
  const slicePorts = [
    { name: 'web', protocol: 'TCP', port: 8080 },
    { name: 'dns', protocol: 'UDP', port: 5353 },
  ]
  const rules = rulesOf('a', service({ ports }), [slice(two.slice(0, 1), slicePorts)])
  expect(rules.ports.map((rule) => [rule.port, rule.endpoints])).toEqual([
    [30_080, [{ address: '10.244.1.2', port: 8080 }]],
    [30_053, [{ address: '10.244.1.2', port: 5353 }]],
  ])
})

test('a Service that kube-proxy leaves alone has no rules', () => {
  const none = { ports: [], health: undefined }
  expect(rulesOf('a', service({ type: 'ClusterIP' }), [slice(two)])).toEqual(none)
  expect(rulesOf('a', service({ clusterIP: 'None' }), [slice(two)])).toEqual(none)
  expect(rulesOf('a', undefined, [slice(two)])).toEqual(none)
  const own = service()
  const labels = { 'service.kubernetes.io/service-proxy-name': 'mine' }
  const foreign = { ...own, metadata: { ...own.metadata, labels } }
  expect(rulesOf('a', foreign, [slice(two)])).toEqual(none)
})

test('a node that takes balanced packets listens at each address whose mode is not Proxy', () => {
  const ingress = [
    { ip: '203.0.113.1', ipMode: 'VIP' },
    { ip: '203.0.113.2', ipMode: 'Proxy' },
  ]
  const balanced: Service = { ...service(local), status: { loadBalancer: { ingress } } }
  const doors = (takes: boolean) =>
    rulesOf('a', balanced, [slice(two)], takes).ports.map(({ address, port }) => [address, port])
  expect(doors(false)).toEqual([[undefined, 30_080]])
  expect(doors(true)).toEqual([
    [undefined, 30_080],
    ['203.0.113.1', 80],
  ])
})
