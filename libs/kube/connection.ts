import { lookup as resolve, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { clusterId, type ClusterId } from '@weir/contract'
import { OperatingError } from '@weir/kernel'
import { Agent, type Dispatcher } from 'undici'
import { z } from 'zod'
import { refusalOf, type AddressPolicy } from './address-policy.ts'
import { apiErrorOf } from './api-error.ts'
import type { ClusterCredentials } from './credentials.ts'

/** One cluster's API server over one pool of sockets. Redirects are never followed. */
export interface KubeConnection {
  readonly server: string
  /**
   * One call with a JSON answer. A body is sent with `contentType`, JSON when absent.
   * @throws ApiError when the server answers with anything but 2xx; OperatingError when it doesn't.
   */
  call(request: KubeCall): Promise<unknown>
  /** A long answer as it arrives; ends when the server ends it, rejects when it breaks. */
  stream(path: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /** The UID of the namespace kube-system: which cluster really answers. */
  identity(): Promise<ClusterId>
  close(): Promise<void>
}

export interface KubeCall {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  readonly contentType?: PatchType
  readonly signal?: AbortSignal
}

export type PatchType =
  | 'application/strategic-merge-patch+json'
  | 'application/merge-patch+json'
  | 'application/json-patch+json'

export interface ConnectionLimits {
  /** Milliseconds to wait for an answer's head, and between two parts of its body. */
  readonly timeoutMs: number
  /** Most bytes of one answer that is no stream. */
  readonly maxBodyBytes: number
  /** Most sockets to one cluster. */
  readonly sockets: number
}

const defaultLimits: ConnectionLimits = {
  timeoutMs: 15_000,
  maxBodyBytes: 64 * 1024 * 1024,
  sockets: 48,
}

export interface ConnectionOptions {
  readonly policy: AddressPolicy
  readonly limits?: Partial<ConnectionLimits>
}

/** Nothing is dialled before the first call. */
export const createConnection = (
  credentials: ClusterCredentials,
  options: ConnectionOptions,
): KubeConnection => {
  const limits = { ...defaultLimits, ...options.limits }
  const { auth, server } = credentials
  const agent = new Agent({
    allowH2: false,
    bodyTimeout: 0,
    headersTimeout: limits.timeoutMs,
    keepAliveTimeout: 60_000,
    connections: limits.sockets,
    connect: {
      ca: credentials.ca,
      ...(auth.kind === 'certificate' ? { cert: auth.cert, key: auth.key } : {}),
      timeout: limits.timeoutMs,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      lookup: guardedLookup(options.policy),
    },
  })
  const refusal = literalRefusal(server, options.policy)
  const authorization = auth.kind === 'token' ? { authorization: `Bearer ${auth.token}` } : {}

  const send = async (request: KubeCall, bodyTimeout: number): Promise<Dispatcher.ResponseData> => {
    if (refusal !== undefined) throw new OperatingError(`cannot reach ${server}: ${refusal}`)
    const { method, path, body, signal } = request
    const answer = await agent
      .request({
        origin: server,
        path,
        method,
        bodyTimeout,
        headers: {
          accept: 'application/json',
          'user-agent': 'weir',
          ...authorization,
          ...(body === undefined
            ? {}
            : { 'content-type': request.contentType ?? 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      })
      .catch((cause: unknown) => {
        throw new OperatingError(`cannot ${method} ${path} at ${server}`, { cause })
      })
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer
    const said = await readText(answer.body, 64 * 1024).catch(() => '')
    throw apiErrorOf({ method, path, status: answer.statusCode, headers: answer.headers, said })
  }

  const call = async (request: KubeCall): Promise<unknown> => {
    const answer = await send(request, limits.timeoutMs)
    const said = await readText(answer.body, limits.maxBodyBytes).catch((cause: unknown) => {
      throw new OperatingError(`cannot read ${request.path} of ${server}`, { cause })
    })
    try {
      return JSON.parse(said)
    } catch (cause) {
      throw new OperatingError(`${server} answered ${request.path} with no JSON`, { cause })
    }
  }

  return {
    server,
    call,
    stream: async (path, signal) => (await send({ method: 'GET', path, signal }, 0)).body,
    identity: async () => {
      const answer = await call({ method: 'GET', path: '/api/v1/namespaces/kube-system' })
      const read = z.object({ metadata: z.object({ uid: clusterId }) }).safeParse(answer)
      if (read.success) return read.data.metadata.uid
      throw new OperatingError(`namespace kube-system at ${server} has no UID`)
    },
    close: () => agent.destroy(),
  }
}

/** Checks what the name resolves to at the moment of dialling, so that a name cannot change later. */
const guardedLookup =
  (policy: AddressPolicy): LookupFunction =>
  (hostname, options, done) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error) return done(error, [])
      const refusals = found.map(({ address }) => refusalOf(policy, address))
      const allowed = found.filter((_, index) => refusals[index] === undefined)
      const [first] = allowed
      if (first === undefined) {
        return done(new OperatingError(refusals.find(Boolean) ?? `${hostname} has no address`), [])
      }
      answer(options.all === true, allowed, first, done)
    })
  }

const answer = (
  all: boolean,
  allowed: LookupAddress[],
  first: LookupAddress,
  done: Parameters<LookupFunction>[2],
): void => (all ? done(null, allowed) : done(null, first.address, first.family))

// A literal address is dialled without a look-up, so it is checked here. The URL parser has already
// turned decimal, octal and hexadecimal spellings into four parts.
const literalRefusal = (server: string, policy: AddressPolicy): string | undefined => {
  const host = new URL(server).hostname.replace(/^\[|\]$/g, '')
  return isIP(host) === 0 ? undefined : refusalOf(policy, host)
}

const readText = async (body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> => {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of body) {
    size += part.length
    if (size > maxBytes) throw new OperatingError(`the answer is over ${maxBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
