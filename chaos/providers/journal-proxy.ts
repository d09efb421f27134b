// Stands before octavia-api: misbehaves when it is told to, and writes down every change that it took.
import { createServer, request as ask, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Taken {
  readonly at: number
  readonly method: string
  /** Without its query. */
  readonly path: string
  readonly body: unknown
  readonly answer: unknown
}

/** What a call meets instead of being passed on and answered. */
export type Trouble =
  /** The connection breaks, and nothing happened. */
  | { readonly meets: 'no-effect' }
  /** It happened, and the connection breaks before the answer. */
  | { readonly meets: 'lost-reply' }
  | { readonly meets: 'answer'; readonly status: number; readonly body: string }

export interface JournalProxy {
  readonly endpoint: string
  readonly journal: readonly Taken[]
  /** From now on `choose` says what each change meets. */
  whenever(choose: () => Trouble | undefined): void
  stop(): Promise<void>
}

/** An octavia-api answers one call at a time and lets five wait; more would be reset. */
const atOnce = 3

/** Passes calls on to `targets`, at most three to each at a time. */
export const startJournalProxy = async (targets: readonly string[]): Promise<JournalProxy> => {
  const journal: Taken[] = []
  const free = Array.from({ length: atOnce }, () => targets).flat()
  const waiting: ((target: string) => void)[] = []
  const turn = async (): Promise<string> =>
    free.shift() ?? (await new Promise<string>((resolve) => waiting.push(resolve)))
  const release = (target: string): void => {
    const next = waiting.shift()
    if (next === undefined) free.push(target)
    else next(target)
  }
  let choose: () => Trouble | undefined = () => undefined
  const server = createServer((incoming, outgoing) => {
    const trouble = incoming.method === 'GET' ? undefined : choose()
    void turn().then((target) => {
      // Who asked may have gone while it waited.
      if (outgoing.destroyed) return release(target)
      outgoing.once('close', () => release(target))
      pass({ incoming, outgoing, target, trouble, note: (taken) => journal.push(taken) })
    })
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    journal,
    whenever: (next) => (choose = next),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly target: string
  readonly trouble: Trouble | undefined
  readonly note: (taken: Taken) => void
}

const pass = ({ incoming, outgoing, target, trouble, note }: Exchange): void => {
  const { method = 'GET', url = '/', headers } = incoming
  if (trouble?.meets === 'no-effect') return void outgoing.destroy()
  if (trouble?.meets === 'answer') {
    incoming.resume()
    outgoing.writeHead(trouble.status, { 'content-type': 'application/json' }).end(trouble.body)
    return
  }
  const at = Date.now()
  const asked: Buffer[] = []
  const { host: _host, connection: _connection, ...rest } = headers
  const onward = ask(`${target}${url}`, { method, headers: rest, agent: false }, (answer) => {
    const chunks: Buffer[] = []
    answer.on('error', () => outgoing.destroy())
    answer.on('data', (chunk: Buffer) => chunks.push(chunk))
    answer.on('end', () => {
      const status = answer.statusCode ?? 502
      if (method !== 'GET' && status < 300) {
        const [path = url] = url.split('?')
        note({ at, method, path, body: parsed(asked), answer: parsed(chunks) })
      }
      if (trouble?.meets === 'lost-reply') outgoing.destroy()
      else outgoing.writeHead(status, answer.headers).end(Buffer.concat(chunks))
    })
  })
  incoming.on('data', (chunk: Buffer) => asked.push(chunk))
  incoming.on('error', () => onward.destroy())
  onward.on('error', () => outgoing.destroy())
  incoming.pipe(onward)
}

const parsed = (chunks: readonly Buffer[]): unknown => {
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return undefined
  }
}
