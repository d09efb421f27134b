import type { Socket } from 'node:net'
import { createHttpAnswers } from './echo-http.ts'
import { factsOf, type Flow } from './flow.ts'
import { readProxyHeader } from './proxy-protocol.ts'

/** The program that runs in every hollow pod, on every port. */
export interface EchoPod {
  /** Takes a fresh connection over; the first bytes decide between HTTP and plain lines. */
  tcp(socket: Socket, flow: Flow): void
  /** The answer to one datagram. */
  udp(payload: Buffer, flow: Flow): Buffer
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'].map(
  (method) => `${method} `,
)
const longestLine = 65_536
const longestDatagram = 65_507

type Speech = 'http' | 'lines' | 'undecided'

const speechOf = (bytes: Buffer): Speech => {
  const start = bytes.toString('latin1', 0, 8)
  if (methods.some((method) => start.startsWith(method))) return 'http'
  return methods.some((method) => method.startsWith(start)) ? 'undecided' : 'lines'
}

/** Answers each line with the facts and the line, and what is left when the client has ended. */
const speakLines = (socket: Socket, flow: Flow, first: Buffer): void => {
  let held = ''
  const answer = (line: string): boolean =>
    socket.write(`${factsOf(flow, 'tcp')} echo=${line.replace(/\r$/, '')}\n`)
  const take = (chunk: Buffer): void => {
    const lines = (held + chunk.toString('latin1')).split('\n')
    held = lines.pop() ?? ''
    if (held.length > longestLine) lines.push(held.slice(0, longestLine))
    if (held.length > longestLine) held = held.slice(longestLine)
    const accepted = lines.map(answer)
    if (accepted.includes(false)) socket.pause()
  }
  socket.setEncoding('latin1').setDefaultEncoding('latin1')
  socket.on('data', take)
  socket.on('drain', () => socket.resume())
  socket.on('end', () => {
    if (held !== '') answer(held)
    socket.end()
  })
  take(first)
}

export const createEchoPod = (): EchoPod => {
  const http = createHttpAnswers()

  /** Waits for enough bytes to know what the client speaks; an end decides for lines. */
  const listen = (socket: Socket, named: Flow): void => {
    let held = Buffer.alloc(0)
    let flow = named
    let headerRead = false
    const stop = (): void => {
      socket.off('data', take).off('end', end)
      socket.pause()
    }
    const speak = (speech: Speech): void => {
      stop()
      if (speech === 'http') {
        socket.unshift(held)
        http.take(socket, flow)
        process.nextTick(() => socket.resume())
      } else {
        speakLines(socket, flow, held)
        socket.resume()
      }
    }
    const take = (chunk: Buffer): void => {
      held = Buffer.concat([held, chunk])
      const header = headerRead ? { status: 'Absent' as const } : readProxyHeader(held)
      if (header.status === 'Incomplete') return
      if (header.status === 'Malformed') return void socket.resetAndDestroy()
      if (header.status === 'Read') {
        held = held.subarray(header.length)
        headerRead = true
        if (header.client) flow = { ...flow, client: header.client }
      }
      if (held.length === 0) return
      const speech = speechOf(held)
      if (speech !== 'undecided') speak(speech)
    }
    const end = (): void => {
      stop()
      socket.end(
        held.length > 0 ? `${factsOf(flow, 'tcp')} echo=${held.toString('latin1')}\n` : '',
        'latin1',
      )
    }
    socket.on('data', take).on('end', end)
  }

  return {
    tcp: (socket, flow) => {
      // A client that resets is everyday life; the socket closes by itself.
      socket.on('error', () => undefined)
      socket.setNoDelay(true)
      listen(socket, flow)
    },
    udp: (payload, flow) =>
      Buffer.concat([Buffer.from(`${factsOf(flow, 'udp')} echo=`), payload]).subarray(
        0,
        longestDatagram,
      ),
  }
}
