import { describe, expect, test } from 'vitest'
import { kubeNode, kubeService } from './objects.ts'
import { readyByNode } from './see-endpoints.ts'
import { seeNode } from './see-node.ts'
import { seeService, type SeenService } from './translate.ts'

interface Change {
  readonly metadata?: object
  readonly spec?: object
  readonly status?: object
}

const see = ({ metadata, spec, status }: Change = {}, defaultClass = true): SeenService =>
  seeService(
    kubeService.parse({
      metadata: {
        uid: '11111111-1111-4111-8111-111111111111',
        name: 'web',
        namespace: 'default',
        resourceVersion: '1',
        ...metadata,
      },
      spec: { type: 'LoadBalancer', ports: [{ port: 80, nodePort: 30_080 }], ...spec },
      status: status ?? {},
    }),
    { defaultClass },
  )
const annotated = (annotations: Record<string, string>, spec: object = {}): SeenService =>
  see({ metadata: { annotations }, spec })

describe('a Service is wanted', () => {
  test.each<[string, object, boolean, boolean]>([
    ['without a class, by the default implementation', {}, true, true],
    ['not without a class where we are not the default', {}, false, false],
    ['with our class in either mode', { loadBalancerClass: 'weir.dev/edge' }, false, true],
    ['not with a foreign class', { loadBalancerClass: 'service.k8s.aws/nlb' }, true, false],
    ['not as ClusterIP', { type: 'ClusterIP' }, true, false],
    ['not as NodePort', { type: 'NodePort' }, true, false],
  ])('%s', (_, spec, defaultClass, wanted) =>
    expect(see({ spec }, defaultClass).wanted).toBe(wanted),
  )
})

describe('the hash of a wish', () => {
  const plain = see().intentHash
  test.each<[string, Change]>([
    ['a label', { metadata: { labels: { a: 'b' } } }],
    ['a foreign annotation', { metadata: { annotations: { 'example.com/x': '1' } } }],
    ['our own reason', { metadata: { annotations: { 'weir.dev/reason': 'x' } } }],
    ['a finalizer', { metadata: { finalizers: ['example.com/hold'] } }],
    ['the version', { metadata: { resourceVersion: '99' } }],
    ['the status', { status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } }],
    ['external IPs, which are none of our business', { spec: { externalIPs: ['192.0.2.9'] } }],
    ['the selector', { spec: { selector: { app: 'x' } } }],
  ])('stays under a change of %s', (_, change) => expect(see(change).intentHash).toBe(plain))

  test.each<[string, object]>([
    ['a port', { ports: [{ port: 81, nodePort: 30_080 }] }],
    ['a node port', { ports: [{ port: 80, nodePort: 30_081 }] }],
    ['a protocol', { ports: [{ port: 80, nodePort: 30_080, protocol: 'UDP' }] }],
    ['the policy', { externalTrafficPolicy: 'Local', healthCheckNodePort: 31_000 }],
    ['source ranges', { loadBalancerSourceRanges: ['192.0.2.0/24'] }],
    ['affinity', { sessionAffinity: 'ClientIP' }],
    ['the address', { loadBalancerIP: '192.0.2.7' }],
    ['families', { ipFamilies: ['IPv4', 'IPv6'] }],
  ])('moves with %s', (_, spec) => expect(see({ spec }).intentHash).not.toBe(plain))

  test('does not depend on the order of ports and ranges', () => {
    const a = { port: 80, nodePort: 30_080 }
    const b = { port: 53, nodePort: 30_053, protocol: 'UDP' }
    const one = see({
      spec: { ports: [a, b], loadBalancerSourceRanges: ['10.0.0.0/8', '192.0.2.0/24'] },
    })
    const two = see({
      spec: { ports: [b, a], loadBalancerSourceRanges: [' 192.0.2.0/24', '10.0.0.0/8 '] },
    })
    expect(one.intentHash).toBe(two.intentHash)
  })
})

describe('source ranges', () => {
  const annotation = 'service.beta.kubernetes.io/load-balancer-source-ranges'
  test('come from the annotation where the field is not used', () =>
    expect(annotated({ [annotation]: '10.0.0.0/8, 192.0.2.0/24' }).intent.sourceRanges).toEqual([
      '10.0.0.0/8',
      '192.0.2.0/24',
    ]))
  test('of the field win', () => {
    const seen = annotated(
      { [annotation]: '10.0.0.0/8' },
      { loadBalancerSourceRanges: ['192.0.2.0/24'] },
    )
    expect(seen.intent.sourceRanges).toEqual(['192.0.2.0/24'])
  })
  test.each(['10.0.0.1/8', '010.0.0.0/8', '::ffff:10.0.0.0/104', '10.0.0.0', 'all', '10.0.0.0/33'])(
    'close the Service when one reads %s',
    (entry) => {
      const { invalid } = see({
        spec: { loadBalancerSourceRanges: ['192.0.2.0/24', entry] },
      }).intent
      expect(invalid).toMatchObject([{ field: 'spec.loadBalancerSourceRanges' }])
    },
  )
})

describe('a wish beside the core fields', () => {
  test.each([
    'weir.dev/address',
    'metallb.io/loadBalancerIPs',
    'metallb.universe.tf/loadBalancerIPs',
    'lbipam.cilium.io/ips',
    'kube-vip.io/loadbalancerIPs',
  ])('for an address is understood as %s', (name) =>
    expect(annotated({ [name]: ' 192.0.2.7' }).intent.requestedAddress).toBe('192.0.2.7'),
  )
  test.each(['weir.dev/pool', 'metallb.io/address-pool', 'metallb.universe.tf/address-pool'])(
    'for a pool is understood as %s',
    (name) => expect(annotated({ [name]: 'public' }).intent.requestedPool).toBe('public'),
  )
  test.each([
    'weir.dev/sharing-key',
    'metallb.io/allow-shared-ip',
    'metallb.universe.tf/allow-shared-ip',
    'lbipam.cilium.io/sharing-key',
    'purelb.io/allow-shared-ip',
  ])('for sharing an address is understood as %s', (name) =>
    expect(annotated({ [name]: 'dns' }).intent.sharingKey).toBe('dns'),
  )
  test.each<[string, Record<string, string>, object]>([
    ['a sharing key that is none', { 'weir.dev/sharing-key': 'a b' }, {}],
    ['two addresses', { 'weir.dev/address': '192.0.2.7,192.0.2.8' }, {}],
    ['no address', { 'weir.dev/address': 'nowhere' }, {}],
    ['two that differ', { 'weir.dev/address': '192.0.2.7' }, { loadBalancerIP: '192.0.2.8' }],
    ['a pool that is no name', { 'weir.dev/pool': 'No Pool' }, {}],
    ['PROXY protocol v1', { 'weir.dev/proxy-protocol': 'v1' }, {}],
    ['an annotation of ours that is none', { 'weir.dev/adress': '192.0.2.7' }, {}],
  ])('is refused by name when it asks for %s', (_, annotations, spec) =>
    expect(annotated(annotations, spec).intent.invalid).toHaveLength(1),
  )
  test('may ask for PROXY protocol', () =>
    expect(annotated({ 'weir.dev/proxy-protocol': 'v2' }).intent.proxyProtocol).toBe('v2'))
})

test('a Service that cannot be served as it is becomes an invalid wish and not an exception', () => {
  const odd = see({ spec: { ports: [{ port: 99_999, nodePort: 1 }] } })
  expect(odd.intent.invalid).toHaveLength(1)
})

test('a status shows addresses, VIP where no mode is written, and names; what is both is foreign', () => {
  const ingress = [
    { ip: '192.0.2.1' },
    { hostname: 'x.example.com' },
    { ip: '192.0.2.1', hostname: 'x.example.com' },
    { hostname: 'Not A Name' },
  ]
  expect(see({ status: { loadBalancer: { ingress } } }).ingress).toEqual([
    { ip: '192.0.2.1', ipMode: 'VIP' },
    { hostname: 'x.example.com' },
    { foreign: 'x.example.com' },
    { foreign: 'Not A Name' },
  ])
})

describe('a driver', () => {
  const classed = (loadBalancerClass: string) => see({ spec: { loadBalancerClass } }).intent
  test('is named by our class', () =>
    expect(classed('weir.dev/octavia')).toMatchObject({ requestedDriver: 'octavia', invalid: [] }))
  test('is not named without a class', () =>
    expect(see().intent).not.toHaveProperty('requestedDriver'))
  test.each(['weir.dev/', 'weir.dev/Edge', 'weir.dev/a/b'])('is refused as %j', (name) => {
    expect(classed(name)).toMatchObject({ invalid: [{ field: 'spec.loadBalancerClass' }] })
    expect(classed(name)).not.toHaveProperty('requestedDriver')
  })
})

describe('a node', () => {
  const node = (change: {
    labels?: object
    deletionTimestamp?: string
    taints?: object[]
    providerID?: string
  }) =>
    seeNode(
      kubeNode.parse({
        metadata: { uid: 'u', name: 'n', resourceVersion: '1', ...change },
        spec: { taints: change.taints, providerID: change.providerID },
        status: {
          addresses: [
            { type: 'Hostname', address: 'n' },
            { type: 'ExternalIP', address: '198.51.100.1' },
            { type: 'InternalIP', address: '10.0.0.1' },
            { type: 'InternalIP', address: 'junk' },
          ],
          conditions: [{ type: 'Ready', status: 'False' }],
        },
      }),
    )
  const label = 'node.kubernetes.io/exclude-from-external-load-balancers'

  test('that is not Ready stays, with its internal addresses first', () =>
    expect(node({})).toEqual({
      name: 'n',
      addresses: ['10.0.0.1', '198.51.100.1'],
      excluded: null,
    }))
  test('is known by its cloud, where it has one', () => {
    expect(node({ providerID: 'aws:///eu-1a/i-0abc' }).providerId).toBe('aws:///eu-1a/i-0abc')
    expect(node({ providerID: '' })).not.toHaveProperty('providerId')
    expect(node({ providerID: 'x'.repeat(501) })).not.toHaveProperty('providerId')
  })
  test('is of the pool that its owner names, or its cloud', () => {
    const cloud = { 'eks.amazonaws.com/nodegroup': 'workers' }
    expect(node({ labels: cloud }).pool).toBe('workers')
    expect(node({ labels: { ...cloud, 'weir.dev/node-pool': 'mine' } }).pool).toBe('mine')
    expect(node({ labels: { 'weir.dev/node-pool': '' } })).not.toHaveProperty('pool')
  })
  test.each([
    ['', 'excluded-by-label'],
    ['true', 'excluded-by-label'],
    ['false', null],
    ['junk', 'excluded-by-label'],
  ])('labelled %j is %s', (value, excluded) =>
    expect(node({ labels: { [label]: value } }).excluded).toBe(excluded),
  )
  test('that the autoscaler is about to remove is out', () =>
    expect(node({ taints: [{ key: 'ToBeDeletedByClusterAutoscaler' }] }).excluded).toBe(
      'to-be-deleted',
    ))
  test('that is cordoned stays', () =>
    expect(node({ taints: [{ key: 'node.kubernetes.io/unschedulable' }] }).excluded).toBeNull())
  test('that is being deleted is out', () =>
    expect(node({ deletionTimestamp: '2026-01-01T00:00:00Z' }).excluded).toBe('deleting'))
})

test('a pod in the slices of both families counts once', () => {
  const slice = (uid: string, ready: { node: string; pod: string }[]) => ({
    uid,
    namespace: 'default',
    service: 'web',
    owner: null,
    ready,
  })
  const pods = [
    { node: 'b', pod: '1' },
    { node: 'a', pod: '2' },
    { node: 'a', pod: '3' },
  ]
  expect(readyByNode([slice('v4', pods), slice('v6', pods)])).toEqual({ a: 2, b: 1 })
})
