import { connect, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node'
import { explainError, OperatingError, type Logger } from '@weir/kernel'

/** One connection that never gives up, and what happens to it. */
export interface Connection {
  readonly nats: NatsConnection
  connected(): boolean
  closed(): boolean
  /** Calls back each time the server answers again after it was away, until `signal` aborts. */
  onReconnect(handle: () => void, signal: AbortSignal): void
  close(): Promise<void>
}

export interface ConnectionRequest {
  /** `nats://[user:password@]host:port` or `tls://...`; several servers are joined by commas. */
  readonly url: string
  /** What the server's operator sees this connection called. */
  readonly name: string
  readonly logger: Logger
  /** Gives up waiting for the first answer. */
  readonly signal?: AbortSignal | undefined
}

/** Longest time for what is still on its way when the connection closes. */
const FLUSH_DEADLINE_MS = 1_000

/** Waits for the first answer as long as it takes. @throws OperatingError when `signal` aborts. */
export const openConnection = async (request: ConnectionRequest): Promise<Connection> => {
  const { logger } = request
  const nats = await firstAnswer(request)
  const listeners = new Set<() => void>()
  let up = true
  const follow = async (): Promise<void> => {
    for await (const status of nats.status()) {
      if (status.type === 'disconnect') {
        up = false
        logger.warn({ server: status.server }, 'the bus is away')
      } else if (status.type === 'reconnect') {
        up = true
        logger.info({ server: status.server }, 'the bus is back')
        for (const listener of listeners) listener()
      }
    }
    up = false
  }
  follow().catch((error: unknown) => logger.error({ error: explainError(error) }, 'bus status'))

  return {
    nats,
    connected: () => up && !nats.isClosed(),
    closed: () => nats.isClosed(),
    onReconnect: (handle, signal) => {
      if (signal.aborted) return
      listeners.add(handle)
      signal.addEventListener('abort', () => listeners.delete(handle), { once: true })
    },
    close: async () => {
      if (nats.isClosed()) return
      if (up) await Promise.race([nats.flush().catch(() => undefined), deadline()])
      await nats.close()
    },
  }
}

const deadline = (): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, FLUSH_DEADLINE_MS).unref())

const firstAnswer = async (request: ConnectionRequest): Promise<NatsConnection> => {
  const connecting = connect(optionsOf(request))
  const { signal } = request
  if (signal === undefined) return connecting
  const given = Promise.withResolvers<never>()
  const giveUp = (): void => given.reject(new OperatingError('stopped before the bus answered'))
  if (signal.aborted) giveUp()
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await Promise.race([connecting, given.promise])
  } catch (error) {
    // A connection that comes after we gave up must not live on.
    connecting.then((late) => late.close()).catch(() => undefined)
    throw error
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

const optionsOf = ({ url, name }: ConnectionRequest): ConnectionOptions => {
  const servers = url.split(',').map((part) => new URL(part.trim()))
  const [first] = servers
  if (first === undefined) throw new OperatingError('no server named; expected nats://host:port')
  return {
    servers: servers.map((server) => server.host),
    name,
    ...(first.username === '' ? {} : { user: decodeURIComponent(first.username) }),
    ...(first.password === '' ? {} : { pass: decodeURIComponent(first.password) }),
    ...(first.protocol === 'tls:' ? { tls: {} } : {}),
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    reconnectJitter: 200,
    // A half-open connection is found after 20 to 30 seconds instead of four minutes.
    pingInterval: 10_000,
    maxPingOut: 2,
    // Short-lived credentials are refused for a moment when they are renewed; that is no reason to end.
    ignoreAuthErrorAbort: true,
    // A stack trace per request costs more than the request: 26k/s with them, 46k/s without.
    noAsyncTraces: true,
  }
}
