// What users do to their Services, one act after another, by a seeded dice: each act looks first at what
// is there, so that an act whose answer was lost does no harm to the next.
import { systemClock } from '@weir/kernel'
import type { ApiServer } from './api-server.ts'

export const namespace = 'chaos'
const services = `/api/v1/namespaces/${namespace}/services`

/** What a user can do; `move` is a type flip that comes back with another driver's class. */
export const acts = ['create', 'edit', 'policy', 'type', 'move', 'delete', 'recreate'] as const
export type Act = (typeof acts)[number]

export interface Dice {
  random(): number
  below(below: number): number
}

export interface Churn {
  /** Acts until the signal aborts, at most `perSecond`. */
  run(signal: AbortSignal): Promise<void>
  /** Deletes every Service; the API server must be up. */
  removeAll(): Promise<void>
  /** Acts that the API server took, by act. */
  readonly done: () => Readonly<Record<Act, number>>
  /** Load balancers asked for, by driver. */
  readonly asked: () => Readonly<Record<string, number>>
  /** Acts that the API server refused or did not answer. */
  readonly failed: () => number
}

export interface ChurnOptions {
  readonly kube: ApiServer
  readonly dice: Dice
  /** The drivers to choose among; each class is `weir.dev/NAME`. */
  readonly drivers: readonly string[]
  readonly slots: number
  readonly perSecond: number
}

interface Found {
  readonly spec: {
    readonly type: string
    readonly loadBalancerClass?: string
    readonly externalTrafficPolicy?: string
    readonly loadBalancerSourceRanges?: readonly string[]
    readonly ports: readonly { readonly port: number }[]
  }
  readonly metadata: { readonly deletionTimestamp?: string }
}

/** Makes the namespace and the pods behind every Service. */
export const prepareCluster = async (kube: ApiServer): Promise<void> => {
  const labels = { app: 'echo' }
  const containers = [{ name: 'echo', image: 'example' }]
  const template = { metadata: { labels }, spec: { containers } }
  await made(kube, '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  })
  await made(kube, `/apis/apps/v1/namespaces/${namespace}/deployments`, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'echo' },
    spec: { replicas: 3, selector: { matchLabels: labels }, template },
  })
}

const made = async (kube: ApiServer, path: string, body: object): Promise<void> => {
  const { status } = await kube.ask('POST', path, body)
  if (status !== 201) throw new Error(`POST ${path} answered ${status}`)
}

const sharingAnnotation = 'weir.dev/sharing-key'
/** One slot of four shares an address with the others of them, while the edge fleet serves it. */
const mayShare = (name: string): boolean => Number(name.slice(2)) % 4 === 0
/** Null takes it off: a cloud, which gives the address itself, would refuse it. */
const keyOf = (name: string, loadBalancerClass: string): string | null =>
  mayShare(name) && loadBalancerClass === 'weir.dev/edge' ? 'chaos' : null
/** Those of a shared address are each Service's own. */
const portsOf = (name: string): readonly number[] =>
  [0, 1, 2].map((at) => at + (mayShare(name) ? 9000 + 10 * Number(name.slice(2)) : 8000))

const policies = ['Cluster', 'Local'] as const
/** Octavia cannot show a pod its client's address, so `Local` is refused there, as it should be. */
const hasLocal = (loadBalancerClass = ''): boolean => loadBalancerClass !== 'weir.dev/octavia'

export const createChurn = (options: ChurnOptions): Churn => {
  const { kube, dice, drivers, slots, perSecond } = options
  const done = Object.fromEntries(acts.map((act) => [act, 0])) as Record<Act, number>
  const asked: Record<string, number> = Object.fromEntries(drivers.map((name) => [name, 0]))
  /** Services to be made again under their name as soon as the old object is gone. */
  const again = new Set<string>()
  let failed = 0

  const pick = <T>(all: readonly T[]): T => all[dice.below(all.length)] as T
  const classFor = (not?: string): string => {
    const others = drivers.filter((name) => `weir.dev/${name}` !== not)
    const driver = pick(others.length > 0 ? others : drivers)
    asked[driver] = (asked[driver] ?? 0) + 1
    return `weir.dev/${driver}`
  }
  const ports = (name: string): object[] =>
    portsOf(name)
      .filter((_, at) => at === 0 || dice.random() < 0.4)
      .map((port) => ({ name: `p${port}`, port, targetPort: 9376, protocol: 'TCP' }))
  const took = async (act: Act, method: string, path: string, body?: object): Promise<void> => {
    const { status } = await kube.ask(method, path, body)
    if (status < 300) done[act] += 1
    else failed += 1
  }
  const create = (act: Act, name: string): Promise<void> => {
    const loadBalancerClass = classFor()
    const externalTrafficPolicy = hasLocal(loadBalancerClass) ? pick(policies) : 'Cluster'
    const key = keyOf(name, loadBalancerClass)
    const selector = { app: 'echo' }
    const wish = { loadBalancerClass, externalTrafficPolicy, selector, ports: ports(name) }
    return took(act, 'POST', services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, annotations: key === null ? {} : { [sharingAnnotation]: key } },
      spec: { type: 'LoadBalancer', ...wish },
    })
  }
  const patch = (act: Act, name: string, spec: object, metadata = {}): Promise<void> =>
    took(act, 'PATCH', `${services}/${name}`, { metadata, spec })
  const balance = (act: Act, name: string, loadBalancerClass: string): Promise<void> => {
    const annotations = { [sharingAnnotation]: keyOf(name, loadBalancerClass) }
    return patch(act, name, { type: 'LoadBalancer', loadBalancerClass }, { annotations })
  }

  const onBalancer = (name: string, { spec }: Found): Promise<void> => {
    const chance = dice.random()
    if (chance < 0.25) return patch('edit', name, { ports: ports(name) })
    if (chance < 0.35) {
      const some = pick([null, ['10.0.0.0/8'], ['10.0.0.0/8', '192.0.2.0/24']])
      return patch('edit', name, { loadBalancerSourceRanges: some })
    }
    if (chance < 0.5 && hasLocal(spec.loadBalancerClass)) {
      const externalTrafficPolicy = spec.externalTrafficPolicy === 'Local' ? 'Cluster' : 'Local'
      return patch('policy', name, { externalTrafficPolicy })
    }
    if (chance < 0.65) {
      return patch('type', name, { type: 'ClusterIP', loadBalancerSourceRanges: null })
    }
    if (chance < 0.72) return moveNow(name, spec)
    if (chance >= 0.86) again.add(name)
    return took(chance < 0.86 ? 'delete' : 'recreate', 'DELETE', `${services}/${name}`)
  }
  /** The class of a load balancer never changes, so the type goes there and back at once. */
  const moveNow = async (name: string, { loadBalancerClass }: Found['spec']): Promise<void> => {
    await patch('type', name, { type: 'ClusterIP', loadBalancerSourceRanges: null })
    await balance('move', name, classFor(loadBalancerClass))
  }
  const step = async (): Promise<void> => {
    const name = `s-${dice.below(slots)}`
    const { status, body } = await kube.ask('GET', `${services}/${name}`)
    if (status === 404) {
      const act = again.delete(name) ? 'recreate' : 'create'
      return create(act, name)
    }
    if (status !== 200) return void (failed += 1)
    const found = body as Found
    if (found.metadata.deletionTimestamp !== undefined) return
    if (found.spec.type === 'LoadBalancer') return onBalancer(name, found)
    return balance('type', name, classFor())
  }
  return {
    run: async (signal) => {
      while (!signal.aborted) {
        await step().catch(() => void (failed += 1))
        await systemClock.sleep((500 + dice.random() * 1000) / perSecond, signal)
      }
    },
    removeAll: async () => {
      for (let at = 0; at < slots; at += 1) await kube.ask('DELETE', `${services}/s-${at}`)
    },
    done: () => done,
    asked: () => asked,
    failed: () => failed,
  }
}
