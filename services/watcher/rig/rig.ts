// A watcher on twins in memory and a simulated API server; the test plays the other services.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryBus } from '@weir/bus'
import {
  cluster as clusterSchema,
  clusterId,
  desiredResource,
  driverName,
  event,
  observation,
  resourceKeyOf,
  serviceUid,
  streamOf,
  streams,
  tenantId,
  type ClusterId,
  type DomainEvent,
  type Ingress,
  type Observation,
  type RecordedEvent,
  type ServiceObservation,
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
  type KubeConnection,
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
const edge = driverName.parse('edge')

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

/** What the allocator would record once it heard of a Service. */
export const allocate = async (
  rig: Rig,
  uid: string,
  ip: string,
  more: readonly DomainEvent[] = [],
) => {
  const seen = rig.last(uid)
  if (seen === undefined) throw new Error('not seen')
  const { cluster, namespace, name, intent } = seen
  const hash = 'a'.repeat(32)
  await append(rig.store, streamOf('lb', uid), uid, [
    event('LoadBalancerRequested', {
      cluster,
      serviceUid: serviceUid.parse(uid),
      namespace,
      name,
      driver: edge,
      intent,
      intentHash: hash,
    }),
    ...(more.length > 0
      ? more
      : [
          event('FrontendsAllocated', {
            leases: [{ ip, pool: 'public' }],
            frontends: [{ ip, protocol: 'TCP', port: 80 }],
            choice: 'never-used',
            considered: [],
          } as never),
        ]),
  ])
}

/** What the provisioner would record once the provider was read back. */
export const program = (
  rig: Rig,
  uid: string,
  ip: string,
  { epoch = 1, ingress = [{ ip: ip as never, ipMode: 'Proxy' }] }: Programming = {},
): Promise<void> => {
  const key = resourceKeyOf(edge, serviceUid.parse(uid))
  return append(rig.store, streamOf('resource', key), uid, [
    event('ResourceIntended', {
      key,
      epoch,
      generation: 1,
      driver: edge,
      externalName: key,
      desired: desiredOf(rig, uid, ip, epoch),
    }),
    event('ResourceProgrammed', {
      key,
      epoch,
      generation: 1,
      ingress: [...ingress],
      confirmedBy: ['edge-1'],
    }),
  ])
}

interface Programming {
  readonly epoch?: number
  readonly ingress?: readonly Ingress[]
}

const desiredOf = (rig: Rig, uid: string, ip: string, epoch: number) =>
  desiredResource.parse({
    marks: {
      installation: 'local',
      tenant: acme,
      cluster: rig.cluster,
      service: uid,
      key: resourceKeyOf(edge, serviceUid.parse(uid)),
      epoch,
    },
    driver: edge,
    generation: 1,
    frontends: [{ ip, protocol: 'TCP', port: 80, nodePort: 30_080 }],
    targets: [{ node: 'n', ip: '127.0.0.2', weight: 1 }],
    policy: 'Cluster',
    health: { port: 10_256, path: '/healthz', weightFromHeader: false },
    sourceRanges: [],
    affinity: { kind: 'None' },
    proxyProtocol: 'none',
  })

export const releaseRequested = (rig: Rig, uid: string): Promise<void> =>
  append(rig.store, streamOf('lb', uid), uid, [
    event('ReleaseRequested', { reason: 'service-deleted' }),
  ])

export const absent = (rig: Rig, uid: string, epoch = 1): Promise<void> => {
  const key = resourceKeyOf(edge, serviceUid.parse(uid))
  return append(rig.store, streamOf('resource', key), uid, [
    event('ResourceAbsent', { key, epoch, confirmedBy: ['edge-1'] }),
  ])
}

interface AnyService {
  readonly metadata: {
    readonly uid: string
    readonly finalizers?: readonly string[]
    readonly annotations?: Readonly<Record<string, string>>
    readonly deletionTimestamp?: string
  }
  readonly status: {
    readonly loadBalancer?: { readonly ingress?: readonly unknown[] }
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

const services = '/api/v1/namespaces/default/services'

export const createService = async (
  kube: KubeConnection,
  name: string,
  spec: object = {},
): Promise<string> => {
  const created = (await kube.call({
    method: 'POST',
    path: services,
    body: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
    },
  })) as AnyService
  return created.metadata.uid
}

export const getService = async (kube: KubeConnection, name: string): Promise<AnyService> =>
  (await kube.call({ method: 'GET', path: `${services}/${name}` })) as AnyService

/** Undefined once it is gone. */
export const findService = (kube: KubeConnection, name: string): Promise<AnyService | undefined> =>
  getService(kube, name).catch(() => undefined)

export const patchService = (
  kube: KubeConnection,
  name: string,
  body: object,
  subresource = '',
): Promise<unknown> =>
  kube.call({
    method: 'PATCH',
    path: `${services}/${name}${subresource}`,
    contentType: 'application/merge-patch+json',
    body,
  })

export const deleteService = (kube: KubeConnection, name: string): Promise<unknown> =>
  kube.call({ method: 'DELETE', path: `${services}/${name}` })

interface KubeEventObject {
  readonly reason: string
  readonly message: string
  readonly type: string
}

export const eventsOf = async (kube: KubeConnection): Promise<readonly KubeEventObject[]> => {
  const path = '/api/v1/namespaces/default/events'
  const list = (await kube.call({ method: 'GET', path })) as { readonly items: KubeEventObject[] }
  return list.items
}

export const typesOf = (story: readonly RecordedEvent[]): string[] => story.map(({ type }) => type)

const noFaults = new Proxy({} as Faults, {
  get: () => {
    throw new Error('the real API server does not misbehave on request')
  },
})

export const otherCluster = clusterId.parse('99999999-9999-4999-8999-999999999999')
