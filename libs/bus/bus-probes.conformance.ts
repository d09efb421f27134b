// What the conformance suite looks at a bus with.
import { systemIds } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { onTestFinished } from 'vitest'
import type { Bus, ConsumeOptions, IncomingMessage, OutgoingMessage } from './bus.ts'

/** Notes each time that a process is told of new streams. */
export const watchRebuilt = (bus: Bus): (readonly string[])[] => {
  const times: (readonly string[])[] = []
  const stop = new AbortController()
  bus.onRebuilt((names) => times.push(names), stop.signal)
  onTestFinished(() => stop.abort())
  return times
}

/** Subjects of one test's own. */
export const newRoom = (): Room => {
  const name = `t${systemIds.uuid().replaceAll('-', '')}`
  const evt = `weir.evt.0.${name}`
  const obs = `weir.obs.${name}`
  const message = (body: string): OutgoingMessage => ({ subject: `${evt}.a`, body })
  return {
    name,
    evt,
    obs,
    hint: `weir.hint.${name}`,
    message,
    messages: (count) => Array.from({ length: count }, (_, index) => message(`m${index}`)),
    value: (key, body) => ({ subject: `${obs}.${key}`, body }),
  }
}

export interface Room {
  readonly name: string
  readonly evt: string
  readonly obs: string
  readonly hint: string
  message(body: string): OutgoingMessage
  messages(count: number): OutgoingMessage[]
  value(key: string, body: string): OutgoingMessage
}

export const valueOf = ({ subject, body }: IncomingMessage): string =>
  `${subject.slice(subject.lastIndexOf('.') + 1)}=${body}`

export interface Seen {
  readonly messages: IncomingMessage[]
  bodies(): string[]
  /** Batches that the handler has begun. */
  started(): number
  /** Resolves once the consumer is known to deliver. */
  open(): Promise<void>
  end(): Promise<void>
}

export interface Listening extends Partial<Omit<ConsumeOptions, 'handle' | 'signal'>> {
  readonly onBatch?: (batch: readonly IncomingMessage[]) => void
  readonly until?: Promise<void>
  readonly pauseMs?: number
}

export const listen = (bus: Bus, room: Room, listening: Listening = {}): Seen => {
  const { onBatch, until, pauseMs, ...wanted } = listening
  const messages: IncomingMessage[] = []
  const stop = new AbortController()
  let started = 0
  let open = false
  const ended = bus.consume({
    stream: 'EVT',
    filter: `${room.evt}.>`,
    from: 'new',
    ...wanted,
    handle: async (batch) => {
      const real = batch.filter((message) => message.body !== KNOCK)
      open ||= real.length < batch.length
      if (real.length === 0) return
      started += 1
      onBatch?.(batch)
      await until
      if (pauseMs !== undefined) await new Promise((resolve) => setTimeout(resolve, pauseMs))
      messages.push(...real)
    },
    signal: stop.signal,
  })
  const end = (): Promise<void> => {
    stop.abort()
    return ended
  }
  onTestFinished(end)
  return {
    messages,
    bodies: () => messages.map((message) => message.body),
    started: () => started,
    open: async () => {
      await eventually(async () => {
        await bus.publish([{ subject: `${room.evt}.knock`, body: KNOCK }])
        return open
      })
    },
    end,
  }
}

/** A message that only shows that the consumer is there. */
const KNOCK = 'knock'

/** A consumer of new messages is made in its own time, so the first one may come too early. */
export const publishUntilSeen = async (
  bus: Bus,
  seen: Seen,
  message: OutgoingMessage,
): Promise<void> => {
  await seen.open()
  await bus.publish([message])
  await eventually(() => seen.messages.length > 0)
}
