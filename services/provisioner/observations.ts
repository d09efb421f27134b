import { observation, type Observation } from '@weir/contract'
import type { SeenWithKeys } from '@weir/eventlog'
import { explainError, type Logger } from '@weir/kernel'

/**
 * Reads observations from the bus. One that cannot be read is said aloud and left out, so that it delays
 * nothing but itself; the watcher's next value of the same key replaces it.
 */
export const readObservations = (
  messages: readonly { readonly subject: string; readonly body: string }[],
  keysOf: (seen: Observation) => readonly string[],
  logger: Logger,
): readonly SeenWithKeys[] =>
  messages.flatMap(({ subject, body }) => {
    try {
      const seen = observation.parse(JSON.parse(body))
      return [{ seen, keys: [...keysOf(seen)] }]
    } catch (error) {
      logger.error({ subject, problem: explainError(error) }, 'an observation was parked')
      return []
    }
  })
