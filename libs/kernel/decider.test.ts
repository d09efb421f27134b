import { expect, test } from 'vitest'
import { fold } from './decider.ts'

const counter = { initial: 0, evolve: (state: number, by: number) => state + by }

test('the state of no events is the initial one', () => expect(fold(counter, [])).toBe(0))

test('events are folded in their order', () => {
  const trail = { initial: '', evolve: (state: string, event: string) => `${state}${event}` }
  expect(fold(trail, ['a', 'b', 'c'])).toBe('abc')
})

test('a fold goes on where another ended', () => {
  expect(fold(counter, [3, 4], fold(counter, [1, 2]))).toBe(fold(counter, [1, 2, 3, 4]))
})
