import { desiredHash, type DesiredResource } from '@weir/contract'
import { describe, expect, test } from 'vitest'
import type { Observed, Order } from '../driver.ts'
import { desiredOf, ourInstallation, type SampleOver } from '../sample-desired.ts'
import { octaviaCapabilities, reduceTo } from './features.ts'
import type { Ours, View } from './observe.ts'
import { plan } from './plan.ts'
import { octaviaSettings } from './settings.ts'
import { wishOf } from './wish.ts'

const settings = octaviaSettings.parse({
  authUrl: null,
  endpoint: 'http://127.0.0.1:9876',
  projectId: 'a'.repeat(32),
  vipSubnetId: 'b'.repeat(32),
})
const sample = (over: SampleOver = {}): DesiredResource =>
  desiredOf(1, {
    driver: 'octavia',
    frontends: [{ ip: '0.0.0.0', protocol: 'TCP', port: 80, nodePort: 30_080 }] as never,
    ...over,
  })
const frontends = (...given: readonly object[]): SampleOver => ({
  frontends: given.map((each) => ({ ...sample().frontends[0], ...each })) as never,
})

const minute = 60_000
const balancer = (status: string, over: Partial<Ours['balancer']> = {}): Ours => ({
  balancer: {
    id: `lb-${status}`,
    name: 'weir-x',
    project_id: 'p',
    provisioning_status: status,
    operating_status: 'ONLINE',
    vip_address: '198.51.100.7',
    vip_port_id: 'port',
    admin_state_up: true,
    tags: [],
    created_at: 0,
    updated_at: null,
    ...over,
  },
  labels: { marks: sample().marks, generation: 1, hash: desiredHash(sample()), shape: 's' },
})
const seen = (same: readonly Ours[], over: Partial<View> = {}): Observed<View> => {
  const view: View = {
    at: 10 * minute,
    capabilities: octaviaCapabilities(settings),
    project: 'p',
    same,
    others: [],
    parts: same[0]?.balancer.provisioning_status === 'ACTIVE' ? { listeners: [], pools: [] } : null,
    floatingIps: [],
    ...over,
  }
  return { status: 'absent', confirmedBy: [], view }
}
const rules = { installation: ourInstallation, settings, errorRestMs: minute }
const serve = (over: SampleOver = {}): Order => ({ order: 'serve', desired: sample(over) })
const remove: Order = { order: 'remove', marks: sample().marks }
const titles = (order: Order, at: Observed<View>) => {
  const made = plan(rules, order, at)
  return made.status === 'steps' ? made.steps.map(({ title }) => title) : made
}

describe('what the cloud holds is waited for', () => {
  test.each(['PENDING_CREATE', 'PENDING_UPDATE'])(
    '%s as it was told: nothing is left to ask',
    (status) => expect(titles(serve(), seen([balancer(status)]))).toEqual([]),
  )
  test.each(['PENDING_CREATE', 'PENDING_UPDATE', 'PENDING_DELETE'])(
    '%s, and another order',
    (status) =>
      expect(titles(serve({ generation: 2, targets: [] }), seen([balancer(status)]))).toMatchObject(
        {
          status: 'locked',
        },
      ),
  )
  test.each(['PENDING_CREATE', 'PENDING_UPDATE'])('%s cannot be removed yet', (status) =>
    expect(titles(remove, seen([balancer(status)]))).toMatchObject({ status: 'locked' }),
  )
  test('what goes already is not deleted twice', () =>
    expect(titles(remove, seen([balancer('PENDING_DELETE')]))).toEqual([]))
})

test('what is deleted while it is wanted says which and why; what is to go does not', () => {
  const two = [balancer('ACTIVE'), balancer('ACTIVE', { id: 'lb-younger' })]
  const discarded = (order: Order, all: readonly Ours[]) => {
    const made = plan(rules, order, seen(all))
    return made.status === 'steps' ? made.steps.map(({ discards }) => discards?.ref) : made
  }
  expect(discarded(serve(), [balancer('ERROR')])).toEqual(['lb-ERROR'])
  expect(discarded(serve(), two)).toContain('lb-younger')
  expect(discarded(remove, two)).toEqual([undefined, undefined])
})

describe('ERROR', () => {
  test('is replaced: deleted first, with everything in it', () =>
    expect(titles(serve(), seen([balancer('ERROR')]))).toEqual([
      'delete load balancer weir-x (lb-ERROR)',
    ]))
  test('rests for a minute, so that a broken cloud is not asked for ever', () => {
    const young = balancer('ERROR', { created_at: 9.5 * minute })
    expect(titles(serve(), seen([young]))).toEqual({ status: 'locked', retryMs: minute / 2 })
  })
  test('rests no longer than that when the clocks differ', () => {
    const ahead = balancer('ERROR', { created_at: 500 * minute })
    expect(titles(serve(), seen([ahead]))).toEqual({ status: 'locked', retryMs: minute })
  })
  test('is removed at once', () =>
    expect(titles(remove, seen([balancer('ERROR', { created_at: 10 * minute })]))).toHaveLength(1))
})

describe('two with the same marks', () => {
  const twin = balancer('ACTIVE', { id: 'twin', created_at: 5 })
  test('the second goes, whatever else is to be done', () =>
    expect(titles(serve(), seen([balancer('ACTIVE'), twin]))).toContain(
      'delete load balancer weir-x (twin)',
    ))
  test('both are removed', () =>
    expect(titles(remove, seen([balancer('ACTIVE'), twin]))).toHaveLength(2))
  test('one that is being made is waited for', () => {
    const wish = wishOf(settings, sample({ frontends: [] }))
    const kept = balancer('ACTIVE')
    const told = { ...kept, labels: { ...kept.labels, hash: wish.hash, shape: wish.shape } }
    const found = seen([told, balancer('PENDING_CREATE')])
    expect(titles(serve({ frontends: [] }), found)).toMatchObject({ status: 'locked' })
  })
})

describe('refused by name, before anything is asked', () => {
  const old = (minor: number) => ({ capabilities: reduceTo(minor, octaviaCapabilities(settings)) })
  test.each<[string, SampleOver, string, Partial<View>]>([
    ['Local without the PROXY protocol', { policy: 'Local' }, 'preservesClientAddress', {}],
    ['an address of our own', frontends({ ip: '192.0.2.1' }), 'addresses', {}],
    ['another family', frontends({ ip: '::' }), 'ipFamilies', {}],
    [
      'the PROXY protocol over UDP',
      { ...frontends({}, { protocol: 'UDP' }), proxyProtocol: 'v2' },
      'proxyProtocol',
      {},
    ],
    ['UDP before 2.16', frontends({ protocol: 'UDP' }), 'protocols', old(15)],
    ['SCTP before 2.23', frontends({ protocol: 'SCTP' }), 'protocols', old(22)],
    [
      'source ranges before 2.12',
      { sourceRanges: ['10.0.0.0/8'] as never },
      'sourceRanges',
      old(11),
    ],
    ['the PROXY protocol before 2.22', { proxyProtocol: 'v2' }, 'proxyProtocol', old(21)],
    ["another installation's marks", { installation: 'theirs' }, 'ownership', {}],
  ])('%s', (_what, over, capability, view) =>
    expect(titles(serve(over), seen([], view))).toMatchObject({ status: 'refused', capability }),
  )
})

describe('what members and blocks become', () => {
  const partOf = (over: SampleOver) => wishOf(settings, sample(over)).parts[0]!
  const targets = (...weights: readonly number[]): SampleOver => ({
    targets: weights.map((weight, index) => ({
      node: `n${index}`,
      ip: `10.0.0.${index}`,
      weight,
    })) as never,
  })
  test.each<[readonly number[], readonly number[]]>([
    [
      [1, 3, 0],
      [1, 3, 0],
    ],
    [
      [256, 1],
      [256, 1],
    ],
    [
      [65_535, 1, 0, 32_768],
      [256, 1, 0, 128],
    ],
  ])('weights %j are told as %j', (given, told) =>
    expect(partOf(targets(...given)).pool.members.map(({ weight }) => weight)).toEqual(told),
  )
  test('two nodes with one address are one member', () => {
    const twice = [...sample().targets, { ...sample().targets[0]!, node: 'other' }]
    expect(partOf({ targets: twice }).pool.members).toHaveLength(2)
  })
  test.each<[readonly string[], readonly string[]]>([
    [[], []],
    [['10.0.0.0/8', '2001:db8::/32'], ['10.0.0.0/8']],
    // Only the other family may connect: then nobody of this one, and never everybody.
    [['2001:db8::/32'], ['0.0.0.0/32']],
  ])('ranges %j are told as %j', (sourceRanges, told) =>
    expect(partOf({ sourceRanges: sourceRanges as never }).cidrs).toEqual(told),
  )
  test('affinity has a time-out where the protocol takes one', () => {
    const affinity = { kind: 'ClientIP', timeoutSeconds: 60 } as const
    expect(partOf({ affinity }).pool.persistence).toEqual({ seconds: null })
    expect(partOf({ affinity, ...frontends({ protocol: 'UDP' }) }).pool.persistence).toEqual({
      seconds: 60,
    })
  })
})
