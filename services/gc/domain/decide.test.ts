import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decide,
  type Condemned,
  type Orphan,
  type Permission,
  type Rules,
  type Scan,
} from './decide.ts'

const rules: Rules = {
  settleMs: 15_000,
  graceMs: 60_000,
  atMost: 2,
  atMostShare: 0.1,
  breakerAtLeast: 5,
  breakerShare: 0.5,
}
const approved: Permission = {
  mode: 'apply',
  why: null,
  approvedAt: 0,
  paused: new Map(),
  ordered: new Set(),
}
const observing: Permission = { ...approved, mode: 'observe', why: 'nobody has approved it' }
const orphan = (ref: string, over: Partial<Orphan> = {}): Orphan => ({
  ref,
  tenant: 'acme',
  key: `edge-${ref}`,
  epoch: 1,
  goneAt: 1000,
  ...over,
})
const condemned = (ref: string, over: Partial<Condemned> = {}): Condemned => ({
  ref,
  tenant: 'acme',
  key: `edge-${ref}`,
  epoch: 1,
  condemned: `condemned-${ref}`,
  since: 1000,
  deleting: false,
  ...over,
})
const scan = (over: Partial<Scan>): Scan => ({
  began: 99_000,
  at: 100_000,
  hindrances: [],
  listed: 20,
  listedByTenant: { acme: 20 },
  orphans: [],
  reprieved: new Map(),
  condemned: [],
  tries: new Map(),
  ...over,
})
const refs = (things: readonly { readonly ref: string }[]) => things.map(({ ref }) => ref)
const due = (...names: readonly string[]): Partial<Scan> => ({
  orphans: names.map((ref) => orphan(ref)),
  condemned: names.map((ref) => condemned(ref)),
})

test('nothing is deleted at first sight: it is condemned', () => {
  const { condemn, remove } = decide(scan({ orphans: [orphan('a')] }), approved, rules)
  expect([refs(condemn), remove]).toEqual([['a'], []])
})

test('what lost its reason a moment ago is left to the provisioner', () => {
  const young = orphan('a', { goneAt: 90_000 })
  expect(decide(scan({ orphans: [young] }), approved, rules).condemn).toEqual([])
})

test('a condemned thing goes after the grace, when a later scan sees it', () => {
  expect(refs(decide(scan(due('a')), approved, rules).remove)).toEqual(['a'])
})

test('the grace runs from when it was condemned, however old the thing is', () => {
  const thing = condemned('a', { since: 50_000 })
  const young = scan({ ...due('a'), condemned: [thing] })
  expect(decide(young, approved, rules).remove).toEqual([])
})

test('the scan that condemned it is not the second one, however long it took', () => {
  const thing = condemned('a', { since: 10_000 })
  const same = scan({ ...due('a'), condemned: [thing], began: 9000 })
  expect(decide(same, approved, rules).remove).toEqual([])
})

test('of what is condemned already nothing more is said', () => {
  expect(decide(scan(due('a')), approved, rules)).toMatchObject({ condemn: [], spare: [] })
})

test('what has a reason again is spared, and what is not there any more', () => {
  const reprieved = new Map([['b', 'it is wanted']])
  const seen = scan({ condemned: [condemned('a'), condemned('b')], reprieved })
  expect(decide(seen, approved, rules).spare).toMatchObject([
    { thing: { ref: 'a' }, why: 'it is not there any more' },
    { thing: { ref: 'b' }, why: 'it is wanted' },
  ])
})

test('another incarnation under the same ref is condemned by itself', () => {
  const seen = scan({ ...due('a'), orphans: [orphan('a', { epoch: 2 })] })
  const { condemn, remove, spare } = decide(seen, approved, rules)
  expect([refs(condemn), remove, spare.length]).toEqual([['a'], [], 1])
})

test('what was deleted and is not listed is read until that is certain', () => {
  const seen = scan({ condemned: [condemned('a', { deleting: true })] })
  const { confirm, spare } = decide(seen, approved, rules)
  expect([refs(confirm), spare]).toEqual([['a'], []])
})

test.each(['inventory-empty: why', 'account: why', 'schema: why'])(
  'with %s nothing is done at all',
  (hindrance) => {
    const seen = scan({
      orphans: [orphan('a'), orphan('new')],
      condemned: [condemned('a'), condemned('gone'), condemned('lost', { deleting: true })],
      hindrances: [hindrance],
    })
    const nothing = { condemn: [], spare: [], remove: [], confirm: [], suspend: null }
    expect(decide(seen, approved, rules)).toEqual({ ...nothing, held: [hindrance] })
  },
)

test('observing condemns and spares, deletes nothing, and says what it would', () => {
  const lost = condemned('lost', { deleting: true })
  const seen = scan({ orphans: [orphan('a'), orphan('new')], condemned: [condemned('a'), lost] })
  const { condemn, remove, confirm, held } = decide(seen, observing, rules)
  expect([refs(condemn), remove, confirm]).toEqual([['new'], [], []])
  expect(held).toEqual(['1 orphans stay: nobody has approved it'])
})

test('what an operator ordered goes while all else is only observed', () => {
  const permission = { ...observing, ordered: new Set(['condemned-b']) }
  expect(refs(decide(scan(due('a', 'b')), permission, rules).remove)).toEqual(['b'])
})

test('an order for what was condemned before is none for what is condemned now', () => {
  const permission = { ...observing, ordered: new Set(['an older one']) }
  expect(decide(scan(due('a')), permission, rules).remove).toEqual([])
})

test('of a paused tenant nothing goes, not even by order', () => {
  const permission = {
    ...approved,
    paused: new Map([['acme', 'asked for']]),
    ordered: new Set(['condemned-a']),
  }
  const { remove, held } = decide(scan(due('a')), permission, rules)
  expect([remove, held]).toEqual([[], ['1 orphans stay: cleanup of their tenant is paused']])
})

test('one cycle takes few of each tenant, in the order of refs, and first what was tried least', () => {
  const seen = scan({ ...due('c', 'a', 'b'), tries: new Map([['a', 3]]) })
  const { remove, held } = decide(seen, approved, rules)
  expect(refs(remove)).toEqual(['b', 'c'])
  expect(held).toEqual(['1 orphans stay: limit per cycle'])
})

test('a tenant with much may lose its share in one cycle', () => {
  const seen = scan({ ...due('a', 'b', 'c'), listed: 30, listedByTenant: { acme: 30 } })
  expect(decide(seen, approved, rules).remove).toHaveLength(3)
})

const six = ['a', 'b', 'c', 'd', 'e', 'f']

test('many due at once open the breaker: nothing goes, and it says why', () => {
  const seen = scan({ ...due(...six), listed: 8, listedByTenant: { acme: 8 } })
  const { remove, suspend, held } = decide(seen, approved, rules)
  expect(remove).toEqual([])
  expect(suspend).toContain('6 of 8 resources')
  expect(held).toEqual([suspend])
})

test('many of one tenant open it too, however few they are of all', () => {
  const seen = scan({ ...due(...six), listed: 1000, listedByTenant: { acme: 8, others: 992 } })
  expect(decide(seen, approved, rules).suspend).toContain('6 of 8 resources of acme')
})

test('many that are a small part do not', () => {
  expect(decide(scan(due(...six)), approved, rules).suspend).toBeNull()
})

test('what was condemned before the approval has been seen by whoever approved', () => {
  const seen = scan({ ...due(...six), listed: 8, listedByTenant: { acme: 8 } })
  const { suspend, remove } = decide(seen, { ...approved, approvedAt: 2000 }, rules)
  expect([suspend, remove.length]).toEqual([null, 2])
})

test('whatever is found, the limits and the preconditions hold', () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 30 })
  const tenant = fc.constantFrom('acme', 'zeta', 'beta')
  const cases = fc.record({
    orphans: names.chain((all) =>
      fc.tuple(...all.map((ref) => tenant.map((each) => orphan(ref, { tenant: each })))),
    ),
    since: fc.constantFrom(0, 39_999, 40_001, 98_999, 99_001),
    listed: fc.integer({ min: 0, max: 60 }),
    mode: fc.constantFrom('observe' as const, 'apply' as const),
    hindrances: fc.constantFrom([], ['account: another one']),
    paused: fc.constantFrom([], ['acme']),
  })
  fc.assert(
    fc.property(cases, ({ orphans, since, listed, mode, hindrances, paused }) => {
      const listedByTenant = { acme: listed, zeta: listed, beta: listed }
      const things = orphans.map(({ ref, tenant }) => condemned(ref, { tenant, since }))
      const seen = scan({ orphans, condemned: things, listedByTenant, listed, hindrances })
      const permission = { ...approved, mode, paused: new Map(paused.map((each) => [each, ''])) }
      const { remove, suspend } = decide(seen, permission, rules)
      const most = Math.max(rules.atMost, Math.floor(listed * rules.atMostShare))
      for (const each of Map.groupBy(remove, (thing) => thing.tenant).values()) {
        expect(each.length).toBeLessThanOrEqual(most)
      }
      const young = since > 40_000
      const barred = mode === 'observe' || hindrances.length > 0 || young || suspend !== null
      if (barred) expect(remove).toEqual([])
      expect(
        remove.filter((thing) => (paused as readonly string[]).includes(thing.tenant)),
      ).toEqual([])
    }),
  )
})
