import { streams } from '@weir/contract'
import { OperatingError, type Clock } from '@weir/kernel'
import type { OutgoingMessage, PublishedMessage } from '../bus.ts'
import type { MemoryConsumer, StoredMessage } from './memory-consumer.ts'
import { createMemoryStream, type MemoryStream } from './memory-stream.ts'
import { fateOf, type Misbehaviour } from './misbehaviour.ts'
import { matches } from './subject.ts'

/** What all handles of one bus in memory share. */
export interface MemoryServer {
  up(): boolean
  /** @throws OperatingError while the server is away. */
  stream(name: string): MemoryStream | undefined
  /** Makes the streams that are missing; resolves with every stream. */
  ensure(): readonly { name: string; incarnation: string; made: boolean }[]
  publish(message: OutgoingMessage): PublishedMessage
  hint(subject: string, body: string): void
  onHint(listener: HintListener): () => void
  /** Calls back when a process should look at its streams: after a return, or when one made streams. */
  onLook(listener: () => void): () => void
  harm: MemoryHarm
}

/** What a test may do to the server. */
export interface MemoryHarm {
  misbehave(rule: Misbehaviour): void
  kill(): void
  restart(): void
  /** Comes back without anything it had stored. */
  wipe(): void
  loseStream(name: string): void
  loseConsumer(stream: string, name: string): void
}

interface HintListener {
  readonly subject: string
  readonly handle: (body: string, subject: string) => void
}

const wanted = Object.values(streams)

export const createMemoryServer = (
  clock: Clock,
  random: () => number,
  misbehave: Misbehaviour,
): MemoryServer => {
  const held = new Map<string, MemoryStream>()
  const hints = new Set<HintListener>()
  const lookers = new Set<() => void>()
  let rule = misbehave
  let isUp = true
  let incarnations = 0

  const mustBeUp = (): void => {
    if (isUp) return
    throw new OperatingError('the bus does not answer', { retry: { afterMs: 1_000 } })
  }
  const look = (): void => {
    for (const looker of lookers) queueMicrotask(looker)
  }
  const ensure: MemoryServer['ensure'] = () => {
    mustBeUp()
    const found = wanted.map(({ name }) => {
      const existing = held.get(name)
      if (existing) return { name, incarnation: existing.incarnation, made: false }
      incarnations += 1
      const keepsLastOnly = name !== streams.evt.name
      const made = createMemoryStream({ incarnation: `${incarnations}`, keepsLastOnly, clock })
      held.set(name, made)
      return { name, incarnation: made.incarnation, made: true }
    })
    if (found.some((stream) => stream.made)) look()
    return found
  }
  const later = (ms: number, work: () => void): void => {
    if (ms === 0) work()
    else void clock.sleep(ms).then(work)
  }
  const deliver = (consumer: MemoryConsumer, message: StoredMessage): void => {
    for (const late of fateOf(rule, random)) later(late, () => consumer.offer(message))
  }
  const setUp = (up: boolean): void => {
    isUp = up
    for (const stream of held.values()) {
      for (const consumer of stream.consumers()) consumer.pause(!up)
    }
    if (up) look()
  }
  const loseStream = (name: string): void => {
    for (const consumer of held.get(name)?.consumers() ?? []) consumer.lose()
    held.delete(name)
  }

  return {
    up: () => isUp,
    stream: (name) => {
      mustBeUp()
      return held.get(name)
    },
    ensure,
    publish: (message) => {
      mustBeUp()
      const { name } = streamOf(message.subject)
      if (!held.has(name)) ensure()
      const stream = held.get(name)
      if (!stream) throw new OperatingError(`there is no stream ${name}`)
      const { stored, ...published } = stream.publish(message)
      if (stored) for (const consumer of stream.consumers()) deliver(consumer, stored)
      return published
    },
    hint: (subject, body) => {
      if (!isUp) return
      for (const { subject: filter, handle } of hints) {
        if (!matches(filter, subject)) continue
        for (const late of fateOf(rule, random)) later(late, () => handle(body, subject))
      }
    },
    onHint: (listener) => {
      hints.add(listener)
      return () => hints.delete(listener)
    },
    onLook: (listener) => {
      lookers.add(listener)
      return () => lookers.delete(listener)
    },
    harm: {
      misbehave: (now) => {
        rule = now
      },
      kill: () => setUp(false),
      restart: () => setUp(true),
      wipe: () => {
        for (const { name } of wanted) loseStream(name)
        setUp(true)
      },
      loseStream,
      loseConsumer: (stream, name) => held.get(stream)?.loseConsumer(name),
    },
  }
}

const streamOf = (subject: string): { readonly name: string } => {
  const found = wanted.find(({ subjects }) => subjects.some((filter) => matches(filter, subject)))
  if (found === undefined) throw new OperatingError(`no stream takes ${subject}`)
  return found
}
