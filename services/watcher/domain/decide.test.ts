import {
  event,
  hashOf,
  serviceUid,
  type DomainEvent,
  type EventData,
  type RecordedEvent,
} from '@weir/contract'
import { describe, expect, test } from 'vitest'
import { announcements } from './announce.ts'
import { decide, type Plan, type SeenForDecision } from './decide.ts'
import { foldStory } from './fold.ts'

const uid = serviceUid.parse('11111111-1111-4111-8111-111111111111')
const began = Date.parse('2026-01-01T00:00:00Z')
const hash = hashOf('wish')
const otherHash = hashOf('another wish')
const ip = '198.51.100.7'
const ingress = [{ ip, ipMode: 'Proxy' }] as unknown as EventData<'ResourceProgrammed'>['ingress']

// The stories below leave out what these decisions do not read.
const requested = event('LoadBalancerRequested', {
  cluster: '22222222-2222-4222-8222-222222222222',
  serviceUid: uid,
  namespace: 'default',
  name: 'web',
  intentHash: hash,
} as never)
const allocated = (...ips: string[]) =>
  event('FrontendsAllocated', { leases: ips.map((each) => ({ ip: each, pool: 'p' })) } as never)
const missing = (intentHash = hash) => event('PoolMissing', { intentHash, requestedPool: null })
const intended = (epoch = 1, targets: object[] = [{ node: 'n' }]) =>
  event('ResourceIntended', { epoch, generation: 1, desired: { targets } } as never)
const programmed = (epoch = 1, generation = 1) =>
  event('ResourceProgrammed', { epoch, generation, ingress } as never)
const published = event('StatusPublished', { ingress, epoch: 1, generation: 1 })
const parked = event('ReconcileParked', { attempts: 10, problem: 'quota' } as never)
const release = event('ReleaseRequested', { reason: 'service-deleted' })
const absent = (epoch = 1) => event('ResourceAbsent', { epoch } as never)
const held = event('FinalizerAdded', { resourceVersion: '2' })
const removed = event('FinalizerRemoved', { objectGone: false })
const over = event('FrontendsReleased', { leases: [], frontends: [], quarantineUntil: null })
const serving = [held, requested, allocated(ip), intended(), programmed()]

const streamOfType = (type: string): string =>
  /^(Finalizer|Status|Reason)/.test(type)
    ? `status-${uid}`
    : type.startsWith('Resource')
      ? 'resource-x'
      : 'lb-x'

const story = (events: readonly DomainEvent[]): RecordedEvent[] => {
  const versions = new Map<string, number>()
  return events.map((each, index) => {
    const subject = streamOfType(each.type)
    versions.set(subject, (versions.get(subject) ?? 0) + 1)
    const time = new Date(began + index).toISOString()
    const header = { id: `event-${index}`, subject, streamversion: versions.get(subject), time }
    return { ...each, ...header } as unknown as RecordedEvent
  })
}

const conditions = (...statuses: ('True' | 'False')[]): SeenForDecision['conditions'] =>
  ['Serving', 'Provisioning', 'Degraded'].map((name, index) => ({
    type: `weir.dev/${name}`,
    status: statuses[index] ?? 'False',
    reason: 'Programmed',
    message: 'traffic is accepted',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }))

const service: SeenForDecision = {
  wanted: true,
  deleting: false,
  held: true,
  resourceVersion: '5',
  intentHash: hash,
  ingress: [],
  reason: null,
  conditions: [],
}
const allIsWell = 'Programmed: traffic is accepted'
const shown = { ingress, reason: allIsWell, conditions: conditions('True', 'False', 'False') }

const given = (...events: DomainEvent[]) => ({
  seeing: (
    seen: Partial<SeenForDecision> | 'gone',
    more: { served?: boolean; leavingIsKnown?: boolean; afterMs?: number } = {},
  ): Plan =>
    decide({
      story: foldStory(story(events)),
      seen: seen === 'gone' ? undefined : { ...service, ...seen },
      served: more.served ?? true,
      leavingIsKnown: more.leavingIsKnown ?? false,
      now: began + (more.afterMs ?? 100),
    }),
})
const types = (plan: Plan): string[] => plan.events.map(({ type }) => type)
const quiet = { write: undefined, events: [] }

describe('an address', () => {
  test('is shown once the resource of the current epoch is programmed', () => {
    const plan = given(...serving).seeing({})
    expect(plan.write).toMatchObject({ kind: 'tell', ingress, reason: allIsWell })
    expect(plan.events).toEqual([published])
  })
  test('that is shown and recorded is left alone', () =>
    expect(given(...serving, published).seeing(shown)).toMatchObject(quiet))
  test('that is shown and not recorded, since we crashed in between, is recorded', () => {
    const plan = given(...serving).seeing(shown)
    expect(plan.write).toBeUndefined()
    expect(types(plan)).toEqual(['StatusPublished'])
  })
  test('that somebody cleared is shown again, and not recorded twice', () => {
    const plan = given(...serving, published).seeing({ conditions: shown.conditions })
    expect(plan.write).toMatchObject({ kind: 'tell', ingress })
    expect(plan.events).toEqual([])
  })
  test('that somebody overwrote is put right', () => {
    const plan = given(...serving, published).seeing({
      ...shown,
      ingress: [{ foreign: 'x.example' }],
    })
    expect(plan.write).toMatchObject({ kind: 'tell', ingress })
  })
  test('of a new generation that is the same address costs no write', () =>
    expect(given(...serving, published, programmed(1, 2)).seeing(shown)).toMatchObject(quiet))
  test('forged before ours is programmed is taken away after a while', () => {
    const plan = given(held, requested, allocated(ip)).seeing({ ingress })
    expect(plan.write).toMatchObject({ kind: 'tell', ingress: [] })
  })
})

describe('a reason', () => {
  test('is told by condition, annotation and record', () => {
    const plan = given(held, requested, missing()).seeing({})
    expect(plan.write).toMatchObject({
      kind: 'tell',
      reason:
        'PoolMissing: no address pool is open to this tenant. To fix: an operator can add one: weir pool create.',
    })
    expect(types(plan)).toEqual(['ReasonPublished'])
  })
  test('goes when an address comes', () => {
    const { write } = given(
      held,
      requested,
      missing(),
      allocated(ip),
      intended(),
      programmed(),
    ).seeing({
      reason: 'PoolMissing: ...',
    })
    expect(write).toMatchObject({ kind: 'tell', ingress, reason: allIsWell })
  })
  test('beside an address that still serves keeps the address', () => {
    const plan = given(...serving, published, missing(otherHash)).seeing({
      ...shown,
      intentHash: otherHash,
    })
    expect(plan.write).toMatchObject({
      kind: 'tell',
      reason: expect.stringMatching(/^PoolMissing/) as string,
    })
    expect(plan.write).not.toHaveProperty('ingress')
    expect(types(plan)).toEqual(['ReasonPublished'])
  })
  test('of a wish that was taken back goes, though no event says so', () => {
    const { write } = given(...serving, published, missing(otherHash)).seeing({
      ...shown,
      reason: 'x',
    })
    expect(write).toMatchObject({ kind: 'tell', reason: allIsWell })
  })
  test('is not told of a life that takes a moment', () =>
    expect(given(held, requested, allocated(ip)).seeing({})).toMatchObject({
      ...quiet,
      againInMs: 9901,
    }))
  test('is told of a life that takes long', () =>
    expect(
      given(held, requested, allocated(ip)).seeing({}, { afterMs: 11_000 }).write,
    ).toMatchObject({
      reason: expect.stringMatching(/^Provisioning/) as string,
    }))
  test('is the provider’s own when it fails and fails', () =>
    expect(
      given(held, requested, allocated(ip), intended(), parked).seeing({}, { afterMs: 11_000 })
        .write,
    ).toMatchObject({ reason: expect.stringMatching(/^ProviderFailing: quota/) as string }))
})

describe('letting go', () => {
  const leaving = { deleting: true, wanted: true }
  test('waits until the resource is confirmed absent', () =>
    expect(given(...serving, published, release).seeing({ ...shown, ...leaving })).toEqual({
      ...quiet,
      againInMs: undefined,
    }))
  test('clears and takes the finalizers off in one write, then records it', () => {
    const plan = given(...serving, published, release, absent()).seeing({ ...shown, ...leaving })
    expect(plan).toMatchObject({
      write: { kind: 'release', keepFinalizers: false },
      events: [removed],
    })
  })
  test('of an object that is gone is recorded as such', () =>
    expect(given(...serving, release, absent()).seeing('gone')).toMatchObject({
      write: undefined,
      events: [event('FinalizerRemoved', { objectGone: true })],
    }))
  test('of a Service that is wanted again keeps the finalizers for the next life', () => {
    const plan = given(...serving, published, release, absent()).seeing(shown)
    expect(plan.write).toEqual({ kind: 'release', keepFinalizers: true })
    expect(types(plan)).toEqual(['FinalizerRemoved', 'FinalizerAdded'])
  })
  test('of a Service that is wanted again, whose finalizer was stripped, leaves that to its news', () => {
    const plan = given(...serving, release, absent()).seeing({ held: false })
    expect(types(plan)).toEqual(['FinalizerRemoved'])
  })
  test('in a cluster that is served no longer takes the finalizers off what is wanted', () => {
    const plan = given(...serving, release, absent()).seeing(shown, { served: false })
    expect(plan.write).toEqual({ kind: 'release', keepFinalizers: false })
  })
  test('happens once', () =>
    expect(given(...serving, release, absent(), removed).seeing({ held: false })).toMatchObject(
      quiet,
    ))
  test('before a life began waits until the allocator knows', () => {
    const plan = given(held).seeing(leaving)
    expect(plan).toMatchObject({ ...quiet, againInMs: 1000 })
    const next = given(held).seeing(leaving, { leavingIsKnown: true })
    expect(next).toMatchObject({ write: { kind: 'release' }, events: [removed] })
  })
  test.each([
    ['before a life began', [held]],
    ['after its life, by a cluster that left', [...serving, release, absent(), over]],
  ])('%s is recorded of what is gone, once that is no read of before', (_, events) => {
    expect(given(...events).seeing('gone', { afterMs: 599_000 })).toMatchObject(quiet)
    const gone = event('FinalizerRemoved', { objectGone: true })
    const plan = given(...events).seeing('gone', { afterMs: 601_000 })
    expect(plan).toMatchObject({ write: undefined, events: [gone] })
    expect(given(...events, gone).seeing('gone', { afterMs: 1_300_000 })).toMatchObject(quiet)
  })
})

test('a finalizer whose record was lost is recorded, in a first life and in a later one', () => {
  expect(types(given().seeing({}))).toEqual(['FinalizerAdded'])
  const later = [...serving, release, absent(), removed, over]
  expect(types(given(...later).seeing({}))).toEqual(['FinalizerAdded'])
})

describe('Kubernetes Events', () => {
  const told = (events: DomainEvent[], afterMs = 1000): string[] => {
    const { life } = foldStory(story(events))
    return life
      ? announcements(life, began + afterMs).map(({ reason, message }) => `${reason}: ${message}`)
      : []
  }
  const birth = [
    'EnsuringLoadBalancer: Ensuring load balancer',
    `IPAllocated: Assigned IP ["${ip}"]`,
    'EnsuredLoadBalancer: Ensured load balancer',
  ]
  const targets = (...nodes: string[]) => nodes.map((node) => ({ node, weight: 1 }))
  const moved = (before: object[], after: object[]) =>
    event('TargetsChanged', { before, after, cause: 'nodes' } as never)

  test('tell a birth in the words people search for', () => expect(told(serving)).toEqual(birth))
  test('tell facts of one append one after the other, as a list is ordered by time', () => {
    const oneInstant = story(serving).map((each) => ({
      ...each,
      time: new Date(began).toISOString(),
    }))
    const { life } = foldStory(oneInstant)
    const times = life ? announcements(life, began).map(({ at }) => at - began) : []
    expect(times).toEqual([0, 1, 2])
  })
  test('tell an end only of what was made', () => {
    expect(told([...serving, release, absent()]).slice(3)).toEqual([
      'DeletingLoadBalancer: Deleting load balancer',
      'DeletedLoadBalancer: Deleted load balancer',
    ])
    expect(told([requested, missing(), release, absent(0)])).not.toContain(
      'DeletedLoadBalancer: Deleted load balancer',
    )
  })
  test('tell new hosts once they serve, and say nothing of mere weights', () => {
    const weights = moved(targets('a'), targets('a'))
    const hosts = moved(targets('a'), targets('a', 'b'))
    expect(told([...serving, weights, programmed(1, 2)])).toEqual(birth)
    expect(told([...serving, hosts])).toEqual(birth)
    expect(told([...serving, hosts, programmed(1, 2)]).at(-1)).toBe(
      'UpdatedLoadBalancer: Updated load balancer with new hosts',
    )
  })
  test('do not tell the same address again when ports change', () =>
    expect(told([...serving, allocated(ip), programmed(1, 2)])).toEqual(birth))
  test('warn of a Service without nodes, whose address stays', () =>
    expect(told([requested, allocated(ip), intended(1, []), programmed()]).join()).toContain(
      'UnAvailableLoadBalancer: There are no available nodes for LoadBalancer',
    ))
  test('warn of a refusal with cause and fix, and again before the warning is forgotten', () => {
    const refusal = [requested, missing()]
    expect(told(refusal).at(-1)).toBe(
      'AllocationFailed: Failed to allocate IP: no address pool is open to this tenant. To fix: an operator can add one: weir pool create.',
    )
    expect(told(refusal, 20 * 60_000)).toEqual([])
    expect(told(refusal, 50 * 60_000)).toHaveLength(1)
  })
  test('of long ago are history', () => expect(told(serving, 3_600_000)).toEqual([]))
})
