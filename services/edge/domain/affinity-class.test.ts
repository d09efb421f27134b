import fc from 'fast-check'
import { expect, test } from 'vitest'
import { affinityClasses, affinityClassFor } from './affinity-class.ts'

test('a client is kept as long as its Service says, and at most a third longer', () =>
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 86_400 }), (seconds) => {
      const kept = affinityClassFor(seconds)
      expect(kept).toBeGreaterThanOrEqual(seconds)
      expect(kept).toBeLessThanOrEqual(Math.ceil((seconds * 4) / 3))
    }),
  ))

test.each([1, 60, 300, 3600, 10_800, 86_400])(
  'a time-out of %i s is kept to the second',
  (seconds) => expect(affinityClassFor(seconds)).toBe(seconds),
)

test('classes rise, so that the first that fits is the least', () =>
  expect(affinityClasses.toSorted((a, b) => a - b)).toEqual(affinityClasses))
