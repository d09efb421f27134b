// What the demo does and sees from outside: objects through the Kubernetes API, bytes through real sockets.
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { createConnection, parseKubeconfig, withLoopback, type PatchType } from '@weir/kube'
import { systemClock } from '@weir/kernel'
import { z } from 'zod'

const service = z.looseObject({
  metadata: z.looseObject({
    uid: z.string(),
    finalizers: z.array(z.string()).default([]),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.looseObject({
    healthCheckNodePort: z.int().optional(),
    ports: z.array(z.looseObject({ port: z.int() })),
  }),
  status: z.looseObject({
    loadBalancer: z.looseObject({
      ingress: z
        .array(z.looseObject({ ip: z.string(), ipMode: z.string().optional() }))
        .default([]),
    }),
  }),
})
export type ServiceObject = z.infer<typeof service>

const events = z.object({
  items: z.array(
    z.looseObject({
      reason: z.string(),
      involvedObject: z.looseObject({ uid: z.string().optional() }),
    }),
  ),
})
const slices = z.object({
  items: z.array(
    z.looseObject({
      endpoints: z.array(z.looseObject({ nodeName: z.string().optional() })).nullish(),
    }),
  ),
})

export interface Question {
  readonly address: string
  readonly port: number
  /** The client's own address, such as 127.0.0.7. */
  readonly from?: string
  readonly path?: string
}

/** The cluster and its load balancers as a user meets them. */
export interface World {
  apply(path: string, object: object): Promise<void>
  patch(path: string, patch: object, type?: PatchType): Promise<void>
  remove(path: string): Promise<void>
  /** The Service, or undefined once it is gone. */
  service(name: string): Promise<ServiceObject | undefined>
  /** Reasons of the Events about a Service. */
  eventReasons(uid: string): Promise<readonly string[]>
  /** How many ready endpoints each node holds. */
  endpointsByNode(name: string): Promise<ReadonlyMap<string, number>>
  http(at: Question): Promise<string>
  udp(at: Question): Promise<string>
  close(): Promise<void>
}

const askMs = 2000
const namespace = '/api/v1/namespaces/default'

export const openWorld = (kubeconfigFile: string): World => {
  const credentials = parseKubeconfig(readFileSync(kubeconfigFile, 'utf8'))
  const kube = createConnection(credentials, { policy: withLoopback })
  const get = async (path: string): Promise<unknown> => kube.call({ method: 'GET', path })
  return {
    apply: async (path, object) => void (await kube.call({ method: 'POST', path, body: object })),
    patch: async (path, patch, contentType = 'application/strategic-merge-patch+json') =>
      void (await kube.call({ method: 'PATCH', path, body: patch, contentType })),
    remove: async (path) => void (await kube.call({ method: 'DELETE', path })),
    service: async (name) => {
      const found = await get(`${namespace}/services?fieldSelector=metadata.name%3D${name}`)
      return z.object({ items: z.array(service) }).parse(found).items[0]
    },
    eventReasons: async (uid) => {
      const all = events.parse(await get(`${namespace}/events`)).items
      return all.filter((each) => each.involvedObject.uid === uid).map((each) => each.reason)
    },
    endpointsByNode: async (name) => {
      const query = `labelSelector=kubernetes.io%2Fservice-name%3D${name}`
      const path = `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?${query}`
      const all = slices.parse(await get(path)).items.flatMap((slice) => slice.endpoints ?? [])
      const counts = new Map<string, number>()
      for (const { nodeName } of all)
        counts.set(nodeName ?? '', (counts.get(nodeName ?? '') ?? 0) + 1)
      return counts
    },
    http: askHttp,
    udp: askUdp,
    close: () => kube.close(),
  }
}

/** One request on a connection of its own; rejects when nobody answers. */
const askHttp = ({ address, port, from, path = '/' }: Question): Promise<string> =>
  new Promise((resolve, reject) => {
    const local = from === undefined ? {} : { localAddress: from }
    const asked = request(
      { host: address, port, path, agent: false, timeout: askMs, ...local },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (part: string) => (text += part))
        answer.on('end', () => resolve(text)).on('error', reject)
      },
    )
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${askMs} ms`)))
    asked.on('error', reject).end()
  })

/** One datagram and its answer; rejects when none comes. */
const askUdp = ({ address, port, from }: Question): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    const timer = setTimeout(
      () => finish(() => reject(new Error(`no answer within ${askMs} ms`))),
      askMs,
    )
    const finish = (end: () => void): void => {
      clearTimeout(timer)
      socket.close()
      end()
    }
    socket.on('error', (error) => finish(() => reject(error)))
    socket.on('message', (answer) => finish(() => resolve(answer.toString())))
    socket.bind(0, from, () => socket.send('hello\n', port, address))
  })

/**
 * Asks again until the answer is there.
 * @throws Error with what was waited for and what was seen last, after the deadline
 */
export const until = async <T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  deadlineMs = 30_000,
): Promise<T> => {
  const end = systemClock.now() + deadlineMs
  let last = 'nothing'
  while (systemClock.now() < end) {
    try {
      const seen = await look()
      if (seen !== undefined && seen !== false) return seen
    } catch (error) {
      last = error instanceof Error ? error.message : String(error)
    }
    await systemClock.sleep(25)
  }
  throw new Error(`${what} did not happen within ${deadlineMs / 1000} s; last seen: ${last}`)
}
