// The verdict is only worth what it finds: each crime once, and none where there is none.
import { expect, test } from 'vitest'
import { isClean, judge, type Evidence, type LogEvent, type ServiceObject } from './judge.ts'
import type { Change, Owner, Thing } from './providers/provider.ts'

const service = '0b2c7d1e-64f3-4c55-8f2a-91d7e0a4b6c3'
const owner: Owner = { installation: 'chaos', service, key: `aws-${service}`, epoch: 1 }
const web = (over: Partial<ServiceObject> = {}): ServiceObject => ({
  metadata: { name: 'web', uid: service, finalizers: ['weir.dev/load-balancer-cleanup'] },
  spec: { type: 'LoadBalancer', loadBalancerClass: 'weir.dev/aws', ports: [{ port: 80 }] },
  status: { loadBalancer: { ingress: [{ hostname: 'web.example' }] } },
  ...over,
})
const told = (at: number, type: string, data: object = {}): LogEvent => ({
  sequence: at,
  type,
  story: service,
  at,
  data: { key: owner.key, epoch: 1, ...data },
})
const balancer: Thing = { kind: 'load balancer', ref: 'lb-1', owner, whole: true, ports: [80] }
const change = (effect: Change['effect'], at: number, over: Partial<Change> = {}): Change => ({
  at,
  effect,
  kind: 'load balancer',
  ref: 'lb-1',
  owner,
  whole: true,
  ...over,
})
const intended = told(10, 'ResourceIntended')
const living = (
  over: Partial<Evidence> = {},
  things = [balancer],
  changes = [change('create', 11)],
) => ({
  installation: 'chaos',
  services: [web()],
  log: [intended],
  holders: [],
  providers: [{ name: 'aws', things, changes }],
  ...over,
})
const gone = (log: LogEvent[], changes: Change[], things: Thing[] = []): Evidence =>
  living({ services: [], log }, things, changes)
const counts = (evidence: Evidence): object => {
  const { leaked, wronglyDeleted, stuck, unintended } = judge(evidence)
  return {
    leaked: leaked.length,
    wronglyDeleted: wronglyDeleted.length,
    stuck: stuck.length,
    unintended: unintended.length,
  }
}
const none = { leaked: 0, wronglyDeleted: 0, stuck: 0, unintended: 0 }

test('a Service that is served, and one that was released and is gone, are clean', () => {
  expect(isClean(judge(living()))).toBe(true)
  const release = [
    intended,
    told(20, 'ReleaseRequested'),
    told(21, 'ResourceDeleteIntended', { reason: 'released' }),
  ]
  expect(isClean(judge(gone(release, [change('create', 11), change('delete', 22)])))).toBe(true)
})

test.each<[string, object, Evidence]>([
  ['whose Service is gone', { leaked: 1 }, gone([intended], [change('create', 11)], [balancer])],
  [
    'of an earlier epoch',
    { leaked: 1 },
    living({ log: [intended, told(12, 'ResourceIntended', { epoch: 2 })] }),
  ],
  [
    'whose Service has moved away',
    { leaked: 1, wronglyDeleted: 1 },
    living({ services: [web({ spec: { ...web().spec, loadBalancerClass: 'weir.dev/edge' } })] }),
  ],
  ['that is there twice', { leaked: 1 }, living({}, [balancer, { ...balancer, ref: 'lb-2' }])],
  ['whose part is left', { leaked: 1 }, gone([intended], [], [{ ...balancer, whole: false }])],
  ['that is an address still held', { leaked: 1 }, { ...living(), holders: ['somebody'] }],
])('a thing %s is leaked', (_, found, evidence) => {
  expect(counts(evidence)).toEqual({ ...none, ...found })
})

test("things of others, with other marks or none, are nobody's crime", () => {
  const others = [null, { ...owner, installation: 'other' }].map((each) => ({
    ...balancer,
    owner: each,
  }))
  expect(isClean(judge(gone([], [], others)))).toBe(true)
})

const deletes: [string, LogEvent[], number][] = [
  ['with no word in the log', [intended], 1],
  [
    'before its intent',
    [
      intended,
      told(20, 'ReleaseRequested'),
      told(23, 'ResourceDeleteIntended', { reason: 'released' }),
    ],
    1,
  ],
  ['released by nobody', [intended, told(21, 'ResourceDeleteIntended', { reason: 'released' })], 1],
  [
    'as an orphan that nobody condemned',
    [intended, told(21, 'ResourceDeleteIntended', { reason: 'orphan' })],
    1,
  ],
  [
    'of a later epoch than was meant',
    [
      intended,
      told(20, 'ReleaseRequested'),
      told(21, 'ResourceDeleteIntended', { epoch: 0, reason: 'released' }),
    ],
    1,
  ],
  ['condemned by its own name', [intended, told(20, 'OrphanCondemned', { ref: 'lb-1' })], 0],
  [
    'moved',
    [intended, told(20, 'DriverChanged'), told(21, 'ResourceDeleteIntended', { reason: 'moved' })],
    0,
  ],
]
test.each(deletes)('a delete %s', (_, log, wrong) => {
  const found = counts(gone(log, [change('create', 11), change('delete', 22)]))
  expect(found).toEqual({ ...none, wronglyDeleted: wrong })
})

test('what failed, or is one too many, goes under an intent that lives once the log tells', () => {
  const changes = [change('create', 11), change('delete', 22)]
  const discarded = (ref: string) => ({ log: [intended, told(20, 'ResourceDiscarded', { ref })] })
  expect(counts(living(discarded('lb-1'), [balancer], changes))).toEqual(none)
  const wrong = { ...none, wronglyDeleted: 1 }
  expect(counts(living(discarded('lb-2'), [balancer], changes))).toEqual(wrong)
  expect(counts(living({}, [balancer], changes))).toEqual(wrong)
})

test('a part may go when the whole was changed, and only then', () => {
  const part = change('delete', 22, { kind: 'listener', ref: 'l-1', whole: false })
  const changed = [intended, told(20, 'ResourceIntended', { generation: 2 })]
  expect(counts(living({ log: changed }, [balancer], [part]))).toEqual(none)
  expect(counts(living({}, [balancer], [part]))).toEqual({ ...none, wronglyDeleted: 1 })
})

test.each<[string, object, Evidence]>([
  ['nothing serves', { wronglyDeleted: 1 }, living({}, [])],
  ['a port of is closed', { wronglyDeleted: 1 }, living({}, [{ ...balancer, ports: [] }])],
  [
    'a port too many of is open',
    { wronglyDeleted: 1 },
    living({}, [{ ...balancer, ports: [80, 81] }]),
  ],
])('a Service that shows an address and that %s is found', (_, found, evidence) => {
  expect(counts(evidence)).toEqual({ ...none, ...found })
})

test.each<[string, ServiceObject, number]>([
  ['without an address', web({ status: {} }), 1],
  ['that never ends', web({ metadata: { ...web().metadata, deletionTimestamp: 'x' } }), 1],
  [
    'that is none any more and keeps our finalizer',
    web({ spec: { type: 'ClusterIP', ports: [] }, status: {} }),
    1,
  ],
  [
    'that is none any more and shows an address',
    web({ metadata: { name: 'web', uid: service }, spec: { type: 'ClusterIP', ports: [] } }),
    1,
  ],
  [
    'that is none any more',
    web({
      metadata: { name: 'web', uid: service },
      spec: { type: 'ClusterIP', ports: [] },
      status: {},
    }),
    0,
  ],
])('a Service %s', (_, object, stuck) => {
  expect(counts(living({ services: [object] }, []))).toEqual({ ...none, stuck })
})

test('a thing made before its intent, or for another epoch, is found', () => {
  expect(counts(living({}, [balancer], [change('create', 9)]))).toEqual({ ...none, unintended: 1 })
  const second = change('create', 11, { owner: { ...owner, epoch: 2 } })
  expect(counts(living({}, [balancer], [second]))).toEqual({ ...none, unintended: 1 })
})
