import type { JsMsg } from '@nats-io/jetstream'
import type { Clock } from '@weir/kernel'

/** Messages between the socket and the handler. The consumer's `max_ack_pending` bounds it. */
export interface Inbox {
  put(message: JsMsg): void
  /** Waits for a message, then takes whatever is there, at most `most`; empty once `signal` aborts. */
  take(most: number, signal: AbortSignal): Promise<readonly JsMsg[]>
  /** Takes all at once. */
  empty(): readonly JsMsg[]
  /** Tells the server that messages waiting longer than `ms` are still cared for. */
  keepAlive(ms: number): void
}

export const createInbox = (clock: Clock): Inbox => {
  let waiting: { message: JsMsg; since: number }[] = []
  let wake: () => void = () => undefined

  return {
    put: (message) => {
      waiting.push({ message, since: clock.now() })
      wake()
    },
    take: async (most, signal) => {
      if (waiting.length === 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const finish = (): void => {
            signal.removeEventListener('abort', finish)
            wake = () => undefined
            resolve()
          }
          wake = finish
          signal.addEventListener('abort', finish, { once: true })
        })
      }
      if (signal.aborted) return []
      const taken = waiting.slice(0, most)
      waiting = waiting.slice(most)
      return taken.map((entry) => entry.message)
    },
    empty: () => {
      const rest = waiting.map((entry) => entry.message)
      waiting = []
      return rest
    },
    keepAlive: (ms) => {
      const before = clock.now() - ms
      for (const { message, since } of waiting) if (since < before) message.working()
    },
  }
}
