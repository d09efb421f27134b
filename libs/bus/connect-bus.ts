import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { backoffMs, explainError, type Clock, type Ids, type Logger } from '@weir/kernel'
import type { Bus } from './bus.ts'
import { openConnection, type Connection } from './connection.ts'
import { consumeSupervised } from './consume.ts'
import { lastOfEachOn, lastOn } from './last-values.ts'
import { createPublisher } from './publish.ts'
import { createRunningConsumers } from './running.ts'
import { createStreamKeeper, type StreamKeeper } from './stream-keeper.ts'

export interface ConnectBusOptions {
  /** `nats://[user:password@]host:port` or `tls://...`; several servers are joined by commas. */
  readonly url: string
  /** What the server's operator sees this connection called. */
  readonly name: string
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** Copies of each stream over the servers; 1 unless said otherwise. */
  readonly replicas?: number
  /** Gives up waiting for a server that was never there. */
  readonly signal?: AbortSignal
}

const API_TIMEOUT_MS = 2_000
const STREAMS_BACKOFF = { minMs: 100, maxMs: 2_000 }

/**
 * The bus on JetStream. Waits for the server as long as it takes, and makes the streams that are
 * missing; from then on it goes on by itself through every loss of the server.
 *
 * @throws OperatingError when `signal` aborts before the server answered.
 */
export const connectBus = async (options: ConnectBusOptions): Promise<Bus> => {
  const { clock, ids, logger, replicas = 1 } = options
  const connection = await openConnection(options)
  const { nats } = connection
  const life = new AbortController()
  const client = jetstream(nats, { timeout: API_TIMEOUT_MS })
  const manager = await jetstreamManager(nats, { timeout: API_TIMEOUT_MS, checkAPI: false })
  const keeper = createStreamKeeper({
    connection,
    manager,
    clock,
    logger,
    replicas,
    signal: life.signal,
  })
  const deps = { connection, client, manager, keeper, clock, ids, logger }
  const publisher = createPublisher(deps)
  const consumers = createRunningConsumers()
  await firstStreams(keeper, options)
  return {
    ensureStreams: () => keeper.ensure(),
    publish: (messages) => publisher.publish(messages),
    consume: (wanted) => consumers.run(wanted, (until) => consumeSupervised(deps, until)),
    last: (stream, subject) => lastOn(deps, stream, subject),
    lastOfEach: (stream, filter) => lastOfEachOn(deps, stream, filter),
    hint: (subject, body) => {
      if (connection.connected()) nats.publish(subject, body)
    },
    onHint: (subject, handle, signal) => listen(connection, { subject, handle, signal, logger }),
    onRebuilt: (handle, signal) => keeper.onRebuilt(handle, signal),
    connected: () => connection.connected(),
    close: async () => {
      await consumers.end()
      life.abort()
      await connection.close()
    },
  }
}

/** A server that has just started answers before JetStream does. */
const firstStreams = async (keeper: StreamKeeper, options: ConnectBusOptions): Promise<void> => {
  const { clock, ids, logger, signal } = options
  for (let attempt = 1; ; attempt += 1) {
    try {
      await keeper.ensure()
      return
    } catch (error) {
      if (signal?.aborted === true) throw error
      logger.warn({ error: explainError(error), attempt }, 'cannot make the streams yet')
      await clock.sleep(backoffMs(STREAMS_BACKOFF, attempt, ids.random()), signal)
    }
  }
}

interface Listening {
  readonly subject: string
  readonly handle: (body: string, subject: string) => void
  readonly signal: AbortSignal
  readonly logger: Logger
}

const listen = (connection: Connection, { subject, handle, signal, logger }: Listening): void => {
  if (signal.aborted) return
  const take = (body: string, at: string): void => {
    // What a callback throws ends the client's reading of its socket: nothing is heard until it reconnects.
    try {
      handle(body, at)
    } catch (error) {
      logger.error({ subject: at, error: explainError(error) }, 'a hint could not be taken')
    }
  }
  const subscription = connection.nats.subscribe(subject, {
    callback: (error, message) => {
      if (error === null) take(message.string(), message.subject)
      else logger.warn({ subject, error: explainError(error) }, 'hints are refused')
    },
  })
  signal.addEventListener('abort', () => subscription.unsubscribe(), { once: true })
}
