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

export const requested = (intent = intentOf()): DomainEvent =>
  event('LoadBalancerRequested', {
    cluster,
    serviceUid: web,
    namespace: 'default',
    name: 'web',
    driver: memory,
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

export interface Fault {
  /** Which port call fails, 1 for the first. */
  readonly at: number
  /** Before it has its effect, or after it: then only the answer is lost. */
  readonly when: 'before' | 'after'
}

export interface World {
  readonly store: Store
  readonly driver: ReturnType<typeof createMemoryDriver>
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
  advance(ms: number): void
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
  const faults = createFaults(options.fault)
  let order = 0
  let provisioner: Provisioner
  let listening = new AbortController()

  const start = (): void => {
    listening.abort()
    listening = new AbortController()
    const failing = faults.wrap(driver)
    provisioner = createProvisioner({
      store: { ...store, log: faults.wrap(store.log), observed: faults.wrap(store.observed) },
      drivers: new Map<typeof memory, Driver>([[memory, failing]]),
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
    advance: (ms) => (now += ms),
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
    const stream = isCluster ? streamOf('cluster', cluster) : streamOf('lb', web)
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

/** Wraps ports so that one call, counted over all of them, fails before or after its effect. */
const createFaults = (fault: Fault | undefined) => {
  let calls = 0
  let fired = false
  const guard = async (name: string, call: () => unknown): Promise<unknown> => {
    calls += 1
    const mine = fault !== undefined && calls === fault.at
    if (mine) fired = true
    if (mine && fault.when === 'before') throw new OperatingError(`crash before ${name}`)
    const answer = await call()
    if (mine) throw new OperatingError(`crash after ${name}`)
    return answer
  }
  const counted = new Set(['append', 'story', 'get', 'execute', 'observe'])
  return {
    calls: () => calls,
    fired: () => fired,
    wrap: <T extends object>(port: T): T =>
      new Proxy(port, {
        get: (target, name, receiver) => {
          const member: unknown = Reflect.get(target, name, receiver)
          if (typeof member !== 'function' || !counted.has(String(name))) return member
          return (...given: unknown[]) =>
            guard(String(name), () => Reflect.apply(member, target, given) as unknown)
        },
      }),
  }
}
