import type { ConsumerMessages, JetStreamClient, JetStreamManager, JsMsg } from '@nats-io/jetstream'
import { backoffMs, explainError, type Clock, type Ids, type Logger } from '@weir/kernel'
import { batchOf, beginAt } from './begin.ts'
import type { ConsumeOptions } from './bus.ts'
import type { Connection } from './connection.ts'
import { ACK_WAIT_MS, obtainConsumer } from './consumer-config.ts'
import { createInbox, type Inbox } from './inbox.ts'
import { incomingOf } from './incoming.ts'
import { REDELIVERY_BACKOFF } from './limits.ts'
import type { StreamKeeper } from './stream-keeper.ts'

export interface ConsumeDeps {
  readonly connection: Connection
  readonly client: JetStreamClient
  readonly manager: JetStreamManager
  readonly keeper: StreamKeeper
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
}

/** Between two attempts to get a vanished consumer back. */
const RECREATE_BACKOFF = { minMs: 50, maxMs: 2_000 }
/** The server says that it lives; two missed ones and the consumer is looked at. */
const HEARTBEAT_MS = 2_000
const PULL_EXPIRES_MS = 30_000
/** A session of this length shows that the trouble before it is over. */
const SETTLED_MS = 5_000

/**
 * Two loops around one inbox. The supervisor keeps a session with the server open, and opens the next
 * when the consumer, the stream or the connection vanished. The handler takes what is there; what it
 * holds stays valid over sessions, since an acknowledgement names the message and not the session.
 */
export const consumeSupervised = async (
  deps: ConsumeDeps,
  options: ConsumeOptions,
): Promise<void> => {
  const { manager, connection, ids } = deps
  const name = options.durable ?? `own-${ids.uuid()}`
  const inbox = createInbox(deps.clock)
  const progress: Progress = { handled: undefined, inHand: [] }
  await Promise.all([
    superviseSessions({ deps, options, inbox, progress, name }),
    handleBatches(deps, { options, inbox, progress }),
    keepAlive(deps, { options, inbox, progress }),
  ])
  for (const message of inbox.empty()) message.nak()
  if (options.durable === undefined && connection.connected()) {
    await manager.consumers.delete(options.stream, name).catch(() => undefined)
  }
}

interface Progress {
  /** When the newest handled message was stored, in milliseconds of the server's clock. */
  handled: number | undefined
  inHand: readonly JsMsg[]
}

interface Consuming {
  readonly options: ConsumeOptions
  readonly inbox: Inbox
  readonly progress: Progress
}

interface Supervised extends Consuming {
  readonly deps: ConsumeDeps
  readonly name: string
}

const superviseSessions = async (supervised: Supervised): Promise<void> => {
  const { deps, options } = supervised
  const { connection, keeper, clock, ids, logger } = deps
  let failures = 0
  while (!options.signal.aborted && !connection.closed()) {
    const since = clock.now()
    try {
      await session(supervised)
      failures = 0
    } catch (error) {
      failures = clock.now() - since > SETTLED_MS ? 1 : failures + 1
      const what = { stream: options.stream, consumer: supervised.name }
      logger.warn({ ...what, failures, error: explainError(error) }, 'the consumer vanished')
      await keeper.ensure().catch(() => undefined)
      const wait = backoffMs(RECREATE_BACKOFF, failures, ids.random())
      await clock.sleep(wait, options.signal)
    }
  }
}

/** One subscription. Resolves on abort and on reconnection, rejects when something vanished. */
const session = async ({ deps, options, inbox, progress, name }: Supervised): Promise<void> => {
  const { client, manager, connection } = deps
  const begin = beginAt(options.from, progress.handled)
  const info = await obtainConsumer(manager, name, options, begin)
  progress.handled ??= Date.parse(info.created)
  const messages = await client.consumers.getConsumerFromInfo(info).consume({
    max_messages: 2 * batchOf(options),
    expires: PULL_EXPIRES_MS,
    idle_heartbeat: HEARTBEAT_MS,
    abort_on_missing_resource: true,
    callback: (message) => inbox.put(message),
  })
  const over = new AbortController()
  // After a reconnection the library waits as long as a pull lasts when JetStream is not up at once,
  // so the session ends and the supervisor opens the next.
  connection.onReconnect(() => messages.stop(), over.signal)
  const stop = (): void => messages.stop()
  options.signal.addEventListener('abort', stop, { once: true })
  if (options.signal.aborted) stop()
  try {
    await endOf(messages)
  } finally {
    over.abort()
    options.signal.removeEventListener('abort', stop)
  }
}

const endOf = async (messages: ConsumerMessages): Promise<void> => {
  const failure = await messages.closed()
  if (failure instanceof Error) throw failure
}

const handleBatches = async (deps: ConsumeDeps, consuming: Consuming): Promise<void> => {
  const { options, inbox, progress } = consuming
  while (!options.signal.aborted) {
    const batch = await inbox.take(batchOf(options), options.signal)
    if (batch.length === 0) continue
    progress.inHand = batch
    try {
      await options.handle(batch.map(incomingOf))
      for (const message of batch) message.ack()
      progress.handled = Math.max(progress.handled ?? 0, batch.at(-1)?.time.getTime() ?? 0)
    } catch (error) {
      giveBack(deps, options, batch, error)
    } finally {
      progress.inHand = []
    }
  }
}

const giveBack = (
  { ids, logger }: ConsumeDeps,
  { stream, filter }: ConsumeOptions,
  batch: readonly JsMsg[],
  error: unknown,
): void => {
  const what = { stream, filter, messages: batch.length, error: explainError(error) }
  logger.warn(what, 'a batch was not handled; it comes again')
  for (const message of batch) {
    message.nak(backoffMs(REDELIVERY_BACKOFF, message.info.deliveryCount, ids.random()))
  }
}

const keepAlive = async (
  { clock, connection }: ConsumeDeps,
  { options, inbox, progress }: Consuming,
): Promise<void> => {
  const every = ACK_WAIT_MS / 3
  while (!options.signal.aborted && !connection.closed()) {
    await clock.sleep(every, options.signal)
    if (!connection.connected()) continue
    inbox.keepAlive(every)
    for (const message of progress.inHand) message.working()
  }
}
