import { createInbox, headers, type Msg } from '@nats-io/transport-node'
import { OperatingError } from '@weir/kernel'
import type { OutgoingMessage, PublishedMessage } from './bus.ts'
import { ttlSeconds } from './limits.ts'
import { withRetry, type RetryDeps } from './retry.ts'

/** Publishes over one reply subject of its own. */
export interface Publisher {
  publish(messages: readonly OutgoingMessage[]): Promise<readonly PublishedMessage[]>
}

/**
 * Most messages on their way at once. The server refuses a stream's messages above ten thousand in
 * its queue, and several publishers share that.
 */
const WINDOW = 512
/** Without any answer for this long, the window is sent again. */
const SILENCE_MS = 2_000

/**
 * Sends a window of messages before waiting for the first answer. When one fails, it and all behind
 * it are sent again: the order holds, and those the stream has already are known by their id.
 *
 * Answers are counted on a subscription of our own: the library's publish makes a request with a timer
 * and two promises for each message, which costs about half of what it can send.
 */
export const createPublisher = (deps: RetryDeps): Publisher => {
  const { nats } = deps.connection
  const inbox = createInbox()
  const waiting = new Map<string, (answer: Msg) => void>()
  let sent = 0
  nats.subscribe(`${inbox}.*`, {
    callback: (error, answer) => {
      const settle = error === null ? waiting.get(answer.subject) : undefined
      settle?.(answer)
    },
  })

  const sendWindow = async (
    window: readonly OutgoingMessage[],
    keep: (published: PublishedMessage) => void,
  ): Promise<void> => {
    const answers = new AnswerBook(window.length)
    const replies: string[] = []
    try {
      for (const [index, message] of window.entries()) {
        sent += 1
        const reply = `${inbox}.${sent}`
        replies.push(reply)
        waiting.set(reply, (answer) => answers.take(index, answer))
        nats.publish(message.subject, message.body, { reply, ...headersOf(message) })
      }
      await answers.complete(deps)
    } finally {
      for (const reply of replies) waiting.delete(reply)
    }
    for (const answer of answers.inOrder()) keep(publishedFrom(answer))
  }

  return {
    publish: async (messages) => {
      for (const { ttlMs } of messages) if (ttlMs !== undefined) ttlSeconds(ttlMs)
      const published: PublishedMessage[] = []
      const first = messages[0]?.subject ?? 'nowhere'
      const attempted = `publish ${messages.length} messages from ${first} on`
      while (published.length < messages.length) {
        await withRetry(deps, attempted, () => {
          const window = messages.slice(published.length, published.length + WINDOW)
          return sendWindow(window, (one) => published.push(one))
        })
      }
      return published
    },
  }
}

/** Collects the answers to one window, which come in any order or not at all. */
class AnswerBook {
  readonly #answers: (Msg | undefined)[]
  readonly #all = Promise.withResolvers<void>()
  #missing: number

  constructor(size: number) {
    this.#answers = Array.from({ length: size })
    this.#missing = size
  }

  take(index: number, answer: Msg): void {
    if (this.#answers[index] !== undefined) return
    this.#answers[index] = answer
    this.#missing -= 1
    if (this.#missing === 0) this.#all.resolve()
  }

  /**
   * Resolves when every answer is there, when none came for a while, and when the server was away and
   * is back: what it has not answered by then it never will.
   */
  async complete({ clock, connection }: RetryDeps): Promise<void> {
    const over = new AbortController()
    const back = Promise.withResolvers<void>()
    connection.onReconnect(() => back.resolve(), over.signal)
    const silence = async (): Promise<void> => {
      for (let before = -1; before !== this.#missing;) {
        before = this.#missing
        await clock.sleep(SILENCE_MS, over.signal)
        if (over.signal.aborted) return
      }
    }
    await Promise.race([this.#all.promise, back.promise, silence()])
    over.abort()
  }

  inOrder(): readonly (Msg | undefined)[] {
    return this.#answers
  }
}

const headersOf = (message: OutgoingMessage): { headers?: ReturnType<typeof headers> } => {
  const { id, ttlMs } = message
  if (id === undefined && ttlMs === undefined && message.headers === undefined) return {}
  const made = headers()
  for (const [name, value] of Object.entries(message.headers ?? {})) made.set(name, value)
  if (id !== undefined) made.set('Nats-Msg-Id', id)
  if (ttlMs !== undefined) made.set('Nats-TTL', `${ttlSeconds(ttlMs)}s`)
  return { headers: made }
}

const RETRY = { afterMs: 1_000 }
const NO_RESPONDERS = 503

/** Reads a PubAck. @throws OperatingError, with `retry` where another attempt may help. */
const publishedFrom = (answer: Msg | undefined): PublishedMessage => {
  if (answer === undefined) throw new OperatingError('no answer in time', { retry: RETRY })
  if (answer.headers?.code === NO_RESPONDERS) {
    throw new OperatingError('no stream takes it now', { retry: RETRY })
  }
  const ack: unknown = JSON.parse(answer.string())
  if (typeof ack !== 'object' || ack === null) throw new OperatingError('not an acknowledgement')
  // A refusal names the sequence 0 beside its error, so the error is asked for first.
  if ('error' in ack) throw refusal(ack.error)
  if ('seq' in ack && typeof ack.seq === 'number') {
    return { streamSequence: ack.seq, duplicate: 'duplicate' in ack && ack.duplicate === true }
  }
  throw refusal(undefined)
}

const refusal = (error: unknown): OperatingError => {
  if (typeof error !== 'object' || error === null) return new OperatingError('refused')
  const description = 'description' in error ? String(error.description) : 'refused'
  const code = 'code' in error ? Number(error.code) : 0
  return new OperatingError(description, code === 429 || code >= 500 ? { retry: RETRY } : {})
}
