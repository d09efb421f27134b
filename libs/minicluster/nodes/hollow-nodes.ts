import { systemClock, systemIds, type Clock, type Ids } from '@weir/kernel'
import type { HollowNode, HollowNodeSpec } from '../minicluster.ts'
import { createApi, type ApiCredentials } from './api.ts'
import { createBinder } from './binder.ts'
import { createEchoPod } from './echo-pod.ts'
import { isEligible } from './health.ts'
import { listWatch, type ListWatch, type OnChange } from './list-watch.ts'
import { createNodeKeeper } from './node-keeper.ts'
import { createNodeProxy } from './node-proxy.ts'
import type { EndpointSlice, KubeNode, KubeObject, Pod, Service } from './objects.ts'
import { createPodPlaces } from './pod-places.ts'
import { createPodRunner } from './pod-runner.ts'
import { createServiceRoutes } from './service-routes.ts'

export interface HollowNodesOptions extends ApiCredentials {
  readonly nodes: readonly HollowNodeSpec[]
  /** One short line per thing that came up, or that is in the way. */
  readonly onProgress?: (line: string) => void
  /** The longest that a deleted pod goes on; 2,000 when absent. */
  readonly maxGraceMs?: number
  readonly clock?: Clock
  readonly ids?: Ids
}

export interface HollowNodes {
  /** In the order they were asked for. */
  readonly nodes: readonly HollowNode[]
  /** Ends every socket, timer and request; the Node objects stay. May be called twice. */
  stop(): Promise<void>
}

/**
 * All nodes of one cluster: they share one connection pool and one watch per resource. Resolves when
 * every Node is Ready and every NodePort that the cluster has now was opened or tried.
 */
export const startHollowNodes = async (options: HollowNodesOptions): Promise<HollowNodes> => {
  const { clock = systemClock, ids = systemIds, nodes: specs } = options
  const onTrouble = options.onProgress ?? ((): void => undefined)
  const halt = new AbortController()
  const { signal } = halt
  const api = createApi(options)
  const patience = { clock, ids, signal, onTrouble }
  const places = createPodPlaces()
  const echo = createEchoPod()
  const loops: Promise<void>[] = []

  const follow = <T extends KubeObject>(path: string, onChange: OnChange<T>): ListWatch<T> => {
    const watch = listWatch<T>({ api, path, onChange, ...patience })
    loops.push(watch.done)
    return watch
  }
  let nodes: ListWatch<KubeNode> | undefined
  let pods: ListWatch<Pod> | undefined
  const nodeNamed = (name: string): KubeNode | undefined => nodes?.items.get(name)
  const allPods = (): ReadonlyMap<string, Pod> => pods?.items ?? new Map()
  const binder = createBinder({
    ...patience,
    api,
    nodes: () => specs.flatMap((spec) => nodeNamed(spec.name) ?? []),
    pods: allPods,
  })
  const { maxGraceMs = 2_000 } = options
  const run = createPodRunner({
    ...patience,
    api,
    nodes: specs,
    places,
    pods: allPods,
    maxGraceMs,
  })
  const keepers = specs.map((spec) =>
    createNodeKeeper({ ...patience, api, spec, current: () => nodeNamed(spec.name) }),
  )
  const proxies = specs.map((node) =>
    createNodeProxy({
      ...patience,
      node,
      pods: places,
      echo,
      eligible: () => isEligible(nodeNamed(node.name)),
    }),
  )
  const routes = createServiceRoutes(proxies)

  let stopping: Promise<void> | undefined
  const end = async (): Promise<void> => {
    halt.abort()
    await Promise.all(proxies.map((proxy) => proxy.close()))
    places.clear()
    await api.close()
    await Promise.all(loops)
  }
  const stop = (): Promise<void> => (stopping ??= end())
  try {
    await Promise.all(keepers.map((keeper) => keeper.register()))
    nodes = follow<KubeNode>('/api/v1/nodes', () => binder.look())
    await nodes.synced
    // The pods that run already must have their places before a NodePort leads to them.
    pods = follow<Pod>('/api/v1/pods', (after, before) => {
      run(after, before)
      binder.look()
    })
    await pods.synced
    const services = follow<Service>('/api/v1/services', routes.onService)
    const slices = follow<EndpointSlice>('/apis/discovery.k8s.io/v1/endpointslices', routes.onSlice)
    await Promise.all([services.synced, slices.synced])
    routes.flush()
    await Promise.all(proxies.map((proxy) => proxy.settled()))
  } catch (error) {
    await stop()
    throw error
  }
  loops.push(...keepers.map((keeper) => keeper.keep()))
  for (const { name, address } of specs) options.onProgress?.(`node ${name} Ready at ${address}`)
  return {
    nodes: specs.map(({ name, address }, at) => ({
      name,
      address,
      pauseProxy: async () => proxies[at]?.pause(),
      resumeProxy: async () => proxies[at]?.resume(),
    })),
    stop,
  }
}
