import type { Bus } from '@weir/bus'
import { clusterId, type ClusterId, type RecordedEvent, type TenantId } from '@weir/contract'
import type { Store, WorkItem } from '@weir/eventlog'
import type { Clock, Ids, Logger } from '@weir/kernel'
import type { AddressPolicy, ReflectorMetrics, ReflectorTiming } from '@weir/kube'
import type { Metrics, Trace } from '@weir/runtime'
import { watchCluster, type ClusterWatch } from './cluster-watch.ts'
import { createDesks, type DesksPorts } from './desk.ts'
import { createHolding } from './holding.ts'
import { consumer, createReconcile, keysOf } from './reconcile.ts'
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
  /** The clusters watched here: how long each has been silent, and whether it was read in full. */
  watching(): readonly {
    readonly cluster: string
    readonly staleMs: number
    readonly synced: boolean
  }[]
}

/** When a cluster that left is looked at again, after its end: others may have paused for so long. */
const leaveAgainMs = [5_000, 20_000, 60_000, 300_000]

export const createWatcher = (ports: WatcherPorts): Watcher => {
  const { store, clock, ids, logger } = ports
  const registry = createRegistry({ store, open: ports.open })
  const desks = createDesks({ ...ports, registry, concurrency: ports.concurrency ?? 32 })
  const reconcile = createReconcile({ ...ports, desks, registry })
  const watches = new Map<string, ClusterWatch>()

  const watch = async (known: KnownCluster, fence: number, signal: AbortSignal): Promise<void> => {
    const { tenant, cluster } = known
    // A desk of before may have older settings, and a cache that nobody fed meanwhile.
    await desks.close(tenant, cluster.id)
    const desk = await desks.at(tenant, cluster.id)
    if (desk === undefined) return
    const watching = await watchCluster({ againMs: 60_000, ...ports }, desk, fence)
    const name = clusterName(tenant, cluster.id)
    watches.set(name, watching)
    logger.info({ tenant, cluster: cluster.id, fence }, 'watching a cluster')
    try {
      await watching.run(signal)
    } finally {
      watches.delete(name)
      await desks.close(tenant, cluster.id)
      logger.info({ tenant, cluster: cluster.id }, 'no longer watching a cluster')
    }
  }

  /** Whatever was seen in a cluster that is served no longer is looked at: our finalizers must go. */
  const leave = async (
    tenant: TenantId,
    cluster: ClusterId,
  ): Promise<{ readonly againInMs?: number }> => {
    const known = await registry.find(tenant, cluster)
    if (known?.served !== false) return {}
    // A watch that has not ended yet would put them on again.
    if (watches.has(clusterName(tenant, cluster))) return { againInMs: 200 }
    const seen = await store.observed.list({ tenant, cluster, kind: 'service' })
    const there = seen.filter(({ phase }) => phase !== 'gone')
    const keys = there.map(({ serviceUid }) => serviceUid)
    await store.work.mark(consumer, tenant, keys)
    // A process that watches the cluster still may put a finalizer on until it hears of the end.
    const elapsedMs = clock.now() - (known.leftAt ?? 0)
    const next = leaveAgainMs.find((afterMs) => afterMs > elapsedMs)
    return next === undefined ? {} : { againInMs: next - elapsedMs }
  }

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
      })),
  }
}
