import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Socket } from 'node:net'
import type { HealthAnswer } from './health.ts'
import type { Listening } from './listeners.ts'

export interface Peer {
  readonly address: string
  readonly port: number
}

/** Listens for connections; closing it leaves the established ones alone. */
export const openTcp = async (
  { address, port }: Peer,
  onConnection: (socket: Socket, client: Peer) => void,
): Promise<Listening> => {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const { remoteAddress, remotePort } = socket
    if (remoteAddress === undefined || remotePort === undefined) return void socket.destroy()
    onConnection(socket, { address: remoteAddress, port: remotePort })
  })
  server.listen({ port, host: address, backlog: 4_096 })
  await once(server, 'listening')
  return {
    // `close` calls back only after the last connection, but stops listening at once.
    close: async () => void server.close(),
  }
}

/** Listens for datagrams and answers each from the same address and port. */
export const openUdp = async (
  { address, port }: Peer,
  answer: (payload: Buffer, client: Peer) => Buffer | undefined,
): Promise<Listening> => {
  const socket = createSocket('udp4')
  socket.on('message', (payload, client) => {
    const reply = answer(payload, client)
    // A reply that the client no longer wants is lost, as datagrams may be.
    if (reply) socket.send(reply, client.port, client.address, () => undefined)
  })
  socket.bind(port, address)
  await once(socket, 'listening')
  return { close: () => new Promise((resolve) => socket.close(() => resolve())) }
}

/** Serves one of kube-proxy's health ports; closing it cuts its connections, as kube-proxy does. */
export const openHealth = async (
  { address, port }: Peer,
  answer: (path: string) => HealthAnswer,
): Promise<Listening> => {
  const server = createHttpServer((request, response) => {
    const { status, headers, body } = answer(new URL(request.url ?? '/', 'http://node').pathname)
    response.writeHead(status, headers).end(body)
  })
  server.listen({ port, host: address })
  await once(server, 'listening')
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
