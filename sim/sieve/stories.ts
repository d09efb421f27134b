// Short stories of users, for the systematic mode: each is told once without faults and then again with one
// fault at each place that matters.
import { driverName } from '@weir/contract'
import type { WishedSpec } from '../kube/cluster.ts'
import { sharingAnnotation } from '../truth/services.ts'
import type { World } from '../world/world.ts'

/** What users do, one act after the other; all comes to rest between two acts that are not close. */
export interface Story {
  readonly name: string
  readonly acts: readonly Act[]
  /** An act follows so soon that a process which ends may never see the one before: only the end is compared. */
  readonly hasty?: true
  /** Addresses in the pool; 4 when absent. */
  readonly addresses?: number
}

export interface Act {
  /** Milliseconds after the act before. */
  readonly afterMs: number
  readonly do: (world: World) => void
}

const plain: WishedSpec = {
  type: 'LoadBalancer',
  ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
  externalTrafficPolicy: 'Cluster',
}

const rest = 20_000
/** Also what a process that ended was at is taken up again by then, and done. */
const longRest = 90_000
const soon = 300

const kube = (world: World, index = 0) => {
  const at = world.clusters[index]
  if (at === undefined) throw new Error(`no cluster ${index}`)
  return at.kube
}

const create = (name: string, afterMs = 0): Act => ({
  afterMs,
  do: (world) => {
    if (kube(world).store.get('services', `default/${name}`) !== undefined) return
    kube(world).createService(name, plain)
  },
})

const shared = (name: string, port: number): Act => ({
  afterMs: 0,
  do: (world) => {
    if (kube(world).store.get('services', `default/${name}`) !== undefined) return
    const spec = { ...plain, ports: [{ name: 'http', protocol: 'TCP', port }] } as const
    kube(world).createService(name, spec, { annotations: { [sharingAnnotation]: 'k' } })
  },
})

const change = (name: string, more: Partial<WishedSpec>, afterMs = rest): Act => ({
  afterMs,
  do: (world) => kube(world).changeService(name, (spec) => ({ ...spec, ...more })),
})

const remove = (name: string, afterMs = rest): Act => ({
  afterMs,
  do: (world) => kube(world).deleteService(name),
})

const act = (afterMs: number, does: (world: World) => void): Act => ({ afterMs, do: does })

const moveTo =
  (name: string) =>
  (world: World): void => {
    const [at] = world.clusters
    if (at === undefined) return
    const cluster = { ...at.cluster, driver: driverName.parse(name) }
    Object.assign(at, { cluster })
    void world.operator.changeCluster(at.tenant, cluster)
  }

const deregister = (world: World): void => {
  const [at] = world.clusters
  if (at === undefined) return
  Object.assign(at, { served: false })
  void world.operator.deregister(at.tenant, at.cluster.id)
}

const otherPorts = { ports: [{ name: 'https', protocol: 'TCP', port: 443 }] } as const
const local = { externalTrafficPolicy: 'Local' } as const
const clusterIp = { type: 'ClusterIP' } as const
const balanced = { type: 'LoadBalancer' } as const

export const stories: readonly Story[] = [
  { name: 'create', acts: [create('a')] },
  { name: 'port change', acts: [create('a'), change('a', otherPorts)] },
  {
    name: 'policy flip',
    acts: [create('a'), change('a', local), change('a', { externalTrafficPolicy: 'Cluster' })],
  },
  { name: 'type flip', acts: [create('a'), change('a', clusterIp), change('a', balanced)] },
  {
    name: 'quick type flip',
    hasty: true,
    acts: [create('a'), change('a', clusterIp), change('a', balanced, soon)],
  },
  { name: 'delete', acts: [create('a'), remove('a')] },
  { name: 'delete at once', hasty: true, acts: [create('a'), remove('a', soon)] },
  {
    name: 'delete and recreate',
    acts: [create('a'), remove('a'), create('a', longRest)],
  },
  {
    name: 'namespace delete',
    acts: [create('a'), create('b'), remove('a'), remove('b', 0)],
  },
  {
    name: 'node churn',
    acts: [
      create('a'),
      act(rest, (world) => kube(world).putNode('n4', '10.1.0.4')),
      act(rest, (world) => kube(world).removeNode('n1')),
      act(rest, (world) => kube(world).putNode('n2', '10.1.0.2', { excluded: true })),
    ],
  },
  {
    name: 'pool exhaustion',
    addresses: 1,
    acts: [create('a'), create('b', longRest), remove('a')],
  },
  {
    name: 'address sharing',
    acts: [
      shared('a', 80),
      shared('b', 443),
      change('b', { ports: [{ name: 'http', protocol: 'TCP', port: 8080 }] }),
      remove('a', longRest),
      act(longRest, (world) => kube(world).annotate('b', { [sharingAnnotation]: undefined })),
    ],
  },
  { name: 'cluster deregister', acts: [create('a'), act(rest, deregister)] },
  {
    name: 'driver move',
    acts: [create('a'), act(rest, moveTo('cloud')), act(rest, moveTo('edge'))],
  },
]
