import { expect, test } from 'vitest'
import { ownershipAfter, type Heard, type Ownership } from './ownership.ts'

const [lower, own, greater] = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03']
const silence: Heard = { claimedBy: undefined, answers: false }
const address = '203.0.113.10'
const after = (before: Ownership | undefined, heard: Partial<Heard>, now = 0): Ownership =>
  ownershipAfter(before, address, { ...silence, ...heard }, { mac: own, now })

const owner: Ownership = { status: 'owner' }
const other: Ownership = { status: 'other' }
const listening: Ownership = { status: 'listening', until: 2_000 }

test.each<[string, Ownership | undefined, Partial<Heard>, number, Ownership['status']]>([
  ['listens before it takes an address', undefined, {}, 0, 'listening'],
  ['goes on with an address that its kernel answers for', undefined, { answers: true }, 0, 'owner'],
  [
    'that is new leaves an address to whoever claims it',
    undefined,
    { claimedBy: greater },
    0,
    'other',
  ],
  [
    'that its kernel answers for, but another claims, is the other’s',
    undefined,
    { claimedBy: greater, answers: true },
    0,
    'other',
  ],
  ['waits for its turn', listening, {}, 1_999, 'listening'],
  ['takes what nobody claimed until its turn', listening, {}, 2_000, 'owner'],
  ['leaves what is claimed before its turn', listening, { claimedBy: greater }, 2_000, 'other'],
  ['keeps what it has', owner, {}, 9_000, 'owner'],
  ['keeps what one with a greater address claims too', owner, { claimedBy: greater }, 0, 'owner'],
  ['gives way to one with a lesser address', owner, { claimedBy: lower }, 0, 'other'],
  ['does not take back what another has', other, { claimedBy: greater }, 9_000, 'other'],
  ['waits for its turn when the other falls silent', other, {}, 9_000, 'listening'],
])('an edge %s', (_rule, before, heard, now, status) => {
  expect(after(before, heard, now).status).toBe(status)
})

test('two edges that find an address free do not wait equally long', () => {
  const until = (mac: string): unknown => ownershipAfter(other, address, silence, { mac, now: 0 })
  expect(until(own)).not.toEqual(until(greater))
})

test('edges share addresses about evenly', () => {
  const first = Array.from({ length: 200 }, (_, at) => `203.0.113.${at}`).filter((each) => {
    const turn = (mac: string): number => {
      const next = ownershipAfter(other, each, silence, { mac, now: 0 })
      return next.status === 'listening' ? next.until : Number.NaN
    }
    return turn(own) < turn(greater)
  })
  expect(first.length).toBeGreaterThan(70)
  expect(first.length).toBeLessThan(130)
})
