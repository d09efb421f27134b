// The cluster's API server by plain HTTPS with the administrator's certificate: nothing of weir's own
// client stands between the run and what is really there.
import { Agent, request } from 'node:https'
import { parse } from 'yaml'

export interface ApiServer {
  /** The status and the parsed body. @throws when there is no answer within 10 s */
  ask(method: string, path: string, body?: object): Promise<Answer>
  /** The body of a successful GET. @throws with the status otherwise */
  read<T>(path: string): Promise<T>
  close(): void
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string }
  }[]
  readonly users: readonly {
    readonly user: {
      readonly 'client-certificate-data': string
      readonly 'client-key-data': string
    }
  }[]
}

const patienceMs = 10_000

export const openApiServer = (kubeconfig: string): ApiServer => {
  const { clusters, users } = parse(kubeconfig) as Kubeconfig
  const [at, who] = [clusters[0]?.cluster, users[0]?.user]
  if (at === undefined || who === undefined) throw new Error('the kubeconfig names no cluster')
  const pem = (text: string): Buffer => Buffer.from(text, 'base64')
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 8,
    ca: pem(at['certificate-authority-data']),
    cert: pem(who['client-certificate-data']),
    key: pem(who['client-key-data']),
  })
  const ask: ApiServer['ask'] = (method, path, body) =>
    new Promise((resolve, reject) => {
      const patch = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
      const headers = body === undefined ? {} : { 'content-type': patch }
      const call = request(`${at.server}${path}`, { method, agent, headers, timeout: patienceMs })
      call.on('timeout', () => call.destroy(new Error(`no answer to ${method} ${path}`)))
      call.on('error', reject)
      call.on('response', (response) => {
        const chunks: Buffer[] = []
        response.on('error', reject).on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({ status: response.statusCode ?? 0, body: parsed(text) })
        })
      })
      call.end(body === undefined ? undefined : JSON.stringify(body))
    })
  return {
    ask,
    read: async <T>(path: string) => {
      const { status, body } = await ask('GET', path)
      if (status === 200) return body as T
      throw new Error(`GET ${path} answered ${status}: ${JSON.stringify(body).slice(0, 300)}`)
    },
    close: () => agent.destroy(),
  }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
