import type { Bus } from '@weir/bus'
import type { ServiceUid } from '@weir/contract'
import type { Store } from '@weir/eventlog'
import type { Clock, Ids, Logger } from '@weir/kernel'
import { createReflector, type ReflectorMetrics, type ReflectorTiming } from '@weir/kube'
import type { Metrics, Trace } from '@weir/runtime'
import { createAbsence } from './absence.ts'
import { verifyIdentity, type Desk } from './desk.ts'
import { createEndpointWatch, type EndpointWatch } from './endpoint-watch.ts'
import { createNodeWatch, type NodeWatch } from './node-watch.ts'
import { createPublisher, type Publisher } from './publisher.ts'
import { createServiceWatch, type ServiceWatch } from './service-watch.ts'

export interface ClusterWatchPorts {
  readonly store: Pick<Store, 'log' | 'work' | 'observed'>
  readonly bus: Pick<Bus, 'publish' | 'onRebuilt'>
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly trace: Pick<Trace, 'span'>
  readonly metrics: Pick<Metrics, 'stage'>
  readonly counts: (resource: string) => ReflectorMetrics
  readonly timing?: Partial<ReflectorTiming>
  /** Rises with every call in this process. */
  readonly nextOrder: () => number
  /** Milliseconds between two full publications, varied by a quarter. */
  readonly againMs: number
}

/** A cluster that is being watched. */
export interface ClusterWatch {
  /** Milliseconds since the API server last said anything about Services. */
  staleMs(): number
  synced(): boolean
  /** Services that are missing from its lists and not taken for gone, because they are so many. */
  heldBack(): number
  /** Watches until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
}

const sweepMs = 2000

/** @param fence the lease's: observations of whoever held the cluster before are older than ours. */
export const watchCluster = async (
  ports: ClusterWatchPorts,
  desk: Desk,
  fence: number,
): Promise<ClusterWatch> => {
  const { store, bus, clock, ids, logger: log, trace, metrics, nextOrder } = ports
  const { tenant, cluster } = desk.known
  const logger = log.child({ tenant, cluster: cluster.id })
  const over = new AbortController()
  const { signal } = over
  const before = await store.observed.list({ tenant, cluster: cluster.id, kind: 'service' })
  const remembered = new Map<ServiceUid, (typeof before)[number]>(
    before.filter(({ phase }) => phase !== 'gone').map((seen) => [seen.serviceUid, seen]),
  )
  const publisher = createPublisher({ bus, clock, ids, logger, epoch: fence, nextOrder })
  const absence = createAbsence({ known: desk.known, log: store.log, clock, logger })
  const endpoints = createEndpointWatch({ desk, publisher, clock, signal })
  const nodes = createNodeWatch({ known: desk.known, publisher, clock, signal })
  const services = createServiceWatch({
    desk,
    store,
    publisher,
    clock,
    ids,
    logger,
    trace,
    metrics,
    remembered,
    absence,
    onCare: (service) => endpoints.care(service),
    signal,
  })
  const reflectors = reflectorsOf(ports, desk, {
    logger,
    services,
    nodes,
    endpoints,
    expected: [...remembered.keys()],
  })
  const every = rounds(clock, logger, signal)

  return {
    staleMs: () => reflectors[0].staleMs(),
    synced: () => reflectors.every((reflector) => reflector.synced()),
    heldBack: absence.heldBack,
    run: async (until) => {
      const stop = (): void => over.abort()
      if (until.aborted) stop()
      until.addEventListener('abort', stop, { once: true })
      bus.onRebuilt(() => void publisher.again(), signal)
      try {
        await Promise.all([
          publisher.run(signal),
          ...reflectors.map((reflector) => reflector.run(signal)),
          every(
            () => sweepMs,
            () => services.sweep(),
          ),
          every(
            () => ports.againMs * (0.75 + ids.random() / 2),
            async () => {
              await forgetGone(store.observed, desk, publisher)
              await publisher.again()
            },
          ),
        ])
      } finally {
        over.abort()
      }
    },
  }
}

/** What was kept as gone need not be said again for ever: Services come and go, and memory is finite. */
const forgetGone = async (
  observed: ClusterWatchPorts['store']['observed'],
  { known: { tenant, cluster } }: Desk,
  publisher: Publisher,
): Promise<void> => {
  const at = { tenant, cluster: cluster.id, kind: 'service' } as const
  const kept = await Promise.all(publisher.gone().map((key) => observed.get({ ...at, key })))
  const over = kept.flatMap((seen) => (seen?.phase === 'gone' ? [seen.serviceUid] : []))
  if (over.length > 0) publisher.forget(new Set(over))
}

/** Does work now and again until `signal` aborts. */
const rounds =
  (clock: Clock, logger: Logger, signal: AbortSignal) =>
  async (ms: () => number, work: () => Promise<void>): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(ms(), signal)
      if (signal.aborted) return
      await work().catch((error: unknown) =>
        logger.warn({ error }, 'a round failed; the next follows'),
      )
    }
  }

interface Watched {
  readonly logger: Logger
  readonly services: ServiceWatch
  readonly nodes: NodeWatch
  readonly endpoints: EndpointWatch
  /** UIDs of Services that an earlier watcher saw. */
  readonly expected: readonly string[]
}

const reflectorsOf = (ports: ClusterWatchPorts, desk: Desk, watched: Watched) => {
  const { clock, ids, timing, counts } = ports
  const { logger, services, nodes, endpoints, expected } = watched
  const common = {
    connection: desk.connection,
    verify: () => verifyIdentity(desk.connection, desk.known.cluster.id),
    clock,
    ids,
    logger,
    ...(timing === undefined ? {} : { timing }),
  }
  return [
    createReflector({
      ...common,
      ...services,
      path: '/api/v1/services',
      kind: 'ServiceList',
      expected,
      metrics: counts('services'),
    }),
    createReflector({
      ...common,
      ...nodes,
      path: '/api/v1/nodes',
      kind: 'NodeList',
      metrics: counts('nodes'),
    }),
    createReflector({
      ...common,
      ...endpoints,
      path: '/apis/discovery.k8s.io/v1/endpointslices',
      kind: 'EndpointSliceList',
      metrics: counts('endpointslices'),
    }),
  ] as const
}
