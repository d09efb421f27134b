import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream'
import type { ConsumerInfo, JetStreamClient, JetStreamManager } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { OperatingError } from '@weir/kernel'
import type { IncomingMessage } from './bus.ts'
import { headersOf, incomingOf } from './incoming.ts'
import { RETRY, withRetry, type RetryDeps } from './retry.ts'

export interface LastValueDeps extends RetryDeps {
  readonly client: JetStreamClient
  readonly manager: JetStreamManager
}

const PAGE = 512
/** A page that cannot be filled is known to be the end after this. */
const PAGE_EXPIRES_MS = 1_000
const READER_INACTIVE_MS = 30_000

export const lastOn = (
  deps: LastValueDeps,
  stream: string,
  subject: string,
): Promise<IncomingMessage | undefined> =>
  withRetry(deps, `read the last message on ${subject}`, async () => {
    const found = await deps.manager.direct.getMessage(stream, { last_by_subj: subject })
    if (found === null) return undefined
    return {
      subject: found.subject,
      body: found.string(),
      headers: headersOf(found.header),
      streamSequence: found.seq,
      deliveries: 1,
    }
  })

/**
 * A reader of its own on the server, fetched page by page: a read of many last values in one
 * request is limited to 1,024 subjects by the server, and needs its version 2.11.
 */
export async function* lastOfEachOn(
  deps: LastValueDeps,
  stream: string,
  filter: string,
): AsyncGenerator<IncomingMessage> {
  const { client, manager } = deps
  const attempted = `read the last messages on ${filter}`
  const info = await withRetry(deps, attempted, () => openReader(manager, stream, filter))
  const reader = client.consumers.getConsumerFromInfo(info)
  try {
    let left = info.num_pending
    while (left > 0) {
      const page = await withRetry(deps, attempted, () =>
        reader.fetch({ max_messages: Math.min(PAGE, left), expires: PAGE_EXPIRES_MS }),
      )
      let read = 0
      for await (const message of named(page, attempted)) {
        read += 1
        left = message.info.pending
        yield incomingOf(message)
      }
      // Values may be replaced while we read, so what was counted may not be there any more.
      if (read === 0) left = (await withRetry(deps, attempted, () => reader.info())).num_pending
    }
  } finally {
    await manager.consumers.delete(stream, info.name).catch(() => undefined)
  }
}

/**
 * A page of messages whose end is told in words when it breaks off, as with a stream that vanishes meanwhile. It is
 * not tried again here: what was read of it does not come again.
 */
async function* named<T>(page: AsyncIterable<T>, attempted: string): AsyncGenerator<T> {
  try {
    yield* page
  } catch (error) {
    const problem = `cannot ${attempted}; the read broke off`
    throw new OperatingError(problem, { cause: error, retry: RETRY })
  }
}

const openReader = (
  manager: JetStreamManager,
  stream: string,
  filter: string,
): Promise<ConsumerInfo> =>
  manager.consumers.add(stream, {
    filter_subject: filter,
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.LastPerSubject,
    inactive_threshold: nanos(READER_INACTIVE_MS),
    mem_storage: true,
  })
