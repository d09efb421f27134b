import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { factsOf, type Flow } from './flow.ts'

/** The HTTP half of an echo pod. */
export interface HttpAnswers {
  /** Serves HTTP/1.1 on a connection whose bytes are still to be read. */
  take(socket: Socket, flow: Flow): void
}

const mostBytes = 1e12
const block = Buffer.alloc(262_144, '0123456789abcde\n')

const sendBytes = (response: ServerResponse, wanted: number): void => {
  let left = wanted
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': wanted,
  })
  const more = (): void => {
    for (let room = true; room && left > 0;) {
      const size = Math.min(left, block.length)
      left -= size
      room = response.write(size === block.length ? block : block.subarray(0, size))
    }
    if (left === 0) response.off('drain', more).end()
  }
  response.on('drain', more)
  more()
}

const countBytes = (request: IncomingMessage, response: ServerResponse): void => {
  let count = 0
  request.on('data', (chunk: Buffer) => (count += chunk.length))
  request.on('end', () => response.end(`bytes=${count}\n`))
}

/**
 * `/` the facts; `/hostname`, `/clientip` and `/echo?msg=` as the Kubernetes test image agnhost answers
 * them; `GET /bytes?n=` streams n bytes and `POST /bytes` counts what it is sent, for measurements.
 */
const answer = (flow: Flow, request: IncomingMessage, response: ServerResponse): void => {
  const url = new URL(request.url ?? '/', 'http://pod')
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  switch (url.pathname) {
    case '/hostname':
      return void response.end(flow.pod)
    case '/clientip':
      return void response.end(`${flow.client.address}:${flow.client.port}`)
    case '/echo':
      return void response.end(url.searchParams.get('msg') ?? '')
    case '/bytes': {
      if (request.method === 'POST' || request.method === 'PUT')
        return countBytes(request, response)
      const wanted = Number(url.searchParams.get('n') ?? '0')
      if (Number.isInteger(wanted) && wanted >= 0 && wanted <= mostBytes) {
        return sendBytes(response, wanted)
      }
      response.statusCode = 400
      return void response.end(`n is a whole number from 0 to ${mostBytes}\n`)
    }
    default:
      return void response.end(`${factsOf(flow, 'tcp')}\n`)
  }
}

export const createHttpAnswers = (): HttpAnswers => {
  const flows = new WeakMap<Socket, Flow>()
  const server = createServer((request, response) => {
    const flow = flows.get(request.socket)
    if (flow) answer(flow, request, response)
    if (request.method !== 'POST' && request.method !== 'PUT') request.resume()
  })
  // The server never listens: connections come from the node's proxy, which also ends them.
  server.keepAliveTimeout = 0
  server.requestTimeout = 0
  server.headersTimeout = 0
  return {
    take: (socket, flow) => {
      flows.set(socket, flow)
      server.emit('connection', socket)
    },
  }
}
