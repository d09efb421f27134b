import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'

const rule = { minMs: 100, maxMs: 10_000 }

test.each([
  [1, 100],
  [2, 200],
  [3, 400],
  [7, 6400],
  [8, 10_000],
  [1_000_000, 10_000],
])('before attempt %d it waits %d ms at most', (attempt, most) => {
  expect(backoffMs(rule, attempt, 0.999_999)).toBe(most)
  expect(backoffMs(rule, attempt, 0)).toBe(most / 2)
})

test.each([0, -5])('attempt %d waits like the first', (attempt) => {
  expect(backoffMs(rule, attempt, 0)).toBe(backoffMs(rule, 1, 0))
})

test('it never leaves its bounds, whatever the attempt and the dice', () => {
  const dice = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.integer(), dice, (attempt, random) => {
      const wait = backoffMs(rule, attempt, random)
      expect(wait).toBeGreaterThanOrEqual(rule.minMs / 2)
      expect(wait).toBeLessThanOrEqual(rule.maxMs)
    }),
  )
})
