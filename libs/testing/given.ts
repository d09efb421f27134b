import { fold, type Decider } from '@weir/kernel'
import { expect } from 'vitest'

export interface Given<Command, State, Event> {
  when(command: Command): When<State, Event>
}

export interface When<State, Event> {
  /** The command made exactly these facts true, in this order. */
  then(...expected: readonly Event[]): void
  /** There was nothing to do. */
  thenNothing(): void
  /** The state after the given facts and those the command added. */
  thenState(check: (state: State) => void): void
}

/**
 * Speaks about a decider in facts: `const given = givenFor(allocator)`, and then
 * `given(poolAdded).when(allocate(web)).then(frontendsAllocated(web))`.
 */
export const givenFor =
  <Command, State, Event>(decider: Decider<Command, State, Event>) =>
  (...history: readonly Event[]): Given<Command, State, Event> => ({
    when: (command) => {
      const before = fold(decider, history)
      const decided = decider.decide(command, before)
      return {
        // oxlint-disable-next-line unicorn/no-thenable -- nobody awaits this; the word is the point
        then: (...expected) => expect(decided).toEqual(expected),
        thenNothing: () => expect(decided).toEqual([]),
        thenState: (check) => check(fold(decider, decided, before)),
      }
    },
  })
