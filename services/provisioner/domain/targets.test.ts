import { cidr, endpointsObservation, nodesObservation, target } from '@weir/contract'
import { describe, expect, test } from 'vitest'
import { causeOfChange, planTargets, type TargetSources } from './targets.ts'

const seen = {
  tenant: 'acme',
  cluster: '11111111-1111-1111-1111-111111111111',
  watcherEpoch: 1,
  order: 1,
  seenAt: '2026-01-01T00:00:00Z',
}
const node = (name: string, addresses: readonly string[], excluded: string | null = null) => ({
  name,
  addresses,
  excluded,
})
const sources = (
  nodes: readonly ReturnType<typeof node>[] | undefined,
  readyByNode?: Readonly<Record<string, number>>,
): TargetSources => ({
  nodes: nodes && nodesObservation.parse({ kind: 'nodes', ...seen, nodes }),
  endpoints:
    readyByNode &&
    endpointsObservation.parse({
      kind: 'endpoints',
      ...seen,
      serviceUid: '22222222-2222-2222-2222-222222222222',
      readyByNode,
    }),
  nodeCidrs: [cidr.parse('10.0.0.0/8')],
})
const cidrOf = (text: string) => cidr.parse(text)
const targetOf = (name: string, ip: string, weight: number) =>
  target.parse({ node: name, ip, weight })
const reach = { ipFamilies: ['IPv4'], targetsByProviderId: null } as const
const cluster = { policy: 'Cluster', family: 'IPv4', reach } as const
const local = { policy: 'Local', family: 'IPv4', reach } as const
const known = [targetOf('a', '10.0.0.1', 2)]

describe('targets', () => {
  test('are all nodes, by name, each with weight 1 under Cluster', () => {
    const plan = planTargets(
      sources([node('b', ['10.0.0.2']), node('a', ['10.0.0.1'])]),
      cluster,
      [],
    )
    expect(plan.targets).toEqual([targetOf('a', '10.0.0.1', 1), targetOf('b', '10.0.0.2', 1)])
  })

  test('weigh as many as they have ready pods under Local, and 0 without any', () => {
    const nodes = [node('a', ['10.0.0.1']), node('b', ['10.0.0.2'])]
    const plan = planTargets(sources(nodes, { a: 3 }), local, [])
    expect(plan.targets.map(({ weight }) => weight)).toEqual([3, 0])
  })

  test.for(['constructor', '__proto__'])(
    'weigh 0 on a node named %s without ready pods',
    (name) => {
      const plan = planTargets(sources([node(name, ['10.0.0.1'])], { a: 3 }), local, [])
      expect(plan.targets).toEqual([targetOf(name, '10.0.0.1', 0)])
    },
  )

  test('keep their weights while no endpoints were seen', () => {
    const nodes = [node('a', ['10.0.0.1']), node('b', ['10.0.0.2'])]
    const plan = planTargets(sources(nodes), local, known)
    expect(plan.targets.map(({ weight }) => weight)).toEqual([2, 1])
  })

  test.for([
    ['no list', undefined],
    ['an empty list', []],
  ] as const)('stay as known with %s', ([, nodes]) => {
    expect(planTargets(sources(nodes), cluster, known).targets).toEqual(known)
  })

  test('are none when every node is excluded: that is a fact', () => {
    const plan = planTargets(sources([node('a', ['10.0.0.1'], 'deleting')]), cluster, known)
    expect(plan).toEqual({ targets: [], excluded: [{ node: 'a', reason: 'deleting' }] })
  })

  test.for([
    ['excluded-by-label', node('a', ['10.0.0.1'], 'excluded-by-label')],
    ['no-address', node('a', [])],
    ['address-outside-node-cidrs', node('a', ['169.254.169.254'])],
  ] as const)('leave out a node with the reason %s', ([reason, left]) => {
    const plan = planTargets(sources([left, node('b', ['10.0.0.2'])]), cluster, [])
    expect(plan.excluded).toEqual([{ node: 'a', reason }])
    expect(plan.targets).toHaveLength(1)
  })

  test('are named by the id of their cloud where the driver asks for it, and for no other', () => {
    const nodes = [
      { ...node('a', ['10.0.0.1']), providerId: 'aws:///eu-1a/i-1' },
      { ...node('b', ['10.0.0.2']), providerId: 'gce://b' },
      node('c', ['10.0.0.3']),
    ]
    const named = { ...cluster, reach: { ...reach, targetsByProviderId: 'aws:///' } } as const
    const plan = planTargets(sources(nodes), named, [])
    expect(plan.targets).toEqual([
      { ...targetOf('a', '10.0.0.1', 1), providerId: 'aws:///eu-1a/i-1' },
    ])
    expect(plan.excluded.map(({ reason }) => reason)).toEqual(['no-provider-id', 'no-provider-id'])
    const plain = planTargets(sources(nodes), cluster, [])
    expect(plain.targets.some((target) => 'providerId' in target)).toBe(false)
  })

  test.for([
    ['IPv4', '10.0.0.1'],
    ['IPv6', '2001:db8::1'],
  ] as const)('of an address of %s have one of it, where nodes have both', ([family, ip]) => {
    const both = { ...reach, ipFamilies: ['IPv4', 'IPv6'] } as const
    const nodes = [node('a', ['10.0.0.1', '2001:db8::1']), node('b', ['10.0.0.2'])]
    const seen = { ...sources(nodes), nodeCidrs: ['10.0.0.0/8', '2001:db8::/64'].map(cidrOf) }
    const plan = planTargets(seen, { ...cluster, family, reach: both }, [])
    expect(plan.targets).toEqual([targetOf('a', ip, 1), targetOf('b', '10.0.0.2', 1)])
  })

  test('take the first address that is allowed', () => {
    const plan = planTargets(sources([node('a', ['192.0.2.1', '10.0.0.9'])]), cluster, [])
    expect(plan.targets).toEqual([targetOf('a', '10.0.0.9', 1)])
  })
})

test.for([
  ['nodes', [targetOf('b', '10.0.0.2', 1)]],
  ['nodes', [targetOf('a', '10.0.0.7', 2)]],
  ['endpoints', [targetOf('a', '10.0.0.1', 5)]],
  ['nodes-and-endpoints', [targetOf('a', '10.0.0.1', 5), targetOf('b', '10.0.0.2', 1)]],
] as const)('the cause of a change is %s', ([cause, after]) => {
  expect(causeOfChange(known, after)).toBe(cause)
})
