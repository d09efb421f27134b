// Stands right before octavia-api and writes down every change that it took.
import { createServer, request as ask } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Taken {
  readonly at: number
  readonly method: string
  /** Without its query. */
  readonly path: string
  readonly body: unknown
  readonly answer: unknown
}

export interface JournalProxy {
  readonly endpoint: string
  readonly journal: readonly Taken[]
  stop(): Promise<void>
}

export const startJournalProxy = async (target: string): Promise<JournalProxy> => {
  const journal: Taken[] = []
  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming
    const at = Date.now()
    const { host: _host, connection: _connection, ...rest } = headers
    const onward = ask(`${target}${url}`, { method, headers: rest, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('error', () => outgoing.destroy())
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        const reply = Buffer.concat(chunks)
        const status = answer.statusCode ?? 502
        if (method !== 'GET' && status < 300) {
          const [path = url] = url.split('?')
          journal.push({ at, method, path, body: parsed(asked), answer: parsed([reply]) })
        }
        outgoing.writeHead(status, answer.headers).end(reply)
      })
    })
    const asked: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => asked.push(chunk))
    incoming.on('error', () => onward.destroy())
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    journal,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

const parsed = (chunks: readonly Buffer[]): unknown => {
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return undefined
  }
}
