import { errors } from '@nats-io/transport-node'
import { backoffMs, OperatingError, type Clock, type Ids } from '@weir/kernel'
import type { Connection } from './connection.ts'
import { isTransient } from './jetstream-errors.ts'
import type { StreamKeeper } from './stream-keeper.ts'

export interface RetryDeps {
  readonly connection: Connection
  readonly keeper: StreamKeeper
  readonly clock: Clock
  readonly ids: Ids
}

/** After this no further attempt begins; a caller with a loop of its own tries again later. */
const PATIENCE_MS = 4_000
/** When to try again what the bus did not answer. */
export const RETRY = { afterMs: 1_000 }
const BACKOFF = { minMs: 50, maxMs: 1_000 }

/**
 * Tries again what the world may heal within moments: no answer, a server that is still starting, a
 * stream that vanished (it is made again in between).
 *
 * @param attempted what is tried, on which thing, for the error's text.
 * @throws OperatingError with `retry` when patience is used up, without it when no attempt helps.
 */
export const withRetry = async <T>(
  { connection, keeper, clock, ids }: RetryDeps,
  attempted: string,
  work: () => Promise<T>,
): Promise<T> => {
  const began = clock.now()
  for (let attempt = 1; ; attempt += 1) {
    try {
      // The library keeps for later what it cannot send now; an outage would grow it without bound.
      if (!connection.connected()) throw new OperatingError('the server is away', { retry: RETRY })
      return await work()
    } catch (error) {
      if (!isTransient(error)) throw new OperatingError(`cannot ${attempted}`, { cause: error })
      if (clock.now() - began >= PATIENCE_MS) {
        throw new OperatingError(`cannot ${attempted}; the bus does not answer`, {
          cause: error,
          retry: RETRY,
        })
      }
      // Nobody listening on a stream's subject looks the same as no JetStream at all.
      const looks = connection.connected() && !(error instanceof errors.TimeoutError)
      if (looks) await keeper.ensure().catch(() => undefined)
      await clock.sleep(backoffMs(BACKOFF, attempt, ids.random()))
    }
  }
}
