// A watcher on twins in memory and a simulated API server; the test plays the other services.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryBus } from '@weir/bus'
import {
  cluster as clusterSchema,
  clusterId,
  driverName,
  event,
  observation,
  streamOf,
  streams,
  tenantId,
  type ClusterId,
  type Observation,
  type ServiceObservation,
  type DomainEvent,
  type StreamId,
} from '@weir/contract'
import { createMemoryStore, createReconciler, type Store } from '@weir/eventlog'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import {
  createConnection,
  encodeCredentials,
  parseKubeconfig,
  rbacObjects,
  withLoopback,
  type ClusterCredentials,
} from '@weir/kube'
import {
  startSimulatedMinicluster,
  type Faults,
  type Minicluster,
  type MiniclusterOptions,
  type SimulatedMinicluster,
} from '@weir/minicluster'
import { createTrace } from '@weir/runtime'
import { createWatcher } from '../handle.ts'
import { consumer } from '../reconcile.ts'

export const acme = tenantId.parse('acme')
export const edge = driverName.parse('edge')

export interface RigOptions {
  /** How the watcher logs in; the administrator when absent. */
  readonly credentials?: ClusterCredentials
  /** What the log calls the cluster; its true identity when absent. */
  readonly identity?: ClusterId
}

/** One cluster and everything the watcher of it needs; processes come and go. */
export const startRig = async (
  start: (options: MiniclusterOptions) => Promise<Minicluster> = startSimulatedMinicluster,
) => {
  const stateDir = await mkdtemp(join(tmpdir(), 'weir-watcher-'))
  const minicluster = await start({ stateDir, port: 0, nodes: [] })
  const admin = parseKubeconfig(minicluster.kubeconfig)
  const kube = createConnection(admin, { policy: withLoopback })
  const store = createMemoryStore({ clock: systemClock, ids: systemIds })
  const bus = createMemoryBus({ clock: systemClock, random: () => systemIds.random() })
  const cluster = await kube.identity()
  const listening = new AbortController()
  void bus.consume({
    stream: streams.obs.name,
    filter: 'weir.obs.>',
    from: 'last-of-each',
    signal: listening.signal,
    handle: async (messages) => {
      const seen = messages.map(({ body }) => observation.parse(JSON.parse(body)))
      await store.observed.store(
        'allocator',
        seen.map((one) => ({ seen: one, keys: [] })),
      )
      received.push(...seen)
    },
  })
  const received: Observation[] = []
  const watchers: (() => Promise<void>)[] = []

  const connect = async ({ credentials = admin, identity = cluster }: RigOptions = {}) => {
    const bytes = new TextEncoder().encode(encodeCredentials(credentials))
    await store.vault.put(acme, `cluster-credentials/${identity}`, bytes)
    await append(store, streamOf('cluster', identity), identity, [
      event('ClusterConnected', {
        cluster: clusterSchema.parse({
          id: identity,
          tenant: acme,
          name: 'main',
          server: credentials.server,
          driver: edge,
          defaultClass: true,
          nodeCidrs: ['127.0.0.0/8'],
        }),
      }),
    ])
  }

  /** Starts a watcher; returns how to end it, as a crash would. */
  const watch = async (): Promise<() => Promise<void>> => {
    const over = new AbortController()
    const { signal } = over
    const common = { store, clock: systemClock, ids: systemIds, logger: silentLogger }
    const watcher = createWatcher({
      ...common,
      bus,
      open: async (_at, sealed) => new TextDecoder().decode(sealed),
      policy: withLoopback,
      trace: await createTrace({
        service: 'watcher',
        version: '0',
        ids: systemIds,
        endpoint: undefined,
      }),
      metrics: { stage: () => undefined },
      counts: () => ({
        relisted: () => undefined,
        rewatched: () => undefined,
        malformed: () => undefined,
      }),
      timing: { confirmMs: 20, backoff: { minMs: 20, maxMs: 100 } },
      leaseMs: 500,
    })
    const { keysOf, reconcile } = watcher
    const reconciler = createReconciler({ ...common, consumer, keysOf, reconcile, passMs: 20 })
    const running = Promise.all([watcher.run(signal), reconciler.run(signal)])
    const end = async (): Promise<void> => {
      over.abort()
      await running
    }
    watchers.push(end)
    return end
  }

  /** Grants what a tenant grants us, and logs in with that. */
  const leastPrivilege = async (): Promise<ClusterCredentials> => {
    const account = '/api/v1/namespaces/kube-system/serviceaccounts'
    for (const object of rbacObjects) {
      const kind = String(object['kind'])
      const path =
        kind === 'ServiceAccount'
          ? account
          : `/apis/rbac.authorization.k8s.io/v1/${kind.toLowerCase()}s`
      if (kind !== 'Secret') await kube.call({ method: 'POST', path, body: object })
    }
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }
    const issued = await kube.call({ method: 'POST', path: `${account}/weir/token`, body })
    const { token } = (issued as { readonly status: { readonly token: string } }).status
    return { ...admin, auth: { kind: 'token', token } }
  }

  return {
    leastPrivilege,
    cluster,
    store,
    bus,
    kube,
    /** Ways to harm the simulated API server; the real one has none. */
    faults: 'faults' in minicluster ? (minicluster as SimulatedMinicluster).faults : noFaults,
    received,
    connect,
    watch,
    phases: (uid: string) =>
      received.flatMap((seen) =>
        seen.kind === 'service' && seen.serviceUid === uid ? [seen.phase] : [],
      ),
    last: (uid: string): ServiceObservation | undefined =>
      received.findLast((seen) => seen.kind === 'service' && seen.serviceUid === uid) as
        | ServiceObservation
        | undefined,
    story: (uid: string) => store.log.story(acme, uid),
    stop: async () => {
      await Promise.all(watchers.map((end) => end()))
      listening.abort()
      await kube.close()
      await minicluster.stop()
      await bus.close()
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}
export type Rig = Awaited<ReturnType<typeof startRig>>

/** Appends events of other services to their streams, at whatever version these stand. */
export const append = async (
  store: Store,
  stream: StreamId,
  story: string,
  events: readonly DomainEvent[],
): Promise<void> => {
  const before = await store.log.story(acme, story)
  const version = before.filter(({ subject }) => subject === stream).length
  const outcome = await store.log.append({
    tenant: acme,
    commandId: systemIds.uuid(),
    events: events.map((one) => ({ stream, expectedVersion: version, event: one })),
    actor: 'test',
    correlationId: story,
    causationId: 'test',
  })
  if (outcome.status !== 'appended') throw new Error(`append: ${JSON.stringify(outcome)}`)
}

const noFaults = new Proxy({} as Faults, {
  get: () => {
    throw new Error('the real API server does not misbehave on request')
  },
})

export const otherCluster = clusterId.parse('99999999-9999-4999-8999-999999999999')
