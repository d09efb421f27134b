import { OperatingError } from '@weir/kernel'
import { StringDecoder } from 'node:string_decoder'
import { Agent } from 'undici'
import { parse } from 'yaml'

/** An administrator's way into one cluster: `https://127.0.0.1:PORT` and PEM texts. */
export interface ApiCredentials {
  readonly server: string
  readonly ca: string
  readonly cert: string
  readonly key: string
  /** The name that its certificate has where `server` has another. */
  readonly serverName?: string | undefined
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Path with its query. */
  readonly path: string
  readonly body?: unknown
  /** `application/merge-patch+json` for a PATCH and `application/json` otherwise when absent. */
  readonly contentType?: string
}

/** The API server answered with an error; `status` is the HTTP status. */
export class ApiError extends OperatingError {
  readonly status: number
  constructor(message: string, status: number) {
    super(message)
    this.name = 'ApiError'
    this.status = status
  }
}

/** Raw JSON over one HTTP agent. */
export interface Api {
  /** The answer's JSON. Throws ApiError for 4xx and 5xx, OperatingError when nobody answers. */
  call<T>(request: ApiRequest): Promise<T>
  /** Hands over the stream's JSON lines; resolves when the server ends it or `signal` aborts. */
  watch(path: string, onEvent: (event: unknown) => void, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

interface Kubeconfig {
  readonly clusters: readonly [
    {
      readonly cluster: {
        readonly server: string
        readonly 'certificate-authority-data': string
        readonly 'tls-server-name'?: string
      }
    },
  ]
  readonly users: readonly [
    {
      readonly user: {
        readonly 'client-certificate-data': string
        readonly 'client-key-data': string
      }
    },
  ]
}

/** Reads the kubeconfig of a minicluster, which holds one cluster and one user inline. */
export const credentialsOf = (kubeconfig: string): ApiCredentials => {
  const { clusters, users } = parse(kubeconfig) as Kubeconfig
  const decode = (text: string): string => Buffer.from(text, 'base64').toString()
  return {
    server: clusters[0].cluster.server,
    serverName: clusters[0].cluster['tls-server-name'],
    ca: decode(clusters[0].cluster['certificate-authority-data']),
    cert: decode(users[0].user['client-certificate-data']),
    key: decode(users[0].user['client-key-data']),
  }
}

// The server ends a watch after five minutes, so a longer silence is a connection that died unheard.
const longestSilenceMs = 330_000

/** Opens no connection until it is used. */
export const createApi = ({ server, ca, cert, key, serverName }: ApiCredentials): Api => {
  const named = serverName === undefined ? {} : { servername: serverName }
  const agent = new Agent({ connect: { ca, cert, key, timeout: 5_000, ...named } })

  const send = async (request: ApiRequest, more: { signal?: AbortSignal; bodyTimeout: number }) => {
    const { method, path, body } = request
    const patch = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const headers: Record<string, string> = { accept: 'application/json' }
    if (body !== undefined) headers['content-type'] = request.contentType ?? patch
    try {
      return await agent.request({
        origin: server,
        path,
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        headersTimeout: 30_000,
        ...more,
      })
    } catch (cause) {
      throw new OperatingError(`cannot ${method} ${path}`, { cause })
    }
  }
  const refuse = (request: ApiRequest, status: number, text: string): ApiError =>
    new ApiError(`${request.method} ${request.path} was answered ${status}: ${text}`, status)

  return {
    call: async <T>(request: ApiRequest): Promise<T> => {
      const { statusCode, body } = await send(request, { bodyTimeout: 30_000 })
      const text = await body.text()
      if (statusCode >= 400) throw refuse(request, statusCode, text)
      return JSON.parse(text) as T
    },
    watch: async (path, onEvent, signal) => {
      const request: ApiRequest = { method: 'GET', path }
      const { statusCode, body } = await send(request, { signal, bodyTimeout: longestSilenceMs })
      if (statusCode >= 400) throw refuse(request, statusCode, await body.text())
      const decoder = new StringDecoder('utf8')
      let rest = ''
      for await (const chunk of body as AsyncIterable<Buffer>) {
        const lines = (rest + decoder.write(chunk)).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) if (line !== '') onEvent(JSON.parse(line))
      }
    },
    close: () => agent.destroy(),
  }
}
