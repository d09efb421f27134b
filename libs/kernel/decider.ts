/**
 * The pure core of an aggregate. `decide` answers a command with the facts it makes true, none when
 * it already is so; `evolve` tells what a fact changes. Neither waits, reads a clock nor throws for a
 * business reason: a refusal is an event too.
 */
export interface Decider<Command, State, Event> {
  readonly initial: State
  readonly decide: (command: Command, state: State) => readonly Event[]
  readonly evolve: (state: State, event: Event) => State
}

/** The state after `events`, in their order, from `from` or from the beginning. */
export const fold = <State, Event>(
  decider: Pick<Decider<never, State, Event>, 'initial' | 'evolve'>,
  events: Iterable<Event>,
  from: State = decider.initial,
): State => {
  let state = from
  for (const event of events) state = decider.evolve(state, event)
  return state
}
