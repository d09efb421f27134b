import type { JetStreamClient } from '@nats-io/jetstream'
import { headers, type MsgHdrs } from '@nats-io/transport-node'
import type { OutgoingMessage, PublishedMessage } from './bus.ts'
import { withRetry, type RetryDeps } from './retry.ts'

export interface PublishDeps extends RetryDeps {
  readonly client: JetStreamClient
}

/**
 * Most messages on their way at once. The server refuses a stream's messages above ten thousand in
 * its queue, and several publishers share that.
 */
const WINDOW = 512
const ACK_TIMEOUT_MS = 2_000

/**
 * Sends a window of messages before waiting for the first answer. When one fails, it and all behind
 * it are sent again: the order holds, and those the stream has already are known by their id.
 */
export const publishAll = async (
  deps: PublishDeps,
  messages: readonly OutgoingMessage[],
): Promise<readonly PublishedMessage[]> => {
  const published: PublishedMessage[] = []
  const attempted = `publish ${messages.length} messages from ${messages[0]?.subject ?? 'nowhere'}`
  while (published.length < messages.length) {
    await withRetry(deps, attempted, async () => {
      const window = messages.slice(published.length, published.length + WINDOW)
      const answers = await Promise.allSettled(window.map((one) => send(deps.client, one)))
      for (const answer of answers) {
        if (answer.status === 'rejected') throw answer.reason
        published.push(answer.value)
      }
    })
  }
  return published
}

const send = async (
  client: JetStreamClient,
  message: OutgoingMessage,
): Promise<PublishedMessage> => {
  const ack = await client.publish(message.subject, message.body, {
    timeout: ACK_TIMEOUT_MS,
    ...(message.id === undefined ? {} : { msgID: message.id }),
    ...(message.headers === undefined ? {} : { headers: headersFrom(message.headers) }),
  })
  return { streamSequence: ack.seq, duplicate: ack.duplicate }
}

const headersFrom = (given: Readonly<Record<string, string>>): MsgHdrs => {
  const made = headers()
  for (const [name, value] of Object.entries(given)) made.set(name, value)
  return made
}
