import { OperatingError, type Clock } from '@weir/kernel'
import type { Begin } from '../begin.ts'
import type { OutgoingMessage, PublishedMessage } from '../bus.ts'
import { DEDUPE_WINDOW_MS, EVENT_AGE_MS, ttlSeconds } from '../limits.ts'
import { createMemoryConsumer } from './memory-consumer.ts'
import type { MemoryConsumer, StoredMessage } from './memory-consumer.ts'

/** One stream in memory, with the rules of the real one. */
export interface MemoryStream {
  readonly incarnation: string
  /** Stores it, or finds that its id is known; `stored` is absent then. */
  publish(message: OutgoingMessage): PublishedMessage & { stored?: StoredMessage }
  last(subject: string): StoredMessage | undefined
  /** All that is held, oldest first. */
  messages(): Iterable<StoredMessage>
  /** The consumer of that name, made at `begin` if it is missing. */
  consumer(name: string, filter: string, begin: Begin): MemoryConsumer
  consumers(): Iterable<MemoryConsumer>
  loseConsumer(name: string): void
}

export interface MemoryStreamOptions {
  readonly incarnation: string
  /** Whether a newer message replaces the older one of its subject. */
  readonly keepsLastOnly: boolean
  readonly clock: Clock
}

export const createMemoryStream = (options: MemoryStreamOptions): MemoryStream => {
  const { clock } = options
  const bySequence = new Map<number, StoredMessage>()
  const lastBySubject = new Map<string, number>()
  const ids = new Map<string, { sequence: number; at: number }>()
  const consumers = new Map<string, MemoryConsumer>()
  /** When those end that have a lifetime, by sequence. */
  const mortal = new Map<number, number>()
  let nextDeath = Infinity
  let sequence = 0

  const bury = (now: number): void => {
    if (now < nextDeath) return
    for (const [at, until] of mortal) if (until <= now) remove(at)
    nextDeath = Infinity
    for (const until of mortal.values()) nextDeath = Math.min(nextDeath, until)
  }
  const remove = (at: number): void => {
    const subject = bySequence.get(at)?.subject
    if (subject !== undefined && lastBySubject.get(subject) === at) lastBySubject.delete(subject)
    bySequence.delete(at)
    mortal.delete(at)
  }
  const expire = (now: number): void => {
    bury(now)
    forgetOlder(ids, now - DEDUPE_WINDOW_MS)
    if (!options.keepsLastOnly) forgetOlder(bySequence, now - EVENT_AGE_MS)
  }
  const store = (message: OutgoingMessage, now: number): StoredMessage => {
    const { subject, body, headers = {}, ttlMs } = message
    if (ttlMs !== undefined && !options.keepsLastOnly) {
      throw new OperatingError(`cannot keep ${subject} for a time: its stream keeps all alike`)
    }
    const until = ttlMs === undefined ? Infinity : now + ttlSeconds(ttlMs) * 1_000
    sequence += 1
    const stored = { subject, body, headers: { ...headers }, sequence, at: now, until }
    const before = lastBySubject.get(subject)
    if (options.keepsLastOnly && before !== undefined) remove(before)
    bySequence.set(sequence, stored)
    lastBySubject.set(subject, sequence)
    if (until < Infinity) mortal.set(sequence, until)
    nextDeath = Math.min(nextDeath, until)
    return stored
  }
  /** What is alive now. */
  const alive = (): ReadonlyMap<number, StoredMessage> => {
    bury(clock.now())
    return bySequence
  }
  const messages = (): Iterable<StoredMessage> => alive().values()

  return {
    incarnation: options.incarnation,
    publish: (message) => {
      const now = clock.now()
      expire(now)
      const known = message.id === undefined ? undefined : ids.get(message.id)
      if (known !== undefined) return { streamSequence: known.sequence, duplicate: true }
      const stored = store(message, now)
      if (message.id !== undefined) ids.set(message.id, { sequence, at: now })
      return { streamSequence: sequence, duplicate: false, stored }
    },
    last: (subject) => alive().get(lastBySubject.get(subject) ?? 0),
    messages,
    consumer: (name, filter, begin) => {
      const existing = consumers.get(name)
      if (existing !== undefined) return existing
      const has = (at: number): boolean => alive().has(at)
      const made = createMemoryConsumer({ filter, begin, stored: messages(), has })
      consumers.set(name, made)
      return made
    },
    consumers: () => consumers.values(),
    loseConsumer: (name) => {
      consumers.get(name)?.lose()
      consumers.delete(name)
    },
  }
}

/** Maps keep the order of insertion, so the oldest come first. */
const forgetOlder = <Key>(entries: Map<Key, { readonly at: number }>, before: number): void => {
  for (const [key, { at }] of entries) {
    if (at >= before) return
    entries.delete(key)
  }
}
