import type { Decider } from '@weir/kernel'
import { expect, test } from 'vitest'
import { givenFor } from './given.ts'

type Event = { type: 'DoorOpened' } | { type: 'DoorClosed' }
const opened: Event = { type: 'DoorOpened' }
const closed: Event = { type: 'DoorClosed' }

const door: Decider<'open' | 'close', { open: boolean }, Event> = {
  initial: { open: false },
  decide: (command, { open }) => {
    if (open === (command === 'open')) return []
    return [command === 'open' ? opened : closed]
  },
  evolve: (_state, event) => ({ open: event.type === 'DoorOpened' }),
}
const given = givenFor(door)

test('a closed door opens', () => given().when('open').then(opened))
test('an open door that is asked to open has nothing to do', () =>
  given(opened).when('open').thenNothing())
test('the state is what the facts made of it, the new ones included', () =>
  given(opened, closed)
    .when('open')
    .thenState((state) => expect(state).toEqual({ open: true })))
test('a fact that was not expected fails the test', () => {
  expect(() => given().when('open').thenNothing()).toThrow('to deeply equal')
  expect(() => given().when('open').then(closed)).toThrow('to deeply equal')
})
