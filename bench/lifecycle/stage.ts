import { readFileSync } from 'node:fs'
import { createConnection, parseKubeconfig, withLoopback, type KubeConnection } from '@weir/kube'
import { untilAnswered } from './answer.ts'
import { addressOf, servicesPath, watchServices, type ServiceChange } from './service-watch.ts'

/** What is done to the API server: how many Services, and how fast. */
export interface Load {
  readonly count: number
  /** New Services per second; Infinity for all at once. */
  readonly perSecond: number
}

/** Whose Services they are, and so who serves them. */
export interface Side {
  readonly name: 'weir' | 'bare'
  readonly loadBalancerClass: string | undefined
  /** Only what has a data path can be asked. */
  readonly answers: boolean
}

/** What one load on one side brought, in milliseconds where not said otherwise. */
export interface Lived {
  readonly toStatus: readonly number[]
  readonly toAnswer: readonly number[]
  readonly perSecond: number
  readonly deletedPerSecond: number
  /** Services whose first try after the status was refused or cut. */
  readonly unanswered: number
}

/** An independent client of the API server: makes Services, watches them, and deletes them. */
export interface Stage {
  run(side: Side, load: Load): Promise<Lived>
  close(): Promise<void>
}

/** The label that the bench's Services of one side carry. */
export const labelOf = (side: Side['name']): string => `bench=${side}`

const port = 8080
const deployment = 'bench'
const inFlight = 32
const patienceMs = 180_000

interface Life {
  readonly created: number
  status: number | undefined
  answer: number | undefined
  gone: number | undefined
}

/** Opens the stage: pods that answer, and a watch. */
export const openStage = async (kubeconfigFile: string): Promise<Stage> => {
  const credentials = parseKubeconfig(readFileSync(kubeconfigFile, 'utf8'))
  const connection = createConnection(credentials, { policy: withLoopback })
  const closing = new AbortController()
  const lives = new Map<string, Life>()
  let unanswered = 0
  let failure: unknown
  let asking: Side['answers'] = false

  const ask = async (life: Life, address: string): Promise<void> => {
    const answered = await untilAnswered(address, port)
    life.answer = answered.at
    if (answered.failures > 0) unanswered += 1
  }
  const see = ({ type, object }: ServiceChange): void => {
    const life = lives.get(object.metadata.name)
    if (life === undefined) return
    const now = performance.now()
    if (type === 'DELETED') life.gone = now
    const address = addressOf(object)
    if (address === undefined || life.status !== undefined) return
    life.status = now
    if (asking) void ask(life, address).catch((error: unknown) => (failure = error))
  }
  const all = (what: string, holds: (life: Life) => boolean): Promise<void> =>
    until(
      () => failure ?? [...lives.values()].every(holds),
      () => `${[...lives.values()].filter((life) => !holds(life)).length} Services ${what}`,
    )

  await makePods(connection)
  await watchServices(connection, 'bench', see, closing.signal)
  return {
    run: async (side, load) => {
      lives.clear()
      unanswered = 0
      asking = side.answers
      const began = performance.now()
      const names = Array.from({ length: load.count }, (_, at) => `${side.name}-${at}`)
      await paced(names, load.perSecond, async (name) => {
        const created = performance.now()
        lives.set(name, { created, status: undefined, answer: undefined, gone: undefined })
        await connection.call({ method: 'POST', path: servicesPath, body: serviceOf(name, side) })
      })
      await all('have no status', ({ status }) => status !== undefined)
      if (asking) await all('do not answer', ({ answer }) => answer !== undefined)
      const made = [...lives.values()]
      const lastStatus = Math.max(...made.map(({ status }) => status ?? 0))
      const deleting = performance.now()
      await paced(names, Infinity, async (name) => {
        await connection.call({ method: 'DELETE', path: `${servicesPath}/${name}` })
      })
      await all('are not gone', ({ gone }) => gone !== undefined)
      const lastGone = Math.max(...made.map(({ gone }) => gone ?? 0))
      return {
        toStatus: made.map(({ created, status }) => (status ?? 0) - created),
        toAnswer: asking ? made.map(({ created, answer }) => (answer ?? 0) - created) : [],
        perSecond: (1000 * load.count) / (lastStatus - began),
        deletedPerSecond: (1000 * load.count) / (lastGone - deleting),
        unanswered,
      }
    },
    close: async () => {
      closing.abort()
      await connection.close()
    },
  }
}

/** Starts one task after the other, `perSecond` of them each second, a few at the same time. */
const paced = async (
  names: readonly string[],
  perSecond: number,
  work: (name: string) => Promise<void>,
): Promise<void> => {
  const began = performance.now()
  let next = 0
  const worker = async (): Promise<void> => {
    for (let at = next++; at < names.length; at = next++) {
      const wait = began + (1000 * at) / perSecond - performance.now()
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      await work(names[at] ?? '')
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
}

const until = async (holds: () => unknown, what: () => string): Promise<void> => {
  const end = performance.now() + patienceMs
  for (;;) {
    const held = holds()
    if (held === true) return
    if (held instanceof Error) throw held
    if (performance.now() > end) throw new Error(`after ${patienceMs / 1000} s ${what()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const serviceOf = (name: string, { name: side, loadBalancerClass }: Side): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, labels: { bench: side } },
  spec: {
    type: 'LoadBalancer',
    selector: { app: deployment },
    ports: [{ port, targetPort: 9376 }],
    ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
  },
})

const makePods = async (connection: KubeConnection): Promise<void> => {
  const labels = { app: deployment }
  const containers = [{ name: 'echo', image: 'echo' }]
  const path = '/apis/apps/v1/namespaces/default/deployments'
  const spec = {
    replicas: 3,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers } },
  }
  const metadata = { name: deployment }
  const body = { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec }
  await connection.call({ method: 'POST', path, body })
  await untilReady(connection, `${path}/${deployment}`)
}

const untilReady = async (connection: KubeConnection, path: string): Promise<void> => {
  const end = performance.now() + patienceMs
  for (;;) {
    const read = await connection.call({ method: 'GET', path })
    if ((read as { status?: { readyReplicas?: number } }).status?.readyReplicas === 3) return
    if (performance.now() > end) throw new Error('the pods of the bench do not become ready')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
