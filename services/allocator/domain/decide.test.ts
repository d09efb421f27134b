import {
  clusterId,
  driverName,
  event,
  intentHash,
  ipAddress,
  pool as poolSchema,
  port,
  serviceUid,
  tenantId,
  type DomainEvent,
  type LoadBalancerIntent,
  type Pool,
  type RecordedEvent,
  type ServiceObservation,
} from '@weir/contract'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAddressIndex, type AddressIndex } from './address-index.ts'
import { decide } from './decide.ts'
import type { Decision } from './decision.ts'
import { builtInDrivers } from './drivers.ts'
import { evolve, initialFacts } from './fold.ts'

const acme = tenantId.parse('acme')
const uid = (n: number) =>
  serviceUid.parse(`00000000-0000-4000-8000-${n.toString().padStart(12, '0')}`)
const web = uid(1)
const mail = uid(2)
const octavia = driverName.parse('octavia')
const home = clusterId.parse('11111111-1111-4111-8111-111111111111')
const now = Date.parse('2026-01-01T00:00:00Z')

const poolOf = (name: string, block: string, more: object = {}): Pool =>
  poolSchema.parse({
    name,
    ranges: [block],
    priority: 10,
    tenants: null,
    quarantineSeconds: 60,
    ...more,
  })

const intent = (more: Partial<LoadBalancerIntent> = {}): LoadBalancerIntent => ({
  ports: [{ name: '', protocol: 'TCP', port: port.parse(80), nodePort: port.parse(30080) }],
  externalTrafficPolicy: 'Cluster',
  healthCheckNodePort: null,
  sourceRanges: [],
  sessionAffinity: { kind: 'None' },
  ipFamilies: ['IPv4'],
  requestedAddress: null,
  requestedPool: null,
  proxyProtocol: 'none',
  invalid: [],
  ...more,
})

const seen = (more: Partial<ServiceObservation> = {}): ServiceObservation => ({
  kind: 'service',
  tenant: acme,
  cluster: home,
  watcherEpoch: 1,
  order: 1,
  seenAt: '2026-01-01T00:00:00Z',
  serviceUid: web,
  namespace: 'default',
  name: 'web',
  phase: 'present',
  intent: intent(),
  ...more,
})

/** A Service's story: what the decisions so far would have left in the log. */
const recorded = (events: readonly DomainEvent[]): RecordedEvent[] =>
  events.map(
    (each, index) =>
      ({
        ...each,
        subject: /^(Finalizer|Status)/.test(each.type)
          ? `status-${web}`
          : each.type.startsWith('Resource')
            ? `resource-edge-${web}`
            : `lb-${web}`,
        streamversion: index + 1,
      }) as unknown as RecordedEvent,
  )

const held = (index: AddressIndex, ip: string, holder: string): void =>
  index.set({
    ip: ipAddress.parse(ip),
    tenant: acme,
    holder,
    lastHolder: null,
    releasedAt: null,
    restsUntil: null,
  })
const resting = (
  index: AddressIndex,
  ip: string,
  last: string,
  releasedAt: number,
  until: number,
) =>
  index.set({
    ip: ipAddress.parse(ip),
    tenant: acme,
    holder: null,
    lastHolder: last,
    releasedAt,
    restsUntil: until,
  })

interface Given {
  readonly story?: readonly DomainEvent[]
  readonly pools?: readonly Pool[]
  readonly index?: (index: AddressIndex) => void
  readonly sees?: Partial<ServiceObservation>
}

const when = ({
  story = [],
  pools = [poolOf('public', '198.51.100.0/30')],
  index,
  sees,
}: Given): Decision => {
  const addresses = createAddressIndex()
  index?.(addresses)
  return decide({
    facts: recorded(story).reduce(evolve, initialFacts),
    seen: seen(sees),
    ...common,
    pools,
    index: addresses,
    now,
  })
}

const common = {
  groups: new Map(),
  driver: driverName.parse('edge'),
  drivers: new Map([
    ...builtInDrivers,
    [octavia, { addresses: 'provider', tenant: null, removed: false }] as const,
  ]),
  deregistered: false,
}

const types = (decision: Decision): string[] => decision.events.map((each) => each.type)
const addressOf = (decision: Decision): string | undefined => {
  const found = decision.events.find((each) => each.type === 'FrontendsAllocated')
  return found?.type === 'FrontendsAllocated' ? found.data.leases[0]?.ip : undefined
}

const requested = (wish = intent()): DomainEvent =>
  event('LoadBalancerRequested', {
    cluster: home,
    serviceUid: web,
    namespace: 'default',
    name: 'web',
    driver: driverName.parse('edge'),
    intent: wish,
    intentHash: intentHash(wish),
  })
const allocated = (ip = '198.51.100.0', ports = [80]): DomainEvent =>
  event('FrontendsAllocated', {
    leases: [{ ip: ipAddress.parse(ip), pool: poolOf('public', '198.51.100.0/30').name }],
    frontends: ports.map((each) => ({
      ip: ipAddress.parse(ip),
      protocol: 'TCP' as const,
      port: port.parse(each),
    })),
    choice: 'never-used',
    considered: [],
  })
const releaseRequested = event('ReleaseRequested', { reason: 'service-deleted' })
const absent = event('ResourceAbsent', {
  key: `edge-${web}` as never,
  epoch: 1,
  confirmedBy: ['edge-1'],
})
const finalizerRemoved = event('FinalizerRemoved', { objectGone: false })
const released = event('FrontendsReleased', { leases: [], frontends: [], quarantineUntil: null })

describe('a Service that is wanted', () => {
  test('is requested and gets the lowest address that was never used', () => {
    const decision = when({ index: (index) => held(index, '198.51.100.0', mail) })
    expect(types(decision)).toEqual(['LoadBalancerRequested', 'FrontendsAllocated'])
    expect(addressOf(decision)).toBe('198.51.100.1')
    expect(decision.claims).toHaveLength(2)
  })

  test('is asked twice and answered once', () => {
    expect(when({ story: [requested(), allocated()] })).toEqual({ events: [], claims: [] })
  })

  test('comes back to the address it had, even while that rests', () => {
    const decision = when({
      story: [
        requested(),
        allocated(),
        releaseRequested,
        absent,
        finalizerRemoved,
        released,
        event('FinalizerAdded', { resourceVersion: '9' }),
      ],
      index: (index) => resting(index, '198.51.100.3', web, now - 1000, now + 60_000),
    })
    expect(addressOf(decision)).toBe('198.51.100.3')
  })

  test('does not begin a new life before the finalizer is on again', () => {
    const story = [requested(), allocated(), releaseRequested, absent, finalizerRemoved, released]
    expect(when({ story })).toEqual({ events: [], claims: [] })
  })

  test('takes the address released longest ago when all were used, but none that rests', () => {
    const decision = when({
      pools: [poolOf('public', '198.51.100.0/31')],
      index: (index) => {
        resting(index, '198.51.100.1', mail, now - 90_000, now - 30_000)
        resting(index, '198.51.100.0', mail, now - 10_000, now + 50_000)
      },
    })
    expect(addressOf(decision)).toBe('198.51.100.1')
  })

  test('tries pools by priority, then by name', () => {
    const pools = [
      poolOf('b', '192.0.2.0/24'),
      poolOf('a', '203.0.113.0/24'),
      poolOf('z', '198.51.100.0/24', { priority: 1 }),
    ]
    expect(addressOf(when({ pools }))).toBe('198.51.100.0')
    expect(addressOf(when({ pools: pools.slice(0, 2) }))).toBe('203.0.113.0')
  })

  test.each<[string, Given, string]>([
    ['no pool exists', { pools: [] }, 'PoolMissing'],
    [
      "the only pool is another tenant's",
      { pools: [poolOf('p', '192.0.2.0/24', { tenants: ['globex'] })] },
      'PoolMissing',
    ],
    [
      'the pool it names does not exist',
      { sees: { intent: intent({ requestedPool: poolOf('x', '192.0.2.0/24').name }) } },
      'PoolMissing',
    ],
    [
      'every address is held',
      { pools: [poolOf('p', '198.51.100.0/32')], index: (i) => held(i, '198.51.100.0', mail) },
      'PoolExhausted',
    ],
    [
      'every address rests',
      {
        pools: [poolOf('p', '198.51.100.0/32')],
        index: (i) => resting(i, '198.51.100.0', mail, now, now + 1),
      },
      'PoolExhausted',
    ],
    [
      'it asks for an address of no pool',
      { sees: { intent: intent({ requestedAddress: ipAddress.parse('192.0.2.1') }) } },
      'AddressNotInPool',
    ],
    [
      'it asks for an address somebody holds',
      {
        sees: { intent: intent({ requestedAddress: ipAddress.parse('198.51.100.1') }) },
        index: (i) => held(i, '198.51.100.1', mail),
      },
      'AddressTaken',
    ],
    [
      'it needs SCTP',
      {
        sees: {
          intent: intent({
            ports: [{ name: '', protocol: 'SCTP', port: port.parse(80), nodePort: null }],
          }),
        },
      },
      'ProtocolUnsupported',
    ],
    [
      'it needs IPv6 and no pool has any',
      { sees: { intent: intent({ ipFamilies: ['IPv6'] }) } },
      'FamilyUnsupported',
    ],
    [
      'a field breaks a rule',
      { sees: { intent: intent({ invalid: [{ field: 'spec.x', problem: 'no' }] }) } },
      'IntentInvalid',
    ],
  ])('is refused by name when %s', (_why, given, refusal) => {
    const decision = when(given)
    expect(types(decision)).toEqual(['LoadBalancerRequested', refusal])
    expect(decision.claims).toEqual([])
  })

  test('is refused once per wish, and served when the cause is gone', () => {
    const refusal = event('PoolMissing', { intentHash: intentHash(intent()), requestedPool: null })
    expect(types(when({ story: [requested(), refusal], pools: [] }))).toEqual([])
    expect(types(when({ story: [requested(), refusal] }))).toEqual(['FrontendsAllocated'])
  })
})

describe('a Service that serves', () => {
  const serving = [requested(), allocated()]

  test('keeps its address when a port changes, and lets the old port go', () => {
    const ports = [
      { name: '', protocol: 'TCP' as const, port: port.parse(81), nodePort: port.parse(30080) },
    ]
    const decision = when({ story: serving, sees: { intent: intent({ ports }) } })
    expect(types(decision)).toEqual(['LoadBalancerChanged', 'FrontendsAllocated'])
    expect(addressOf(decision)).toBe('198.51.100.0')
    expect(decision.claims.filter((claim) => claim.change === 'release')).toHaveLength(1)
  })

  test('goes on serving its old wish while a new one is refused', () => {
    const wish = intent({ requestedAddress: ipAddress.parse('192.0.2.9') })
    const decision = when({ story: serving, sees: { intent: wish } })
    expect(types(decision)).toEqual(['AddressNotInPool'])
    expect(decision.claims).toEqual([])
  })

  test('moves to another address only by taking it before the old one goes', () => {
    const wish = intent({ requestedAddress: ipAddress.parse('198.51.100.2') })
    const decision = when({ story: serving, sees: { intent: wish } })
    expect(addressOf(decision)).toBe('198.51.100.2')
    const changes = decision.claims.map((claim) => claim.change)
    expect(changes.lastIndexOf('take')).toBeLessThan(changes.indexOf('release'))
  })

  test('is not renumbered when its pool is gone', () => {
    expect(types(when({ story: serving, pools: [] }))).toEqual([])
  })

  test.each([
    ['deleting', 'service-deleted'],
    ['unwanted', 'no-longer-wanted'],
    ['gone', 'service-gone'],
  ] as const)('is released once it is %s', (phase, reason) => {
    const decision = when({ story: serving, sees: { phase } })
    expect(decision.events).toEqual([event('ReleaseRequested', { reason })])
    expect(decision.claims).toEqual([])
  })
})

describe('a load balancer on its way out', () => {
  const leaving = [requested(), allocated(), releaseRequested]

  test.each<[string, DomainEvent[]]>([
    ['nothing else happened', []],
    ['the resource may still exist', [finalizerRemoved]],
    ['the finalizer is still on', [absent]],
  ])('keeps its address while %s', (_why, since) => {
    expect(when({ story: [...leaving, ...since], sees: { phase: 'deleting' } }).events).toEqual([])
  })

  test('lets go of everything once absent and unguarded, and the address rests', () => {
    const story = [...leaving, absent, finalizerRemoved]
    const decision = when({ story, sees: { phase: 'deleting' } })
    expect(types(decision)).toEqual(['FrontendsReleased'])
    expect(decision.claims).toContainEqual({
      change: 'release',
      at: '198.51.100.0',
      restMs: 60_000,
    })
  })
})

test('no two holders ever share an address, whatever the order of coming and going', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.boolean()), { maxLength: 60 }),
      (acts) => {
        const index = createAddressIndex()
        const pools = [poolOf('public', '198.51.100.0/29')]
        const holding = new Map<number, string>()
        acts.forEach(([who, comes], at) => {
          const ip = holding.get(who)
          if (!comes && ip !== undefined) {
            resting(index, ip, uid(who), at, at + 3)
            holding.delete(who)
          }
          if (!comes || ip !== undefined) return
          const sees = { ...seen({ serviceUid: uid(who) }) }
          const facts = initialFacts
          const got = addressOf(decide({ ...common, facts, seen: sees, pools, index, now: at }))
          if (got === undefined) return
          expect([...holding.values()]).not.toContain(got)
          held(index, got, uid(who))
          holding.set(who, got)
        })
      },
    ),
  )
})

describe('an address that is moved from', () => {
  const frontendsAt = (ip: string, generation: number, epoch = 1): DomainEvent =>
    event('ResourceIntended', {
      key: `edge-${web}`,
      epoch,
      generation,
      driver: 'edge',
      externalName: 'x',
      desired: { generation, frontends: [{ ip, protocol: 'TCP', port: 80, nodePort: 30_080 }] },
    } as never)
  const shown = (ip: string, generation: number, epoch = 1): DomainEvent =>
    event('StatusPublished', {
      ingress: [{ ip: ipAddress.parse(ip), ipMode: 'VIP' }],
      epoch,
      generation,
    })
  const wish = intent({ requestedAddress: ipAddress.parse('198.51.100.2') })
  const served = [requested(), allocated(), frontendsAt('198.51.100.0', 1)]
  const move = (story: readonly DomainEvent[]): Decision => when({ story, sees: { intent: wish } })
  const moved = [...served, ...move(served).events]

  test('is held while the resource may use it', () => {
    const decision = move(served)
    expect(decision.events.at(-1)?.data).toMatchObject({
      leases: [{ ip: '198.51.100.2' }],
      leaving: [{ ip: '198.51.100.0' }],
    })
    const letGo = decision.claims.filter(({ change }) => change === 'release')
    expect(letGo.map(({ at }) => at)).toEqual([expect.objectContaining({ ip: '198.51.100.0' })])
  })

  test.each([
    ['was intended only', [frontendsAt('198.51.100.2', 2)]],
    ['is shown as it was', [frontendsAt('198.51.100.2', 2), shown('198.51.100.0', 1)]],
    [
      'is intended with it again',
      [frontendsAt('198.51.100.2', 2), frontendsAt('198.51.100.0', 3), shown('198.51.100.0', 3)],
    ],
  ])('stays held while what serves %s', (_, more) =>
    expect(move([...moved, ...more])).toEqual({ events: [], claims: [] }),
  )

  test('is let go, and rests, once what is shown is without it; and once', () => {
    const story = [...moved, frontendsAt('198.51.100.2', 2), shown('198.51.100.2', 2)]
    const decision = move(story)
    expect(types(decision)).toEqual(['FrontendsVacated'])
    expect(decision.claims).toEqual([{ change: 'release', at: '198.51.100.0', restMs: 60_000 }])
    expect(move([...story, ...decision.events])).toEqual({ events: [], claims: [] })
  })

  test('is none for a Service that never moved', () => {
    const story = [requested(wish), allocated('198.51.100.2'), frontendsAt('198.51.100.2', 1)]
    expect(move([...story, shown('198.51.100.2', 1)])).toEqual({ events: [], claims: [] })
  })

  test('is had back for the asking', () => {
    const back = intent({ requestedAddress: ipAddress.parse('198.51.100.0') })
    const decision = when({
      story: moved,
      index: (index) => held(index, '198.51.100.0', web),
      sees: { intent: back },
    })
    expect(decision.events.at(-1)?.data).toMatchObject({
      leases: [{ ip: '198.51.100.0' }],
      leaving: [{ ip: '198.51.100.2' }],
    })
  })

  test('goes with the life', () => {
    const over = [...moved, releaseRequested, absent, finalizerRemoved]
    const decision = when({ story: over, sees: { phase: 'gone' } })
    const ips = decision.claims.map(({ at }) => at).filter((at) => typeof at === 'string')
    expect(ips).toEqual(['198.51.100.2', '198.51.100.0'])
  })

  test('goes with the newer one when the Service left for a cloud, in one step', () => {
    const atCloud: Given = { sees: { intent: intent({ requestedDriver: octavia }) } }
    const away = [...moved, ...when({ ...atCloud, story: moved }).events]
    const story = away.concat(frontendsAt('0.0.0.0', 1, 2), shown('203.0.113.7', 1, 2), absent)
    const decision = when({ ...atCloud, story })
    expect(decision.events).toEqual([
      event('FrontendsAllocated', {
        leases: [],
        frontends: [],
        choice: 'provider',
        considered: [],
      }),
    ])
    const rests = decision.claims.flatMap((claim) =>
      claim.change === 'release' && claim.restMs > 0 ? [claim.at] : [],
    )
    expect(rests).toEqual(['198.51.100.0', '198.51.100.2'])
    const after = when({ ...atCloud, story: [...story, ...decision.events] })
    expect(after).toEqual({ events: [], claims: [] })
  })

  test('is one of a few: a Service that changes on and on holds no pool', () => {
    let story: readonly DomainEvent[] = served
    const pools = [poolOf('public', '198.51.100.0/24')]
    for (let nth = 1; nth <= 9; nth += 1) {
      const to = intent({ requestedAddress: ipAddress.parse(`198.51.100.${nth}`) })
      const decision = when({ story, pools, sees: { intent: to } })
      story = [...story, ...decision.events]
      const last = decision.events.at(-1)
      expect(last?.type === 'FrontendsAllocated' && last.data.leaving?.length).toBeLessThan(5)
    }
  })
})
