import { expect, test } from 'vitest'
import { seededRandom } from './seed.ts'

test('the same seed gives the same numbers, another gives others', () => {
  const draw = (seed: number): number[] => {
    const { random } = seededRandom(seed)
    return Array.from({ length: 5 }, random)
  }
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
})

test('whole numbers stay below their bound and reach every value', () => {
  const { below } = seededRandom(1)
  const drawn = new Set(Array.from({ length: 200 }, () => below(4)))
  expect(drawn).toEqual(new Set([0, 1, 2, 3]))
})
