import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import { connect, createServer, Server as NetServer, type Socket } from 'node:net'

/** Something that was opened for a test. */
export interface Opened {
  close(): Promise<void>
}

/** Listens for TCP on one address of a stand-in node; closing it cuts its connections. */
export const listenTcp = async (
  host: string,
  port: number,
  onConnection: (socket: Socket) => void,
): Promise<Opened> => {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    onConnection(socket)
  })
  server.listen({ host, port })
  await once(server, 'listening')
  return {
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Answers each datagram with `answer(payload, client address)`. */
export const listenUdp = async (
  host: string,
  port: number,
  answer: (payload: string, client: string) => string,
): Promise<Opened> => {
  const socket = createSocket('udp4')
  socket.on('message', (payload, client) =>
    socket.send(answer(payload.toString(), client.address), client.port, client.address),
  )
  socket.bind(port, host)
  await once(socket, 'listening')
  return {
    close: async () => {
      const closed = once(socket, 'close')
      socket.close()
      await closed
    },
  }
}

/** What a health port of a stand-in node says; change it while it listens. */
export interface HealthPort extends Opened {
  status: number
  weight: number | undefined
  /** Answers nothing while true, as a node that lost power. */
  mute: boolean
  /** Questions that came, and the connections that they came on. */
  asked: number
  connections: number
  /** After so many answers a connection is mute, or cut at the next question. */
  muteAfter: number
  cutAfter: number
  /** How long an answer takes, in milliseconds. */
  delayMs: number
  /** Whether a question is being answered. */
  answering: boolean
  onAsked: () => void
  /** Takes no new connection; those that there are go on. */
  stopListening(): void
}

export const listenHealth = async (host: string, port: number): Promise<HealthPort> => {
  const health: HealthPort = {
    status: 200,
    weight: undefined,
    mute: false,
    asked: 0,
    connections: 0,
    muteAfter: Infinity,
    cutAfter: Infinity,
    stopListening: () => void NetServer.prototype.close.call(server),
    delayMs: 0,
    answering: false,
    onAsked: () => undefined,
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
  const answer = (response: ServerResponse): void => {
    const weight = health.weight
    const headers = weight === undefined ? {} : { 'x-load-balancing-endpoint-weight': `${weight}` }
    health.answering = false
    response.writeHead(health.status, headers).end()
  }
  const answers = new WeakMap<Socket, number>()
  const server = createHttpServer(({ socket }, response) => {
    const before = answers.get(socket) ?? 0
    answers.set(socket, before + 1)
    health.asked += 1
    if (before >= health.cutAfter) return void socket.resetAndDestroy()
    if (health.mute || before >= health.muteAfter) return
    health.answering = true
    health.onAsked()
    if (health.delayMs === 0) answer(response)
    else setTimeout(answer, health.delayMs, response)
  })
  server.on('connection', () => (health.connections += 1))
  server.listen({ host, port })
  await once(server, 'listening')
  return health
}

export interface AskOptions {
  readonly host: string
  readonly port: number
  /** The client's own address. */
  readonly from?: string
}

/** Sends one text, ends, and returns all that comes back. @throws when refused or reset. */
export const askTcp = async ({ host, port, from }: AskOptions, text = ''): Promise<string> => {
  const socket = connect({ host, port, ...(from === undefined ? {} : { localAddress: from }) })
  const heard: Buffer[] = []
  socket.on('data', (chunk: Buffer) => heard.push(chunk))
  socket.end(text)
  await once(socket, 'close')
  return Buffer.concat(heard).toString('latin1')
}

/** Sends one datagram and waits for the answer; undefined when there is none within `waitMs`. */
export const askUdp = async (
  { host, port, from }: AskOptions,
  text: string,
  waitMs = 2_000,
): Promise<string | undefined> => {
  const socket = createSocket('udp4')
  try {
    socket.bind({ port: 0, ...(from === undefined ? {} : { address: from }) })
    await once(socket, 'listening')
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(waitMs) })
    socket.send(text, port, host)
    const [payload] = await answer
    return String(payload)
  } catch {
    return undefined
  } finally {
    socket.close()
  }
}
