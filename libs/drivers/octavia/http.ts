import { Agent, request, type Dispatcher } from 'undici'
import { explainError, OperatingError } from '@weir/kernel'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export interface HttpCall {
  readonly method: Method
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
}

/** An answer with a JSON body, whatever its status. `body` is undefined when there was none. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: unknown
}

/** Sends one call. @throws Unanswered when nothing that we can read came back */
export type Send = (call: HttpCall) => Promise<Answer>

/** No answer, or none that can be read. `sent` tells whether the call may have had its effect. */
export class Unanswered extends OperatingError {
  readonly sent: boolean
  constructor(message: string, sent: boolean, cause: unknown) {
    super(message, { cause, retry: { afterMs: 2000 } })
    this.name = 'Unanswered'
    this.sent = sent
  }
}

/** Largest answer that is read, bytes: a page of load balancers has about 1 KB each. */
const maxBodyBytes = 8_000_000
const connectMs = 5000
/** A fully populated create builds hundreds of rows before it answers. */
const answerMs = 60_000

/** Connections of one driver; `ca` adds a private authority. */
export const createDispatcher = (ca: string | undefined): Dispatcher =>
  new Agent({
    connections: 16,
    headersTimeout: answerMs,
    bodyTimeout: answerMs,
    maxResponseSize: maxBodyBytes,
    connect: { timeout: connectMs, ...(ca === undefined ? {} : { ca }) },
  })

/** Plain HTTP with bounds: no redirects, a time limit, a size limit, and JSON or nothing. */
export const createSend =
  (dispatcher: Dispatcher): Send =>
  async ({ method, url, headers, body }) => {
    const text = body === undefined ? undefined : JSON.stringify(body)
    try {
      const response = await request(url, {
        dispatcher,
        method,
        headers: {
          accept: 'application/json',
          ...(text === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: text ?? null,
        signal: AbortSignal.timeout(answerMs),
      })
      const { statusCode: status } = response
      return {
        status,
        headers: firstOfEach(response.headers),
        body: readJson(await response.body.text(), status),
      }
    } catch (cause) {
      const attempted = `cannot ${method} ${withoutQuery(url)}`
      throw new Unanswered(attempted, mayHaveBeenSent(cause), cause)
    }
  }

const firstOfEach = (headers: Readonly<Record<string, string | string[] | undefined>>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  )

/** Proxies answer errors in HTML: that is a status without a body. A success must be JSON. */
const readJson = (text: string, status: number): unknown => {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    if (status >= 400) return undefined
    throw new OperatingError('the answer is not JSON', { cause })
  }
}

const neverSent: readonly string[] = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]

const mayHaveBeenSent = (error: unknown): boolean => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  // Failed handshakes, such as an unknown authority, come before the first byte of a call.
  const isHandshake = /^(ERR_TLS|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/.test(code)
  return !neverSent.includes(code) && !isHandshake
}

const withoutQuery = (url: string): string => url.replace(/\?.*$/, '')

/** The provider's own words for a refusal, trimmed, on one line; never the body of something else. */
export const faultOf = ({ status, body }: Pick<Answer, 'status' | 'body'>): string => {
  const words = faultWords(body)
  return words === undefined ? `HTTP ${status}` : words.replaceAll(/\s+/g, ' ').trim().slice(0, 300)
}

/** Octavia: `faultstring`; Neutron: `NeutronError.message`; Keystone: `error.message`. */
const faultWords = (body: unknown): string | undefined => {
  if (typeof body !== 'object' || body === null) return undefined
  for (const [name, value] of Object.entries(body)) {
    if (name === 'faultstring' && typeof value === 'string') return value
    if ((name === 'NeutronError' || name === 'error') && typeof value === 'object') {
      const inside: unknown = value !== null && 'message' in value ? value.message : undefined
      if (typeof inside === 'string') return inside
    }
  }
  return undefined
}

/** An answer that is a failure, for calls that only read. */
export const failed = (attempted: string, answer: Answer): OperatingError =>
  new OperatingError(`cannot ${attempted}: ${faultOf(answer)}`, {
    retry: { afterMs: retryAfterMs(answer) ?? 2000 },
  })

/** `Retry-After` in milliseconds, at most ten minutes; undefined when it isn't a number of seconds. */
export const retryAfterMs = ({ headers }: Pick<Answer, 'headers'>): number | undefined => {
  const seconds = Number(headers['retry-after'] ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1000, 600_000) : undefined
}

/** What a time-out or a broken connection says, for people. */
export const wordsOf = (error: unknown): string => explainError(error).slice(0, 300)
