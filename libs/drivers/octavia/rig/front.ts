// Stands between the driver and octavia-api: passes everything on, and misbehaves when it is told to.
import {
  createServer,
  request as ask,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import type { Turns } from './turns.ts'

/** What the next matching calls meet instead of being passed on. */
export type Trouble =
  /** The connection breaks before anything happens. */
  | { readonly meets: 'no-effect' }
  /** It is passed on, and the connection breaks before the answer. */
  | { readonly meets: 'lost-reply' }
  | {
      readonly meets: 'answer'
      readonly status: number
      readonly body: string
      readonly headers?: Readonly<Record<string, string>>
    }
  /** Nothing is answered until the front stops. */
  | { readonly meets: 'silence' }

export interface Seen {
  readonly method: string
  readonly path: string
  readonly body: unknown
  readonly token: string | undefined
}

export interface Front {
  readonly endpoint: string
  /** The next calls for which `matches` says so meet `trouble`, one each. */
  meet(trouble: Trouble, matches?: (call: Seen) => boolean): void
  /** From now on `choose` says what calls meet for which nothing else was said. */
  whenever(choose: (call: Seen) => Trouble | undefined): void
  /** The calls that came, in order; the last 10,000. */
  readonly seen: readonly Seen[]
  /** Forgets calls and troubles. */
  clear(): void
  stop(): Promise<void>
}

const mostSeen = 10_000

export const isChange = ({ method }: Seen): boolean => method !== 'GET'

/** Passes calls on when it is their turn. `admits` looks at each call's token; without it none is asked for. */
export const startFront = async (
  turns: Turns,
  admits: (token: string | undefined) => boolean = () => true,
): Promise<Front> => {
  const troubles: { readonly trouble: Trouble; readonly matches: (call: Seen) => boolean }[] = []
  const seen: Seen[] = []
  let choose: (call: Seen) => Trouble | undefined = () => undefined
  const server: Server = createServer((incoming, outgoing) => {
    void readAll(incoming).then((bytes) => {
      const text = bytes.toString()
      const call: Seen = {
        method: incoming.method ?? '',
        path: incoming.url ?? '',
        body: text === '' ? undefined : JSON.parse(text),
        token: String(incoming.headers['x-auth-token'] ?? '') || undefined,
      }
      seen.push(call)
      if (seen.length > mostSeen) seen.shift()
      if (!admits(call.token)) {
        outgoing.writeHead(401, { 'content-type': 'text/html' }).end('<h1>401 Unauthorized</h1>')
        return
      }
      const at = troubles.findIndex(({ matches }) => matches(call))
      const trouble = at < 0 ? choose(call) : troubles.splice(at, 1)[0]?.trouble
      void turns((target) => answer({ incoming, outgoing, text, target }, trouble))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    seen,
    meet: (trouble, matches = isChange) => troubles.push({ trouble, matches }),
    whenever: (next) => (choose = next),
    clear: () => {
      troubles.splice(0)
      seen.splice(0)
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly text: string
  readonly target: string
}

const answer = async (exchange: Exchange, trouble: Trouble | undefined): Promise<void> => {
  const { outgoing } = exchange
  switch (trouble?.meets) {
    case undefined:
      await passOn(exchange, (status, headers, body) =>
        outgoing.writeHead(status, headers).end(body),
      )
      break
    case 'no-effect':
      outgoing.destroy()
      break
    case 'lost-reply':
      await passOn(exchange, () => outgoing.destroy())
      break
    case 'answer':
      outgoing.writeHead(trouble.status, { 'content-type': 'application/json', ...trouble.headers })
      outgoing.end(trouble.body)
      break
    case 'silence':
      break
  }
}

type Then = (status: number, headers: Record<string, string>, body: Buffer) => void

const passOn = async (
  { incoming, outgoing, text, target }: Exchange,
  then: Then,
): Promise<void> => {
  const { method, url, headers } = incoming
  const type = headers['content-type']
  const sent = {
    accept: 'application/json',
    ...(type === undefined ? {} : { 'content-type': type }),
    ...(text === '' ? {} : { 'content-length': String(Buffer.byteLength(text)) }),
  }
  const onward = ask(`${target}${url ?? ''}`, { method, headers: sent, agent: false })
  try {
    const answered = once(onward, 'response') as Promise<[IncomingMessage]>
    onward.end(text)
    const [answer] = await answered
    const kind = answer.headers['content-type']
    const body = await readAll(answer)
    then(answer.statusCode ?? 502, kind === undefined ? {} : { 'content-type': kind }, body)
  } catch {
    outgoing.destroy()
  }
}

const readAll = async (incoming: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
