import { expect, test } from 'vitest'
import { decide, type Orphan, type Rules, type Scan, type Suspects } from './decide.ts'

const rules: Rules = { mode: 'apply', scans: 2, graceMs: 60_000, atMost: 2, atMostShare: 0.1 }
const orphan = (ref: string, tenant = 'acme'): Orphan => ({ ref, tenant })
const scan = (over: Partial<Scan>): Scan => ({
  at: 100_000,
  expected: 1,
  listed: 5,
  listedByTenant: { acme: 5 },
  orphans: [],
  ...over,
})
const old = (...refs: readonly string[]): Suspects =>
  Object.fromEntries(refs.map((ref) => [ref, { since: 0, scans: 1 }]))
const refs = (orphans: readonly Orphan[]) => orphans.map(({ ref }) => ref)

test('nothing is deleted at first sight', () => {
  const { remove, suspects } = decide(scan({ orphans: [orphan('a')] }), {}, rules)
  expect(remove).toEqual([])
  expect(suspects).toEqual({ a: { since: 100_000, scans: 1 } })
})

test('an orphan goes after two scans and the grace', () => {
  expect(refs(decide(scan({ orphans: [orphan('a')] }), old('a'), rules).remove)).toEqual(['a'])
})

test('two scans within the grace are not enough', () => {
  const before = { a: { since: 99_000, scans: 1 } }
  expect(decide(scan({ orphans: [orphan('a')] }), before, rules).remove).toEqual([])
})

test('what is no orphan any more starts anew', () => {
  const between = decide(scan({}), old('a'), rules).suspects
  expect(decide(scan({ orphans: [orphan('a')] }), between, rules).remove).toEqual([])
})

test('an empty inventory with live resources in the log holds everything', () => {
  const { remove, held } = decide(scan({ listed: 0, expected: 3 }), old('a'), rules)
  expect(remove).toEqual([])
  expect(held).toContain('3 live')
})

test('an empty inventory of an empty log is nothing to do', () => {
  expect(decide(scan({ listed: 0, expected: 0 }), {}, rules).held).toBeNull()
})

test('observe mode deletes nothing and says what it would', () => {
  const observing = { ...rules, mode: 'observe' } as const
  const { remove, held } = decide(scan({ orphans: [orphan('a')] }), old('a'), observing)
  expect(remove).toEqual([])
  expect(held).toContain('1 orphans')
})

test('one cycle takes few of each tenant, in the order of refs whatever the order found', () => {
  const orphans = [orphan('c'), orphan('a'), orphan('b'), orphan('z', 'zeta')]
  const { remove, held } = decide(scan({ orphans }), old('a', 'b', 'c', 'z'), rules)
  expect(refs(remove)).toEqual(['a', 'b', 'z'])
  expect(held).toContain('1 orphans wait')
})

test('a tenant with much may lose its share in one cycle', () => {
  const orphans = ['a', 'b', 'c'].map((ref) => orphan(ref))
  const big = scan({ orphans, listed: 30, listedByTenant: { acme: 30 } })
  expect(decide(big, old('a', 'b', 'c'), rules).remove).toHaveLength(3)
})
