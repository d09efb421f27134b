// What each change costs at AWS: the calls that it takes, in their order, as the fake's journal has them.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { carryOut } from '../carry-out.ts'
import type { SampleOver } from '../sample-desired.ts'
import { createFakeRig, fakeInstances, type FakeRig } from './rig/driver-rig.ts'
import { providerIdOf } from './rig/truth.ts'

let rig: FakeRig
beforeEach(async () => {
  rig = await createFakeRig()
})
afterEach(() => rig.stop())

const serve = async (over: SampleOver = {}): Promise<void> => {
  const desired = rig.sample(1, over)
  for (let round = 0; round < 10; round += 1) {
    const { outcome } = await carryOut(rig.driver, { order: 'serve', desired })
    if (outcome.status === 'done') return
    await rig.settle()
  }
  throw new Error('not served after ten rounds')
}
const remove = async (): Promise<void> => {
  const { marks } = rig.sample()
  for (let round = 0; round < 10; round += 1) {
    const { outcome } = await carryOut(rig.driver, { order: 'remove', marks })
    if (outcome.status === 'done') return
    await rig.settle()
  }
  throw new Error('not removed after ten rounds')
}
const since = (from: number): readonly string[] =>
  rig.fake.journal.slice(from).map((at) => at.action)
const atPort = (port: number, over: object = {}) =>
  ({ ip: '0.0.0.0', protocol: 'TCP', port, nodePort: 30_000 + port, ...over }) as never
const health = (port: number, path = '/healthz') =>
  ({ port, path, weightFromHeader: true }) as never

const made = [
  'CreateSecurityGroup',
  'CreateTargetGroup',
  'ModifyTargetGroupAttributes',
  'RegisterTargets',
  'AuthorizeSecurityGroupIngress',
  'CreateLoadBalancer',
  'ModifyLoadBalancerAttributes',
  'CreateListener',
  'AddTags',
]

/** A change, and the calls that it takes; the stamp that ends each is left out. */
const rows: readonly (readonly [string, SampleOver, readonly string[]])[] = [
  ['nothing but the generation', {}, []],
  ['a target goes', { targets: [] }, ['DeregisterTargets']],
  ['the path of the health check', { health: health(10_256, '/livez') }, ['ModifyTargetGroup']],
  ['the policy', { policy: 'Local', health: health(31_000) }, ['ModifyTargetGroup']],
  ['the PROXY protocol', { proxyProtocol: 'v2' }, ['ModifyTargetGroupAttributes']],
  [
    'affinity',
    { affinity: { kind: 'ClientIP', timeoutSeconds: 60 } },
    ['ModifyTargetGroupAttributes'],
  ],
  [
    'source ranges: opens before it closes',
    { sourceRanges: ['10.0.0.0/8'] as never },
    ['AuthorizeSecurityGroupIngress', 'RevokeSecurityGroupIngress'],
  ],
  [
    'one more port',
    { frontends: [atPort(80), atPort(443)] },
    [
      'CreateTargetGroup',
      'ModifyTargetGroupAttributes',
      'RegisterTargets',
      'AuthorizeSecurityGroupIngress',
      'CreateListener',
    ],
  ],
  [
    'another nodePort: a new group is filled, the listener switches, and then the old group goes',
    { frontends: [atPort(80, { nodePort: 30_999 })] },
    [
      'CreateTargetGroup',
      'ModifyTargetGroupAttributes',
      'RegisterTargets',
      'ModifyListener',
      'DeleteTargetGroup',
    ],
  ],
  [
    'UDP beside TCP on the same port: one listener for both, by a switch',
    { frontends: [atPort(80), atPort(80, { protocol: 'UDP' })] },
    [
      'CreateTargetGroup',
      'ModifyTargetGroupAttributes',
      'RegisterTargets',
      'AuthorizeSecurityGroupIngress',
      'ModifyListener',
      'DeleteTargetGroup',
    ],
  ],
  [
    'another port: the new one opens before the old one closes',
    { frontends: [atPort(81)] },
    [
      'CreateTargetGroup',
      'ModifyTargetGroupAttributes',
      'RegisterTargets',
      'AuthorizeSecurityGroupIngress',
      'CreateListener',
      'RevokeSecurityGroupIngress',
      'DeleteListener',
      'DeleteTargetGroup',
    ],
  ],
]

describe('a change takes just these calls', () => {
  test.each(rows)('%s', async (_what, over, calls) => {
    await serve({ frontends: [atPort(80)] })
    const before = rig.fake.journal.length
    await serve({ frontends: [atPort(80)], ...over, generation: 2 })
    expect(since(before)).toEqual([...calls, 'AddTags'])
  })
})

test('a load balancer is made in nine calls, marked in those that create, and stamped last', async () => {
  await serve()
  expect(since(0)).toEqual(made)
  for (const { action, params } of rig.fake.journal.filter((at) =>
    at.action.startsWith('Create'),
  )) {
    expect(JSON.stringify(params), action).toContain('"weir:installation"')
  }
})

test('asking again changes nothing', async () => {
  await serve()
  const before = rig.fake.journal.length
  await serve()
  expect(since(before)).toEqual([])
})

test('it goes in the order in which AWS lets go', async () => {
  await serve({ frontends: [atPort(80), atPort(443)] })
  const before = rig.fake.journal.length
  await remove()
  expect(since(before)).toEqual([
    'DeleteLoadBalancer',
    'DeleteTargetGroup',
    'DeleteTargetGroup',
    'DeleteSecurityGroup',
  ])
})

test('more than 200 targets are registered and deregistered 200 at a time', async () => {
  const targets = Array.from({ length: 450 }, (_, index) => {
    const instance = `i-${(0xabc00000 + index).toString(16)}`
    rig.fake.premises.instances.set(instance, '10.1.0.1')
    return { node: `n${index}`, ip: '10.1.0.1', weight: 1, providerId: providerIdOf(instance) }
  }) as never
  await serve({ targets })
  const calls = (action: string) => since(0).filter((name) => name === action).length
  expect(calls('RegisterTargets')).toBe(3)
  await serve({ targets: [], generation: 2 })
  expect(calls('DeregisterTargets')).toBe(3)
})

test('a target of weight 0 takes no new connections and drains', async () => {
  await serve()
  const [first, second] = rig.sample().targets
  if (first === undefined || second === undefined) throw new Error('a sample has two targets')
  const desired = rig.sample(1, { targets: [{ ...first, weight: 0 }, second], generation: 2 })
  await carryOut(rig.driver, { order: 'serve', desired })
  const seen = await rig.driver.observe(desired.marks)
  const states = seen.status === 'present' ? seen.targets.map((at) => [at.node, at.weight]) : []
  expect(states).toEqual([
    [fakeInstances[0], 0],
    [fakeInstances[1], null],
  ])
})
