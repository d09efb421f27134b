// One test's own namespace on a shared platform, and what a user does and sees there.
import { isApiError } from '@weir/kube'
import { eventually } from '@weir/testing'
import { words } from './command.ts'
import {
  balancer,
  deployment,
  type LogEvent,
  type ServiceObject,
  type ServiceWish,
  type ToldEvent,
} from './objects.ts'
import type { Platform } from './platform.ts'
import { askHttp, type Door } from './probes.ts'

export interface Place {
  readonly platform: Platform
  readonly namespace: string
  /** kubectl in this namespace. */
  kubectl(line: string | readonly string[], input?: string): Promise<string>
  /** Makes a Deployment of echo pods and waits until they are endpoints of whoever selects them. */
  deploy(name: string, replicas: number, on?: { app?: string; node?: string }): Promise<void>
  /** Makes a Service of type LoadBalancer. */
  expose(name: string, app: string, wish?: ServiceWish): Promise<void>
  /** A merge patch of a Service. */
  patch(name: string, patch: object): Promise<void>
  /** Asks for the deletion of a Service, without waiting. */
  remove(name: string): Promise<void>
  /** The Service, or undefined once it is gone. */
  service(name: string): Promise<ServiceObject | undefined>
  /** Waits for the address of a Service and gives it. */
  address(name: string): Promise<string>
  /** Waits until a pod answers behind the address of a Service, and gives the door. */
  served(name: string, port?: number): Promise<Door>
  /** Waits until the Service is gone. */
  gone(name: string): Promise<void>
  /** The Kubernetes Events about Services of this name, in the order they are listed. */
  told(name: string): Promise<readonly ToldEvent[]>
  /** The newest story of a Service of this name in weir's log; empty when it has none. */
  story(name: string): Promise<readonly LogEvent[]>
  /** Waits until the last life of a Service is over: its address was given back. */
  released(name: string): Promise<readonly LogEvent[]>
}

const patienceMs = 30_000
let places = 0

/** Makes a namespace of its own on the platform. */
export const makePlace = async (platform: Platform): Promise<Place> => {
  places += 1
  const namespace = `e2e-${places}`
  const { kube } = platform
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
  await kube.call({ method: 'POST', path: '/api/v1/namespaces', body })
  return placeIn(platform, namespace)
}

/** A namespace that is there already. */
export const placeIn = (platform: Platform, namespace: string): Place => {
  const { kube } = platform
  const services = `/api/v1/namespaces/${namespace}/services`
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`

  const service: Place['service'] = async (name) => {
    try {
      return (await kube.call({ method: 'GET', path: `${services}/${name}` })) as ServiceObject
    } catch (error) {
      if (isApiError(error, 404)) return undefined
      throw error
    }
  }
  const address: Place['address'] = (name) =>
    eventually(async () => (await service(name))?.status.loadBalancer?.ingress?.[0]?.ip, {
      deadlineMs: patienceMs,
    })

  return {
    platform,
    namespace,
    kubectl: (line, input) => platform.kubectl(['-n', namespace, ...words(line)], input),
    deploy: async (name, replicas, on = {}) => {
      const wanted = deployment(name, replicas, on)
      await kube.call({ method: 'POST', path: deployments, body: wanted })
      await untilReady(platform, `${deployments}/${name}`, replicas)
    },
    expose: async (name, app, wish) =>
      void (await kube.call({ method: 'POST', path: services, body: balancer(name, app, wish) })),
    patch: async (name, patch) => {
      const contentType = 'application/merge-patch+json'
      await kube.call({ method: 'PATCH', path: `${services}/${name}`, body: patch, contentType })
    },
    remove: async (name) =>
      void (await kube.call({ method: 'DELETE', path: `${services}/${name}` })),
    service,
    address,
    served: async (name, port = 8765) => {
      const door = { address: await address(name), port }
      await eventually(() => askHttp(door), { deadlineMs: patienceMs })
      return door
    },
    gone: async (name) =>
      void (await eventually(async () => (await service(name)) === undefined, {
        deadlineMs: patienceMs,
      })),
    told: (name) => eventsAbout(platform, namespace, name),
    story: (name) => storyOf(platform, `${namespace}/${name}`),
    released: (name) => untilReleased(platform, `${namespace}/${name}`),
  }
}

const untilReady = async (platform: Platform, path: string, replicas: number): Promise<void> => {
  await eventually(
    async () => {
      const { status } = (await platform.kube.call({ method: 'GET', path })) as {
        status?: { readyReplicas?: number }
      }
      return status?.readyReplicas === replicas
    },
    { deadlineMs: patienceMs },
  )
}

const eventsAbout = async (
  platform: Platform,
  namespace: string,
  name: string,
): Promise<readonly ToldEvent[]> => {
  const path = `/api/v1/namespaces/${namespace}/events`
  const { items } = (await platform.kube.call({ method: 'GET', path })) as {
    items: (ToldEvent & { involvedObject: { kind: string; name: string } })[]
  }
  return items.filter(
    ({ involvedObject: about }) => about.kind === 'Service' && about.name === name,
  )
}

interface Listed {
  readonly items: readonly {
    readonly service: string
    readonly status: string
    readonly updatedAt: string
  }[]
}

const storyOf = async (platform: Platform, service: string): Promise<readonly LogEvent[]> => {
  const [namespace, name] = service.split('/')
  const base = '/v1/tenants/local'
  const found = await platform.ask(
    'GET',
    `${base}/load-balancers?namespace=${namespace}&name=${name}&all=true`,
  )
  const newest = (found.body as Listed).items.toSorted((a, b) =>
    a.updatedAt < b.updatedAt ? 1 : -1,
  )[0]
  if (newest === undefined) return []
  const told = await platform.ask('GET', `${base}/events?story=${newest.service}&limit=1000`)
  return (told.body as { items: LogEvent[] }).items
}

const untilReleased = (platform: Platform, service: string): Promise<readonly LogEvent[]> =>
  eventually(
    async () => {
      const story = await storyOf(platform, service)
      const opened = story.findLastIndex(({ type }) => type === 'LoadBalancerRequested')
      const closed = story.findLastIndex(({ type }) => type === 'FrontendsReleased')
      return closed > opened && story
    },
    { deadlineMs: patienceMs },
  )
