import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Agent } from 'undici'
import { expect } from 'vitest'
import type { HollowNode, Minicluster, MiniclusterOptions } from '../minicluster.ts'
import { credentialsOf } from '../nodes/api.ts'

export interface Answer {
  readonly status: number
  readonly body: unknown
}

export interface Asked {
  readonly body?: unknown
  readonly contentType?: string
  readonly accept?: string
}

/** One cluster under test and the ways to look at it from outside. */
export interface Rig {
  cluster(): Minicluster
  start(): Promise<void>
  /** Stops the cluster and starts it again on the same folder. */
  restart(): Promise<void>
  /** Stops the cluster and removes its folder. */
  end(): Promise<void>
  ask(method: string, path: string, asked?: Asked): Promise<Answer>
  /** Reads a watch until `enough` says so or 15 s are over, and returns its events. */
  watch(path: string, enough: (events: readonly WatchEvent[]) => boolean): Promise<WatchEvent[]>
  /** A fresh namespace's name. */
  namespace(): Promise<string>
  /** Standard output of kubectl, with its input if any; rejects with its words when it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>
  /** kubectl that goes on; the caller ends it. */
  kubectlFollow(args: readonly string[]): ChildProcess
}

export interface WatchEvent {
  readonly type: string
  readonly object: unknown
}

export interface RigOptions {
  readonly start: (options: MiniclusterOptions) => Promise<Minicluster>
  readonly nodes: MiniclusterOptions['nodes']
  /** kubectl's path, or its name on PATH. */
  readonly kubectl: string
}

/** The value at a dotted path, such as `spec.ports.0.nodePort`. */
export const at = (value: unknown, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value)

/** Waits until `look` returns without throwing, and returns what it returned. */
export const eventually = async <T>(look: () => Promise<T>, timeout = 20_000): Promise<T> => {
  let found: T | undefined
  await expect
    .poll(
      async () => {
        try {
          found = await look()
          return 'held'
        } catch (error) {
          return error instanceof Error ? error.message : String(error)
        }
      },
      { timeout, interval: 50 },
    )
    .toBe('held')
  return found as T
}

export const createRig = (options: RigOptions): Rig => {
  let dir = ''
  let running: Minicluster | undefined
  let agent: Agent | undefined
  let namespaces = 0

  const cluster = (): Minicluster => {
    if (!running) throw new Error('the cluster is not started')
    return running
  }
  const kubeconfig = (): string => join(dir, 'kubeconfig')
  const start = async (): Promise<void> => {
    if (dir === '') dir = await mkdtemp(join(tmpdir(), 'weir-conformance-'))
    running = await options.start({
      stateDir: join(dir, 'state'),
      port: 0,
      nodes: options.nodes,
    })
    const { ca, cert, key } = credentialsOf(running.kubeconfig)
    agent = new Agent({ connect: { ca, cert, key } })
    await writeFile(kubeconfig(), running.kubeconfig, { mode: 0o600 })
  }
  const stop = async (): Promise<void> => {
    await agent?.destroy()
    await running?.stop()
    await running?.stop()
  }
  const send = (method: string, path: string, asked: Asked, signal?: AbortSignal) => {
    const headers: Record<string, string> = { accept: asked.accept ?? 'application/json' }
    if (asked.body !== undefined) {
      headers['content-type'] = asked.contentType ?? 'application/json'
    }
    return (agent ?? new Agent()).request({
      origin: cluster().server,
      path,
      method,
      headers,
      body: asked.body === undefined ? null : JSON.stringify(asked.body),
      signal: signal ?? null,
    })
  }
  const ask = async (method: string, path: string, asked: Asked = {}): Promise<Answer> => {
    const { statusCode, body } = await send(method, path, asked)
    const text = await body.text()
    const isJson = text.startsWith('{')
    return { status: statusCode, body: isJson ? (JSON.parse(text) as unknown) : text }
  }

  return {
    cluster,
    start,
    restart: async () => {
      await stop()
      await start()
    },
    end: async () => {
      await stop()
      await rm(dir, { recursive: true, force: true })
    },
    ask,
    watch: async (path, enough) => {
      const events: WatchEvent[] = []
      const halt = AbortSignal.timeout(15_000)
      const { body } = await send('GET', path, {}, halt)
      let rest = ''
      for await (const chunk of body as AsyncIterable<Buffer>) {
        const lines = (rest + chunk.toString()).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) if (line !== '') events.push(JSON.parse(line) as WatchEvent)
        if (enough(events)) break
      }
      return events
    },
    namespace: async () => {
      namespaces += 1
      const name = `ns-${namespaces}`
      const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
      expect((await ask('POST', '/api/v1/namespaces', { body })).status).toBe(201)
      // A pod is admitted only once its namespace has its ServiceAccount.
      const account = `/api/v1/namespaces/${name}/serviceaccounts/default`
      await eventually(async () => expect((await ask('GET', account)).status).toBe(200))
      return name
    },
    kubectl: async (args, input = '') => {
      const ran = promisify(execFile)(options.kubectl, ['--kubeconfig', kubeconfig(), ...args])
      ran.child.stdin?.end(input)
      return (await ran).stdout
    },
    kubectlFollow: (args) => spawn(options.kubectl, ['--kubeconfig', kubeconfig(), ...args]),
  }
}

/** The path of a namespaced core resource. */
export const core = (namespace: string, resource: string, name?: string): string =>
  `/api/v1/namespaces/${namespace}/${resource}${name === undefined ? '' : `/${name}`}`

export const configMap = (name: string, data: object = {}, labels: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
  data,
})

/** A Deployment of echo pods, bound to one node when `node` is given. */
export const deployment = (name: string, replicas: number, node?: HollowNode) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { deployment: name } },
    template: {
      metadata: { labels: { deployment: name, app: 'web' } },
      spec: {
        ...(node ? { nodeSelector: { 'kubernetes.io/hostname': node.name } } : {}),
        containers: [{ name: 'echo', image: 'example' }],
      },
    },
  },
})

/** A Service over the pods of `deployment`. */
export const service = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80 }], ...spec },
})

export interface HttpAnswer {
  readonly status: number
  readonly text: string
  readonly headers: NodeJS.Dict<string | string[]>
}

/** GET over a connection of its own that comes from `localAddress`. */
export const get = (url: string, localAddress = '127.0.0.1'): Promise<HttpAnswer> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest(url, { agent: false, localAddress, timeout: 5_000 }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }),
      )
      answer.on('error', reject)
    })
    sent.on('error', reject)
    sent.on('timeout', () => sent.destroy(new Error('timed out')))
    sent.end()
  })
