import { backoffMs, explainError, type Clock, type Ids } from '@weir/kernel'
import { ApiError } from './api.ts'

/** What every writer to the API needs besides the API. */
export interface Patience {
  readonly clock: Clock
  readonly ids: Ids
  readonly signal: AbortSignal
  /** Told about each failure that is not part of everyday life. */
  readonly onTrouble: (line: string) => void
}

const retryRule = { minMs: 50, maxMs: 1_000 }

/**
 * Runs `task` until it succeeds or `signal` aborts. The API server's word that the object is gone,
 * was changed or must not be so (404, 409, 422) is final: what follows from it comes by the watch.
 * Returns whether it succeeded.
 */
export const persist = async (
  patience: Patience,
  task: () => Promise<unknown>,
): Promise<boolean> => {
  const { clock, ids, signal, onTrouble } = patience
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    try {
      await task()
      return true
    } catch (error) {
      if (signal.aborted) return false
      const status = error instanceof ApiError ? error.status : 0
      if (status === 404 || status === 409) return false
      onTrouble(explainError(error))
      if (status === 422) return false
      await clock.sleep(backoffMs(retryRule, attempt, ids.random()), signal)
    }
  }
  return false
}
