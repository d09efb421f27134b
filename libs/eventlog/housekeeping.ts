import { Bug, explainError, type Clock, type Ids, type Logger } from '@weir/kernel'
import type { Pruned, Store } from './eventlog.ts'

/** Removes what is over from the store, now and again. */
export interface Housekeeping {
  /** Runs until `signal` aborts. @throws Bug when an invariant is broken. */
  run(signal: AbortSignal): Promise<void>
}

export interface HousekeepingOptions {
  readonly store: Pick<Store, 'leases' | 'prune'>
  /** The process, for the lease: one at a time tidies up, and two at once do no harm. */
  readonly holder: string
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** Default: a day. Much longer than any process sleeps. */
  readonly keepMs?: number
  /** Default: a minute. */
  readonly everyMs?: number
}

/** Short enough that appends and marks do not notice. */
const batch = 5_000
/** 5,000 rows a second and of each kind, then the rest waits for the next round. */
const batchesPerRound = 60

export const createHousekeeping = (options: HousekeepingOptions): Housekeeping => {
  const { store, holder, clock, ids, logger, keepMs = 86_400_000, everyMs = 60_000 } = options

  const round = async (signal: AbortSignal): Promise<Pruned> => {
    const total = { commands: 0, work: 0 }
    for (let nth = 0; nth < batchesPerRound && !signal.aborted; nth += 1) {
      const { commands, work } = await store.prune({ keepMs, limit: batch })
      total.commands += commands
      total.work += work
      if (commands < batch && work < batch) break
    }
    return total
  }
  const tidyUp = async (signal: AbortSignal): Promise<void> => {
    try {
      // Longer than a wait, so that it stays with who has it.
      if ((await store.leases.take('housekeeping', holder, 2 * everyMs)) === undefined) return
      const pruned = await round(signal)
      if (pruned.commands + pruned.work > 0) logger.debug({ ...pruned }, 'removed what is over')
    } catch (error) {
      if (error instanceof Bug) throw error
      logger.warn({ problem: explainError(error) }, 'cannot remove what is over; it is tried again')
    }
  }
  return {
    run: async (signal) => {
      while (!signal.aborted) {
        await clock.sleep(everyMs * (0.8 + 0.4 * ids.random()), signal)
        if (!signal.aborted) await tidyUp(signal)
      }
    },
  }
}
