/** Which addresses still are to be told of, and who waits for that. */
export interface Pending {
  /** Resolves once each of these was told of, or given up. */
  add(addresses: Iterable<string>): Promise<void>
  size(): number
  /** Takes all that waits into one turn. What is added from now on is for the next. */
  begin(): Turn
  /** What the turn held has been told. */
  done(turn: Turn): void
  /** Turns that began and were not done are to be done again. */
  again(): void
  /** Those that wait for such addresses wait for them no longer. */
  giveUp(which: (address: string) => boolean): void
}

export interface Turn {
  readonly addresses: readonly string[]
}

interface Waiter {
  readonly left: Set<string>
  readonly resolve: () => void
}

export const createPending = (): Pending => {
  let next = new Set<string>()
  let under = new Set<string>()
  const waiters = new Set<Waiter>()

  const settle = (isSettled: (address: string) => boolean): void => {
    for (const waiter of waiters) {
      for (const address of waiter.left) if (isSettled(address)) waiter.left.delete(address)
      if (waiter.left.size > 0) continue
      waiters.delete(waiter)
      waiter.resolve()
    }
  }
  return {
    add: (addresses) =>
      new Promise((resolve) => {
        const left = new Set(addresses)
        for (const address of left) next.add(address)
        waiters.add({ left, resolve })
        if (left.size === 0) settle(() => false)
      }),
    size: () => next.size,
    begin: () => {
      under = new Set([...under, ...next])
      next = new Set()
      return { addresses: [...under] }
    },
    done: ({ addresses }) => {
      const told = new Set(addresses)
      for (const address of addresses) under.delete(address)
      // What was said of an address meanwhile is told in the next turn.
      settle((address) => told.has(address) && !next.has(address))
    },
    again: () => {
      next = new Set([...next, ...under])
      under = new Set()
    },
    giveUp: (which) => settle(which),
  }
}
