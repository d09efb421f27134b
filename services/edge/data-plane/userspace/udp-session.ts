import { createSocket, type Socket } from 'node:dgram'
import type { Hop } from './route.ts'

/** One client's datagrams to one node and back. */
export interface UdpSession {
  readonly node: string
  /** When a datagram last went either way. */
  readonly lastAt: number
  /** Datagrams sent to the node since it last answered. */
  readonly unanswered: number
  send(payload: Buffer): void
  close(): void
}

export interface UdpSessionOptions {
  readonly hop: Hop
  /** The local address to send from. */
  readonly source: string | undefined
  readonly now: () => number
  /** Takes an answer to the client. */
  readonly answer: (payload: Buffer) => void
  /** The node can't be reached or told so (ICMP port unreachable); `close` was called. */
  readonly onBroken: () => void
}

/** Datagrams that wait for the socket, which takes a millisecond to open. */
const waitingMax = 64

export const openUdpSession = (options: UdpSessionOptions): UdpSession => {
  const { hop, source, now } = options
  const waiting: Buffer[] = []
  let state: 'opening' | 'open' | 'closed' = 'opening'
  let lastAt = now()
  let unanswered = 0

  const socket: Socket = createSocket(hop.ip.includes(':') ? 'udp6' : 'udp4')
  const close = (): void => {
    if (state === 'closed') return
    state = 'closed'
    socket.close()
  }
  const fail = (): void => {
    if (state === 'closed') return
    close()
    options.onBroken()
  }
  const sendNow = (payload: Buffer): void =>
    socket.send(payload, (error) => {
      if (error) fail()
    })
  socket.on('error', fail)
  socket.on('message', (payload) => {
    lastAt = now()
    unanswered = 0
    options.answer(payload)
  })
  socket.on('connect', () => {
    if (state !== 'opening') return
    state = 'open'
    waiting.splice(0).forEach(sendNow)
  })
  const connect = (): void => {
    if (state === 'opening') socket.connect(hop.nodePort, hop.ip)
  }
  if (source === undefined) connect()
  else socket.bind({ address: source, port: 0 }, connect)

  return {
    node: hop.node,
    get lastAt() {
      return lastAt
    },
    get unanswered() {
      return unanswered
    },
    send: (payload) => {
      lastAt = now()
      unanswered += 1
      if (state === 'open') sendNow(payload)
      else if (state === 'opening' && waiting.length < waitingMax) waiting.push(payload)
    },
    close,
  }
}
