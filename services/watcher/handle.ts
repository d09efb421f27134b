import type { Bus } from '@weir/bus'
import { clusterId, type RecordedEvent } from '@weir/contract'
import type { Store, WorkItem } from '@weir/eventlog'
import type { Clock, Ids, Logger } from '@weir/kernel'
import type { AddressPolicy, ReflectorMetrics, ReflectorTiming } from '@weir/kube'
import type { Metrics, Trace } from '@weir/runtime'
import { watchCluster, type ClusterWatch } from './cluster-watch.ts'
import { createDesks, type DesksPorts } from './desk.ts'
import { createHolding } from './holding.ts'
import { createLeave } from './leave.ts'
import { createReconcile, keysOf } from './reconcile.ts'
import { clusterName, createRegistry, type KnownCluster, type RegistryPorts } from './registry.ts'

export { consumer } from './reconcile.ts'

export interface WatcherPorts {
  readonly store: Store
  readonly bus: Pick<Bus, 'publish' | 'onRebuilt'>
  readonly open: RegistryPorts['open']
  readonly policy: AddressPolicy
  /** How a cluster is reached; over the network when absent. */
  readonly connect?: NonNullable<DesksPorts['connect']>
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly trace: Pick<Trace, 'span'>
  readonly metrics: Pick<Metrics, 'stage'>
  readonly counts: (resource: string) => ReflectorMetrics
  /** Writes at the same time per cluster; 32. */
  readonly concurrency?: number
  readonly timing?: Partial<ReflectorTiming>
  readonly leaseMs?: number
  /** Milliseconds between two full publications of a cluster; 60,000. */
  readonly againMs?: number
}

/** The only one that talks to tenants' clusters, both ways. */
export interface Watcher {
  /** The work that an event makes: a Service to write, or news of a cluster. */
  readonly keysOf: (event: RecordedEvent) => readonly string[]
  /** Brings what is written on one Service to what its story says. */
  readonly reconcile: (item: WorkItem) => Promise<{ readonly againInMs?: number }>
  /** Holds and watches clusters until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
  /** The clusters watched here: how long each has been silent, whether it was read in full, what is held back. */
  watching(): readonly {
    readonly cluster: string
    readonly staleMs: number
    readonly synced: boolean
    readonly heldBack: number
  }[]
}

export const createWatcher = (ports: WatcherPorts): Watcher => {
  const { store, clock, ids, logger } = ports
  const registry = createRegistry({ store, open: ports.open })
  const desks = createDesks({ ...ports, registry, concurrency: ports.concurrency ?? 32 })
  const reconcile = createReconcile({ ...ports, desks, registry })
  const watches = new Map<string, ClusterWatch>()
  let order = 0
  const nextOrder = (): number => (order += 1)

  const watch = async (known: KnownCluster, fence: number, signal: AbortSignal): Promise<void> => {
    const { tenant, cluster } = known
    // A desk of before may have older settings, and a cache that nobody fed meanwhile.
    await desks.close(tenant, cluster.id)
    const desk = await desks.at(tenant, cluster.id)
    if (desk === undefined) return
    const watching = await watchCluster({ againMs: 60_000, ...ports, nextOrder }, desk, fence)
    const name = clusterName(tenant, cluster.id)
    watches.set(name, watching)
    logger.info({ tenant, cluster: cluster.id, fence }, 'watching a cluster')
    // At once: what is under way may take its time, and nobody may go by this cache meanwhile.
    const leave = (): void => void desks.close(tenant, cluster.id)
    signal.addEventListener('abort', leave, { once: true })
    try {
      await watching.run(signal)
    } finally {
      watches.delete(name)
      await desks.close(tenant, cluster.id)
      logger.info({ tenant, cluster: cluster.id }, 'no longer watching a cluster')
    }
  }

  const leave = createLeave({
    store,
    registry,
    desks,
    clock,
    logger,
    watches: (tenant, cluster) => watches.has(clusterName(tenant, cluster)),
    settle: (tenant, uid, at) => reconcile({ tenant, key: uid, attempts: 0 }, at),
  })

  const holding = createHolding({
    leases: store.leases,
    holder: `watcher/${ids.uuid()}`,
    clusters: () => registry.list(),
    watch,
    clock,
    ids,
    logger,
    ...(ports.leaseMs === undefined ? {} : { leaseMs: ports.leaseMs }),
  })

  return {
    keysOf: (event) => (event.subject.startsWith('cluster-') ? [event.subject] : keysOf(event)),
    reconcile: async (item) => {
      if (!item.key.startsWith('cluster-')) return reconcile(item)
      holding.wake()
      return leave(item.tenant, clusterId.parse(item.key.slice('cluster-'.length)))
    },
    run: async (signal) => {
      await holding.run(signal)
      await desks.closeAll()
    },
    watching: () =>
      [...watches].map(([name, at]) => ({
        cluster: name.slice(name.indexOf('/') + 1),
        staleMs: at.staleMs(),
        synced: at.synced(),
        heldBack: at.heldBack(),
      })),
  }
}
