// A provisioner on in-memory twins, for tests: the store, a provider, a clock that only tests turn, and the
// ports in between, each call of which may be made to fail.
import {
  clusterId,
  driverName,
  event,
  frontend,
  installationId,
  intentHash,
  loadBalancerIntent,
  nodesObservation,
  poolName,
  serviceUid,
  streamOf,
  tenantId,
  type DomainEvent,
  type LoadBalancerIntent,
  type RecordedEvent,
  type StreamId,
} from '@weir/contract'
import { createMemoryDriver, type Driver, type MemoryDriverOptions } from '@weir/drivers'
import { createMemoryStore, type Store } from '@weir/eventlog'
import { OperatingError, silentLogger, systemIds, type Clock } from '@weir/kernel'
import { consumer, createProvisioner, type Provisioner } from './handle.ts'
import { createFaults, type Fault } from './sample-faults.ts'
import { createSampleCloud, type SampleCloud } from './sample-cloud.ts'

export const tenant = tenantId.parse('acme')
export const cluster = clusterId.parse('11111111-1111-1111-1111-111111111111')
export const web = serviceUid.parse('22222222-2222-2222-2222-222222222222')
export const installation = installationId.parse('test')
const memory = driverName.parse('memory')

export const intentOf = (over: Partial<LoadBalancerIntent> = {}): LoadBalancerIntent =>
  loadBalancerIntent.parse({
    ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30_080 }],
    externalTrafficPolicy: 'Cluster',
    healthCheckNodePort: null,
    sourceRanges: [],
    sessionAffinity: { kind: 'None' },
    ipFamilies: ['IPv4'],
    requestedAddress: null,
    requestedPool: null,
    proxyProtocol: 'none',
    invalid: [],
    ...over,
  })

export const requested = (intent = intentOf(), driver = memory): DomainEvent =>
  event('LoadBalancerRequested', {
    cluster,
    serviceUid: web,
    namespace: 'default',
    name: 'web',
    driver,
    intent,
    intentHash: intentHash(intent),
  })

export const changed = (intent: LoadBalancerIntent): DomainEvent =>
  event('LoadBalancerChanged', { intent, intentHash: intentHash(intent), fields: ['ports'] })

export const allocated = (...ports: readonly string[]): DomainEvent =>
  event('FrontendsAllocated', {
    leases: [{ ip: frontendAt('TCP/80').ip, pool: poolName.parse('default') }],
    frontends: (ports.length === 0 ? ['TCP/80'] : ports).map(frontendAt),
    choice: 'never-used',
    considered: [],
  })

/** The driver's provider gives the address; `ports` of ours are held still. */
export const granted = (...ports: readonly string[]): DomainEvent =>
  event('FrontendsAllocated', {
    leases: [],
    frontends: ports.map(frontendAt),
    choice: 'provider',
    considered: [],
  })

export const movedTo = (to: string, from = 'memory'): DomainEvent =>
  event('DriverChanged', {
    from: driverName.parse(from),
    to: driverName.parse(to),
    cause: 'cluster-default',
  })

/** What the watcher says once the status shows an address. */
export const shown = (epoch: number): DomainEvent =>
  event('StatusPublished', { ingress: [], epoch, generation: 1 })

const frontendAt = (text: string) => {
  const [protocol, port] = text.split('/')
  return frontend.parse({ ip: '127.1.0.1', protocol, port: Number(port) })
}

export const releaseRequested = event('ReleaseRequested', { reason: 'service-deleted' })
export const frontendsReleased = event('FrontendsReleased', {
  leases: [],
  frontends: [],
  quarantineUntil: null,
})

export const connected = event('ClusterConnected', {
  cluster: {
    id: cluster,
    tenant,
    name: 'one',
    server: 'https://127.0.0.1:6443',
    driver: memory,
    defaultClass: true,
    nodeCidrs: ['127.0.0.0/8' as never],
  },
})

export type { Fault }

export interface World {
  readonly store: Store
  readonly driver: ReturnType<typeof createMemoryDriver>
  /** Two more drivers, `octavia` and `aws-nlb`, whose provider gives the address; the latter has no UDP. */
  readonly clouds: readonly [SampleCloud, SampleCloud]
  readonly provisioner: () => Provisioner
  /** Appends what other services say, to the stream of their category. */
  say(...events: readonly DomainEvent[]): Promise<void>
  /** Stores a node list; names map to addresses, or to the reason why they are excluded. */
  seeNodes(nodes: Readonly<Record<string, string>>): Promise<void>
  seeEndpoints(readyByNode: Readonly<Record<string, number>>): Promise<void>
  /** Ends the process and starts the next one, which knows only what is in the store. */
  crash(): void
  /** Delivers, works and lets time pass until nothing is due soon. */
  settle(): Promise<void>
  /** The same for so many seconds, whatever happens in them. */
  pass(seconds: number): Promise<void>
  advance(ms: number): void
  /** Milliseconds since the Unix epoch. */
  now(): number
  story(): Promise<readonly RecordedEvent[]>
  /** Types of resource events, in order. */
  told(): Promise<readonly string[]>
  /** Port calls made so far. */
  calls(): number
}

export const createWorld = (
  options: { readonly fault?: Fault; readonly driver?: Partial<MemoryDriverOptions> } = {},
): World => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const clock: Clock = { now: () => now, sleep: async () => undefined }
  const store = createMemoryStore({ clock, ids: systemIds })
  const driver = createMemoryDriver({ installation, ...options.driver })
  const clouds = [
    createSampleCloud({ name: 'octavia', installation, clock }),
    createSampleCloud({ name: 'aws-nlb', installation, clock, protocols: ['TCP'] }),
  ] as const
  const faults = createFaults(options.fault)
  let order = 0
  let provisioner: Provisioner
  let listening = new AbortController()

  const start = (): void => {
    listening.abort()
    listening = new AbortController()
    const drivers = [driver, ...clouds.map((cloud) => cloud.driver)].map(
      (each) => [driverName.parse(each.name), faults.wrap<Driver>(each)] as const,
    )
    provisioner = createProvisioner({
      store: { ...store, log: faults.wrap(store.log), observed: faults.wrap(store.observed) },
      drivers: new Map(drivers),
      installation,
      clock,
      ids: systemIds,
      logger: silentLogger,
      trace: {
        span: (_name, _options, work) => work({ traceparent: '', set: () => undefined }),
        current: () => undefined,
      },
    })
  }
  start()

  const ingest = async (): Promise<void> => {
    for (const lag of await store.work.lagging(consumer)) {
      const events = await store.log.after(lag.tenant, lag.cursor, 1000)
      const keys = events.flatMap((recorded) => provisioner.keysOf(recorded))
      const { tenant, cursor: from, head: to } = lag
      await store.work.ingest({ consumer, tenant, from, to, keys })
    }
  }
  const workOnce = async (): Promise<number> => {
    await ingest()
    const items = await store.work.claim({ consumer, worker: 'w', limit: 10, leaseMs: 30_000 })
    for (const item of items) {
      try {
        const { againInMs } = await provisioner.reconcile(item)
        await store.work.done(item, againInMs)
      } catch (error) {
        if (!(error instanceof OperatingError)) throw error
        await store.work.failed(item, { problem: error.message, afterMs: 1000 })
        if (faults.fired()) start()
      }
    }
    return items.length
  }
  const see = async (seen: Parameters<typeof store.observed.store>[1][number]['seen']) => {
    const keys = provisioner.keysOfObservation(seen)
    await store.observed.store(consumer, [{ seen, keys: [...keys] }])
  }
  const stamp = () => {
    order += 1
    return { tenant, cluster, watcherEpoch: 1, order, seenAt: new Date(now).toISOString() }
  }

  return {
    store,
    driver,
    clouds,
    provisioner: () => provisioner,
    say: (...events) => say(store, ...events),
    seeNodes: (nodes) =>
      see(
        nodesObservation.parse({
          kind: 'nodes',
          ...stamp(),
          nodes: Object.entries(nodes).map(toNode),
        }),
      ),
    seeEndpoints: (readyByNode) =>
      see({ kind: 'endpoints', ...stamp(), serviceUid: web, readyByNode: { ...readyByNode } }),
    crash: start,
    // Three quiet seconds outlast every short wait; fifteen in all are too few for a routine look.
    settle: async () => {
      for (let rounds = 0, quiet = 0; quiet < 3 && rounds < 15; rounds += 1) {
        quiet = (await workOnce()) === 0 ? quiet + 1 : 0
        now += 1000
      }
    },
    pass: async (seconds) => {
      for (let left = seconds; left > 0; left -= 1) {
        await workOnce()
        now += 1000
      }
    },
    advance: (ms) => (now += ms),
    now: () => now,
    story: () => store.log.story(tenant, web),
    told: async () =>
      (await store.log.story(tenant, web))
        .filter(({ subject }) => subject.startsWith('resource-'))
        .map(({ type }) => type),
    calls: faults.calls,
  }
}

/** Appends what other services say of the sample Service and its cluster, in order. */
export const say = async (store: Store, ...events: readonly DomainEvent[]): Promise<void> => {
  for (const one of events) {
    const isCluster = one.type.startsWith('Cluster')
    const category = one.type === 'StatusPublished' ? 'status' : 'lb'
    const stream = isCluster ? streamOf('cluster', cluster) : streamOf(category, web)
    const expectedVersion = await versionOf(store, stream)
    await store.log.append({
      tenant,
      commandId: `said/${stream}/${expectedVersion}`,
      events: [{ stream, expectedVersion, event: one }],
      actor: isCluster ? 'api' : 'allocator',
      correlationId: isCluster ? cluster : web,
      causationId: 'test',
    })
  }
}

const toNode = ([name, at]: readonly [string, string]) =>
  /^[\d.]+$/.test(at)
    ? { name, addresses: [at], excluded: null }
    : { name, addresses: ['127.0.0.9'], excluded: at }

const versionOf = async (store: Store, stream: StreamId): Promise<number> => {
  const events = await store.log.after(tenant, 0, 10_000)
  return events.filter(({ subject }) => subject === stream).length
}
