import { OperatingError } from '@weir/kernel'
import { request } from 'node:http'

/** Envoy's own page for its operator, on a unix socket. */
export interface EnvoyAdmin {
  /** Counters and gauges whose names match the (RE2) pattern. */
  stats(pattern: string): Promise<ReadonlyMap<string, number>>
  /** Names of the listeners that take clients. */
  listeners(): Promise<ReadonlySet<string>>
  /** Whether an Envoy answers that has begun its work. */
  isLive(): Promise<boolean>
  /** Asks it to end. */
  quit(): Promise<void>
}

const answerMs = 5_000

export const createEnvoyAdmin = (socketPath: string): EnvoyAdmin => {
  const ask = (path: string, method = 'GET'): Promise<string> =>
    new Promise((resolve, reject) => {
      const fail = (cause: unknown): void =>
        reject(new OperatingError(`Envoy does not answer ${path} at ${socketPath}`, { cause }))
      const timer = AbortSignal.timeout(answerMs)
      const asked = request({ socketPath, path, method, agent: false, signal: timer }, (answer) => {
        let body = ''
        answer.setEncoding('utf8')
        answer.on('data', (text: string) => (body += text))
        answer.on('error', fail)
        answer.on('end', () => {
          if (answer.statusCode === 200) return resolve(body)
          return fail(new Error(`it answered ${answer.statusCode}`))
        })
      })
      asked.on('error', fail)
      asked.end()
    })
  return {
    stats: async (pattern) => readStats(await ask(`/stats?filter=${encodeURIComponent(pattern)}`)),
    // One a line: NAME::ADDRESS:PORT.
    listeners: async () =>
      new Set(
        (await ask('/listeners')).split('\n').flatMap((line) => line.split('::').slice(0, 1)),
      ),
    isLive: () =>
      ask('/ready').then(
        () => true,
        () => false,
      ),
    quit: async () => void (await ask('/quitquitquit', 'POST')),
  }
}

/** Lines of `NAME: NUMBER`; histograms have other values and are left out. */
const readStats = (text: string): ReadonlyMap<string, number> =>
  new Map(
    text.split('\n').flatMap((line) => {
      const at = line.lastIndexOf(': ')
      const count = Number(line.slice(at + 2))
      return at > 0 && Number.isFinite(count) ? [[line.slice(0, at), count] as const] : []
    }),
  )
