// The one home of the real clock and the real randomness; tidy bans Date.now and Math.random elsewhere.
import { randomUUID } from 'node:crypto'
import type { Clock, Ids } from './ports.ts'

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const finish = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', finish)
        resolve()
      }
      const timer = setTimeout(finish, ms)
      signal?.addEventListener('abort', finish, { once: true })
    }),
}

/** UUIDv7: 48 bits of milliseconds, then randomness (RFC 9562 §5.7), so that ids sort by time. */
const uuidV7 = (): string => {
  const millis = Date.now().toString(16).padStart(12, '0')
  const random = randomUUID()
  return `${millis.slice(0, 8)}-${millis.slice(8)}-7${random.slice(15)}`
}

/** The machine's randomness. */
export const systemIds: Ids = { uuid: uuidV7, random: () => Math.random() }
