import type { Clock } from '@weir/kernel'

/** Whether the kernel's table was found right, or made right, of late. A look is a comparison, or one of its turns. */
export interface Vouching {
  /** A comparison is due: the last good one is long ago, or something went wrong since. */
  isDue(): boolean
  /** Something about the table went wrong: look soon. */
  suspect(): void
  /**
   * Notes what a comparison of all of the table came to, and passes it on.
   * @param compare calls `goesOn` after each turn: what goes on does not hang, however long it takes
   */
  note<T>(compare: (goesOn: () => void) => Promise<T>): Promise<T>
  /** Why nobody can say that the table is right; undefined while one can. */
  doubt(): string | undefined
}

/** One call of nft may fail for a moment; addresses are not withdrawn for that. */
const failuresMost = 3
/** A turn that never ends is a failed one too. */
const roundsMost = 3

/** To compare half a million elements takes half a minute: it is done at most a twentieth of the time. */
const restPerLook = 20

/** @param everyMs how often a look is due while all is well; less often when looks take long */
export const createVouching = (clock: Pick<Clock, 'now'>, everyMs: number): Vouching => {
  let rightAt = clock.now()
  let readAt = rightAt
  let suspected = false
  let failures = 0
  let paceMs = everyMs
  return {
    isDue: () => suspected || clock.now() - rightAt >= paceMs,
    suspect: () => (suspected = true),
    note: async (compare) => {
      const began = clock.now()
      try {
        const found = await compare(() => void (readAt = clock.now()))
        rightAt = clock.now()
        paceMs = Math.max(everyMs, (rightAt - began) * restPerLook)
        suspected = false
        failures = 0
        return found
      } catch (error) {
        suspected = true
        failures += 1
        throw error
      }
    },
    doubt: () => {
      if (failures >= failuresMost) return `${failures} looks at the kernel’s table failed in a row`
      const ageMs = clock.now() - Math.max(rightAt, readAt)
      if (ageMs < paceMs * roundsMost + 30_000) return undefined
      return `no look at the kernel’s table ended in ${Math.round(ageMs / 1000)} s`
    },
  }
}
