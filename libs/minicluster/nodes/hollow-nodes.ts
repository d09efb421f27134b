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
import { createPodPlaces, followPods } from './pod-places.ts'
import { createPodRunner } from './pod-runner.ts'
import { createServiceRoutes } from './service-routes.ts'

const slicesPath = '/apis/discovery.k8s.io/v1/endpointslices'

export interface HollowNodesOptions extends ApiCredentials {
  readonly nodes: readonly HollowNodeSpec[]
  /**
   * Which half of the nodes this process is: `kubelet` keeps Nodes and pods, `proxy` answers where they are,
   * load balancers' addresses included. Both when absent, and then only node ports are answered.
   */
  readonly half?: 'kubelet' | 'proxy'
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

/** The parts of one cluster's nodes, wired together; nothing runs before `join`. */
const assemble = (options: HollowNodesOptions) => {
  const { clock = systemClock, ids = systemIds, nodes: specs, maxGraceMs = 2_000 } = options
  const halt = new AbortController()
  const onTrouble = options.onProgress ?? ((): void => undefined)
  const patience = { clock, ids, signal: halt.signal, onTrouble }
  const api = createApi(options)
  const pods = createPodPlaces()
  const echo = createEchoPod()
  const known: { nodes: ReadonlyMap<string, KubeNode>; pods: ReadonlyMap<string, Pod> } = {
    nodes: new Map(),
    pods: new Map(),
  }
  const writing = { ...patience, api, pods: () => known.pods }
  const answering = options.half === 'kubelet' ? [] : specs
  const kept = options.half === 'proxy' ? [] : specs
  const proxies = answering.map((node) => {
    const eligible = (): boolean => isEligible(known.nodes.get(node.name))
    return createNodeProxy({ ...patience, node, pods, echo, eligible })
  })
  const keepers = kept.map((spec) =>
    createNodeKeeper({ ...patience, api, spec, current: () => known.nodes.get(spec.name) }),
  )
  const nodes = (): KubeNode[] => kept.flatMap(({ name }) => known.nodes.get(name) ?? [])
  const binder = createBinder({ ...writing, nodes })
  const run = createPodRunner({ ...writing, nodes: kept, places: pods, maxGraceMs })
  return { halt, patience, api, pods, known, proxies, keepers, binder, run }
}

/**
 * All nodes of one cluster: they share one connection pool and one watch per resource. Resolves when
 * every Node is Ready and every NodePort that the cluster has now was opened or tried.
 */
export const startHollowNodes = async (options: HollowNodesOptions): Promise<HollowNodes> => {
  const { halt, patience, api, pods, known, proxies, keepers, binder, run } = assemble(options)
  const routes = createServiceRoutes(proxies, options.half === 'proxy')
  const loops: Promise<void>[] = []

  const follow = <T extends KubeObject>(path: string, onChange: OnChange<T>): ListWatch<T> => {
    const watch = listWatch<T>({ api, path, onChange, ...patience })
    loops.push(watch.done)
    return watch
  }
  const join = async (): Promise<void> => {
    await Promise.all(keepers.map((keeper) => keeper.register()))
    const nodes = follow<KubeNode>('/api/v1/nodes', () => keepers.length > 0 && binder.look())
    known.nodes = nodes.items
    await nodes.synced
    const onPod: OnChange<Pod> = options.half === 'proxy' ? followPods(pods) : run
    const running = follow<Pod>('/api/v1/pods', (after, before) => {
      onPod(after, before)
      if (keepers.length > 0) binder.look()
    })
    known.pods = running.items
    // The pods that run already must have their places before a NodePort leads to them.
    await running.synced
    const services = follow<Service>('/api/v1/services', routes.onService)
    const slices = follow<EndpointSlice>(slicesPath, routes.onSlice)
    await Promise.all([services.synced, slices.synced])
    routes.flush()
    await Promise.all(proxies.map((proxy) => proxy.settled()))
    loops.push(...keepers.map((keeper) => keeper.keep()))
  }
  let stopping: Promise<void> | undefined
  const end = async (): Promise<void> => {
    halt.abort()
    await Promise.all(proxies.map((proxy) => proxy.close()))
    pods.clear()
    await api.close()
    await Promise.all(loops)
  }
  const stop = (): Promise<void> => (stopping ??= end())

  try {
    await join()
  } catch (error) {
    await stop()
    throw error
  }
  const nodes = options.nodes.map(({ name, address }, at) => {
    options.onProgress?.(`node ${name} Ready at ${address}`)
    const pauseProxy = async (): Promise<void> => proxies[at]?.pause()
    return { name, address, pauseProxy, resumeProxy: async () => proxies[at]?.resume() }
  })
  return { nodes, stop }
}
