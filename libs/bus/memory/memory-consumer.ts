import type { Begin } from '../begin.ts'
import { matches } from './subject.ts'

export interface StoredMessage {
  readonly subject: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
  readonly sequence: number
  /** When it was stored. */
  readonly at: number
  /** When its lifetime ends; Infinity when it has none. */
  readonly until: number
}

/** A message on its way to a handler. */
export interface Delivery {
  readonly stored: StoredMessage
  /** 1 for the first delivery. */
  readonly deliveries: number
}

/** The server's side of one consumer; processes that share a durable take from the same one. */
export interface MemoryConsumer {
  offer(message: StoredMessage): void
  /** Waits for messages. Empty when `signal` aborts; nothing once the consumer is lost. */
  take(most: number, signal: AbortSignal): Promise<readonly Delivery[] | undefined>
  /** Puts a message back that was taken and not handled. */
  giveBack(delivery: Delivery): void
  /** Nothing is delivered while paused. */
  pause(paused: boolean): void
  lose(): void
}

export interface MemoryConsumerOptions {
  readonly filter: string
  readonly begin: Begin
  /** What the stream holds, oldest first. */
  readonly stored: Iterable<StoredMessage>
  /** Whether the stream still has a message; its lifetime may be over, or a newer one took its place. */
  readonly has: (sequence: number) => boolean
}

export const createMemoryConsumer = (options: MemoryConsumerOptions): MemoryConsumer => {
  let queue: Delivery[] = [...firstMessages(options)].map((stored) => ({ stored, deliveries: 1 }))
  let lost = false
  let paused = false
  const waiting = new Set<() => void>()
  const wake = (): void => {
    for (const resume of waiting) resume()
  }
  const takeNow = (most: number): readonly Delivery[] => {
    queue = queue.filter(({ stored }) => options.has(stored.sequence))
    return queue.splice(0, most)
  }

  return {
    offer: (stored) => {
      if (!matches(options.filter, stored.subject)) return
      queue.push({ stored, deliveries: 1 })
      wake()
    },
    take: async (most, signal) => {
      for (;;) {
        if (lost) return undefined
        if (signal.aborted) return []
        const batch = paused ? [] : takeNow(most)
        if (batch.length > 0) return batch
        await woken(waiting, signal)
      }
    },
    giveBack: ({ stored, deliveries }) => {
      queue.push({ stored, deliveries: deliveries + 1 })
      wake()
    },
    pause: (now) => {
      paused = now
      wake()
    },
    lose: () => {
      lost = true
      wake()
    },
  }
}

function* firstMessages(options: MemoryConsumerOptions): Generator<StoredMessage> {
  const { begin, filter, stored } = options
  if (begin.at === 'next') return
  const newest = new Map<string, StoredMessage>()
  for (const message of stored) {
    if (begin.at === 'time' && message.at < begin.since) continue
    if (!matches(filter, message.subject)) continue
    if (begin.at !== 'last-of-each') yield message
    else newest.set(message.subject, message)
  }
  yield* [...newest.values()].sort((a, b) => a.sequence - b.sequence)
}

const woken = (waiting: Set<() => void>, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const resume = (): void => {
      waiting.delete(resume)
      signal.removeEventListener('abort', resume)
      resolve()
    }
    waiting.add(resume)
    signal.addEventListener('abort', resume, { once: true })
  })
