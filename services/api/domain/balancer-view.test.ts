import type { RecordedEvent } from '@weir/contract'
import { describe, expect, test } from 'vitest'
import { intentOf, requested, said } from '../rig/api.ts'
import { balancerStatuses, evolveBalancer, statusText, viewOf } from './balancer-view.ts'

const service = '0b2c7d1e-64f3-4c55-8f2a-91d7e0a4b6c3'
const key = `edge-${service}`
const ip = '198.51.100.7'
const hash = 'b'.repeat(32)
const targets = [{ node: 'node-1', ip: '10.0.0.11', weight: 1 }]
const leases = [{ ip, pool: 'public' }]
const frontends = [{ ip, protocol: 'TCP', port: 443 }]

const asked = requested(service, 'web')
const allocated = said('FrontendsAllocated', {
  leases,
  frontends,
  choice: 'never-used',
  considered: ['public'],
})
const changed = said('LoadBalancerChanged', {
  intent: intentOf({ externalTrafficPolicy: 'Local' }),
  intentHash: hash,
  fields: ['externalTrafficPolicy'],
})
const intended = (generation: number) =>
  said('ResourceIntended', { key, epoch: 1, generation, desired: { targets } })
const programmed = (generation: number) =>
  said('ResourceProgrammed', {
    key,
    epoch: 1,
    generation,
    ingress: [{ ip, ipMode: 'Proxy' }],
    confirmedBy: ['edge-1'],
  })
const moved = (generation: number) =>
  said('TargetsChanged', {
    key,
    epoch: 1,
    generation,
    before: targets,
    after: [],
    cause: 'nodes',
  })
const taken = said('AddressTaken', { intentHash: hash, address: ip, holder: null })
const cannot = said('ResourceRefused', {
  key,
  driver: 'edge',
  capability: 'UDP',
  problem: 'it has no UDP',
  intentHash: hash,
})
const parked = said('ReconcileParked', { key, attempts: 10, problem: 'edge-1 does not answer' })
const releasing = said('ReleaseRequested', { reason: 'service-deleted' })
const absent = said('ResourceAbsent', { key, epoch: 1, confirmedBy: ['edge-1'] })
const released = said('FrontendsReleased', { leases, frontends, quarantineUntil: null })
const serving = [asked, allocated, intended(1), programmed(1)]

const given = (...events: readonly unknown[]) => {
  const story = (events as RecordedEvent[]).map((event, index) => ({
    ...event,
    recordedtime: `2026-03-01T12:00:${String(index).padStart(2, '0')}.000Z`,
  }))
  const state = story.reduce(evolveBalancer, undefined)
  if (!state) throw new Error('there is no load balancer')
  return viewOf(state)
}

describe('the status follows the story', () => {
  test.each<[string, readonly unknown[], string]>([
    ['asked for', [asked], 'Pending'],
    ['an address is held', [asked, allocated], 'Allocated'],
    ['a resource is intended', [asked, allocated, intended(1)], 'Programming'],
    ['a provider confirmed it', serving, 'Ready'],
    ['its targets move', [...serving, moved(2)], 'Programming'],
    ['an old generation is confirmed late', [...serving, moved(2), programmed(1)], 'Programming'],
    ['the new one is confirmed', [...serving, moved(2), programmed(2)], 'Ready'],
    ['a change that no provider need know of', [...serving, changed, allocated], 'Ready'],
    ['refused before it ever served', [asked, taken], 'Pending'],
    ['refused while it serves', [...serving, taken], 'Degraded'],
    ['it must go', [...serving, releasing], 'Releasing'],
    ['its resource is gone', [...serving, releasing, absent], 'Releasing'],
    ['its address is let go', [...serving, releasing, absent, released], 'Released'],
    ['it comes back', [...serving, releasing, absent, released, asked], 'Pending'],
  ])('%s', (_what, story, status) => expect(given(...story).status).toBe(status))

  test.each(balancerStatuses)('%s has words for people', (status) => {
    expect(statusText(status).length).toBeGreaterThan(4)
  })
})

describe('who takes no flows by health', () => {
  const health = (epoch: number, ...changes: readonly (readonly [string, number])[]) =>
    said('TargetHealthChanged', {
      key,
      epoch,
      generation: 1,
      changes: changes.map(([node, after]) => ({ node, before: 1, after, problem: 'no answer' })),
    })
  const [first, second] = [targets[0]?.node ?? '', 'node-9']
  const orderOf = (...nodes: readonly string[]) =>
    said('TargetsChanged', {
      key,
      epoch: 1,
      generation: 2,
      before: targets,
      after: nodes.map((node) => ({ node, ip: '10.0.0.9', weight: 1 })),
      cause: 'nodes',
    })

  test.each<[string, readonly unknown[], readonly string[]]>([
    ['nobody, unless the log says so', serving, []],
    ['a node that is out', [...serving, health(1, [first, 0])], [first]],
    ['not one that is back', [...serving, health(1, [first, 0]), health(1, [first, 1])], []],
    ['not one with another share', [...serving, health(1, [first, 3])], []],
    [
      'one that stays ordered',
      [...serving, health(1, [first, 0]), orderOf(first, second)],
      [first],
    ],
    ['not one that left the order', [...serving, health(1, [first, 0]), orderOf(second)], []],
    ['nobody of another incarnation', [...serving, health(7, [first, 0])], []],
    ['nobody once it is gone', [...serving, health(1, [first, 0]), releasing, absent], []],
  ])('%s', (_what, story, nodes) => {
    const { out } = given(...story)
    expect(out).toEqual(nodes.map((node) => ({ node, problem: 'no answer' })))
  })
})

describe('a move to a driver whose provider gives the address', () => {
  const cloud = `octavia-${service}`
  const ingress = [{ hostname: 'weir-1.cloud.example' }]
  const move = [
    said('DriverChanged', { from: 'edge', to: 'octavia', cause: 'cluster-default' }),
    said('FrontendsAllocated', { leases, frontends, choice: 'provider', considered: [] }),
  ]
  const at = { key: cloud, epoch: 2, generation: 1 }
  const made = [
    said('ResourceIntended', { ...at, desired: { targets } }),
    said('ResourceProgrammed', { ...at, ingress, confirmedBy: ['octavia'] }),
  ]
  const nothing = said('FrontendsAllocated', {
    leases: [],
    frontends: [],
    choice: 'provider',
    considered: [],
  })

  test('shows the old address and why it will change', () => {
    const view = given(...serving, ...move, moved(2), programmed(2))
    expect(view).toMatchObject({ driver: 'octavia', status: 'Programming', generation: 0 })
    expect(view.ingress).toEqual([{ ip, ipMode: 'Proxy' }])
    expect(view.reason).toMatchObject({ code: 'DriverChanging' })
  })

  test('that is refused is degraded, and serves as before', () => {
    const refused = said('ResourceRefused', {
      key: cloud,
      driver: 'octavia',
      capability: 'protocols',
      problem: 'no UDP',
      intentHash: hash,
    })
    const view = given(...serving, ...move, refused, moved(2), programmed(2))
    expect(view).toMatchObject({ status: 'Degraded', reason: { code: 'ResourceRefused' } })
  })

  test('ends with the new name, and the end of the old resource changes nothing', () => {
    const view = given(...serving, ...move, ...made, programmed(3), absent, nothing)
    expect(view).toMatchObject({ status: 'Ready', ingress, leases: [], reason: null, epoch: 2 })
  })

  test('that takes long is told of as that, not as attempts', () => {
    const problem = 'the provider has worked on "create" since noon'
    const slow = said('ReconcileParked', { key: cloud, attempts: 0, problem })
    expect(given(...serving, ...move, slow).reason).toMatchObject({ message: problem })
  })
})

describe('a reason stands', () => {
  const reasonAfter = (...story: readonly unknown[]) => given(...story).reason?.code ?? null

  test('with the cause and the way out', () => {
    expect(given(asked, taken).reason).toEqual({
      code: 'AddressTaken',
      message: 'the address 198.51.100.7 is held by another load balancer',
      fix: 'ask for another address, or for none; it heals when the holder lets go',
    })
  })

  test.each<[string, readonly unknown[], string | null]>([
    ['until the address is given', [asked, taken, allocated], null],
    ['until the wish is another one', [...serving, taken, changed], null],
    ['until nothing is wanted any more', [...serving, taken, releasing], null],
    [
      'also when targets move meanwhile',
      [...serving, taken, moved(2), programmed(2)],
      'AddressTaken',
    ],
    ['until a provider does it after all', [...serving, cannot, intended(2), programmed(2)], null],
    ['when a provider fails for long', [...serving, moved(2), parked], 'ReconcileParked'],
    ['until the provider is back', [...serving, moved(2), parked, programmed(2)], null],
    ['and a refusal is not hidden by a failure', [...serving, taken, parked], 'AddressTaken'],
    ['not into the next life', [asked, taken, releasing, absent, released, asked], null],
  ])('%s', (_what, story, code) => expect(reasonAfter(...story)).toBe(code))
})

describe('the owner sees', () => {
  test('what is held, where traffic goes and what was asked for last', () => {
    expect(given(...serving, changed)).toMatchObject({
      service,
      namespace: 'shop',
      name: 'web',
      leases,
      frontends,
      targets,
      ingress: [{ ip, ipMode: 'Proxy' }],
      intent: { externalTrafficPolicy: 'Local' },
      epoch: 1,
      generation: 1,
      updatedAt: '2026-03-01T12:00:04.000Z',
    })
  })

  test('nothing of it once it is gone', () => {
    const gone = given(...serving, releasing, absent, released)
    expect(gone).toMatchObject({ leases: [], frontends: [], ingress: [], targets: [] })
  })

  test('how often the Service has been a load balancer', () => {
    expect(given(...serving, releasing, absent, released, asked).life).toBe(2)
  })
})

test('a Service that never asked for a load balancer is none', () => {
  const added = said('FinalizerAdded', { resourceVersion: '1' }) as RecordedEvent
  expect(evolveBalancer(undefined, added)).toBeUndefined()
})
