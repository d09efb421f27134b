// Allocators on an in-memory store, for tests: the clock only tests turn, every call of a port may be made
// to fail or to take its time.
import {
  clusterId,
  driverAccount,
  driverName,
  event,
  ipAddress,
  loadBalancerIntent,
  platformTenant,
  pool as poolSchema,
  resourceKey,
  serviceUid,
  streamOf,
  tenantId,
  type ClusterId,
  type DomainEvent,
  type LoadBalancerIntent,
  type RecordedEvent,
  type ServiceObservation,
  type ServiceUid,
  type StreamId,
  type TenantId,
} from '@weir/contract'
import { createMemoryStore, type Store } from '@weir/eventlog'
import { OperatingError, silentLogger, systemIds, type Clock } from '@weir/kernel'
import { consumer, createAllocator, type Allocator } from './handle.ts'
import { openProjection } from './projection.ts'
import { createPorts, type Fault, type WorldOptions } from './sample-ports.ts'

export const acme = tenantId.parse('acme')
export const home = clusterId.parse('11111111-1111-4111-8111-111111111111')
export const uid = (n: number): ServiceUid =>
  serviceUid.parse(`00000000-0000-4000-8000-${n.toString().padStart(12, '0')}`)
export const web = uid(1)
export const mail = uid(2)

export const intentOf = (more: Partial<LoadBalancerIntent> = {}): LoadBalancerIntent =>
  loadBalancerIntent.parse({
    ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }],
    externalTrafficPolicy: 'Cluster',
    healthCheckNodePort: null,
    sourceRanges: [],
    sessionAffinity: { kind: 'None' },
    ipFamilies: ['IPv4'],
    requestedAddress: null,
    requestedPool: null,
    proxyProtocol: 'none',
    invalid: [],
    ...more,
  })
export const asking = (address: string): LoadBalancerIntent =>
  intentOf({ requestedAddress: ipAddress.parse(address) })

export const poolCreated = (block: string, more: object = {}): DomainEvent =>
  event('PoolCreated', {
    pool: poolSchema.parse({
      name: 'public',
      ranges: [block],
      priority: 10,
      tenants: null,
      quarantineSeconds: 60,
      ...more,
    }),
  })
export const connected = (id: ClusterId = home, tenant: TenantId = acme): DomainEvent =>
  event('ClusterConnected', {
    cluster: {
      id,
      tenant,
      name: 'one',
      server: 'https://127.0.0.1:6443',
      driver: driverName.parse('edge'),
      defaultClass: true,
      nodeCidrs: ['127.0.0.0/8' as never],
    },
  })
export const driverOf = (name: string, more: object = {}): DomainEvent =>
  event('DriverConfigured', {
    driver: driverAccount.parse({
      name,
      kind: name,
      tenant: null,
      account: 'p-1',
      settings: {},
      ...more,
    }),
  })
/** The cluster's default driver is another one now. */
export const defaultOf = (name: string): DomainEvent => {
  const { data } = connected() as Extract<DomainEvent, { type: 'ClusterConnected' }>
  return event('ClusterChanged', { cluster: { ...data.cluster, driver: driverName.parse(name) } })
}
export const deregistered = event('ClusterDeregistered', { id: home })

export type World = Awaited<ReturnType<typeof createWorld>>

export const createWorld = async (options: WorldOptions = {}) => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const clock: Clock = { now: () => now, sleep: async () => undefined }
  const store = createMemoryStore({ clock, ids: systemIds })
  const ahead: Clock = { ...clock, now: () => now + (options.aheadMs ?? 0) }
  const ports = createPorts(options)
  let order = 0
  let workers: Allocator[] = []

  const startOne = async (): Promise<Allocator> => {
    const wrapped = {
      ...store,
      log: ports.wrap(store.log),
      observed: ports.wrap(store.observed),
      work: ports.wrap(store.work),
    }
    const projection = await openProjection({ store: wrapped, clock: ahead })
    return createAllocator({
      store: wrapped,
      projection,
      clock: ahead,
      log: silentLogger,
      trace: {
        span: (_name, _options, work) => work({ traceparent: '', set: () => undefined }),
      },
      metrics: { stage: () => undefined },
    })
  }
  /** Ends all processes and starts them anew; a fault while starting is a start that is tried again. */
  const start = async (): Promise<void> => {
    for (let tries = 0; tries < 3; tries += 1) {
      try {
        workers = await Promise.all(Array.from({ length: options.allocators ?? 1 }, startOne))
        return
      } catch (error) {
        if (!(error instanceof OperatingError)) throw error
      }
    }
  }
  await start()

  const ingest = async (): Promise<void> => {
    for (const { tenant, cursor: from, head: to } of await store.work.lagging(consumer)) {
      const events = await store.log.after(tenant, from, 1000)
      const keys = events.flatMap((recorded) => workers[0]?.keysOf(recorded) ?? [])
      await store.work.ingest({ consumer, tenant, from, to, keys })
    }
  }
  const workOne = async (worker: Allocator, index: number): Promise<number> => {
    const claim = { consumer, worker: `w${index}`, limit: 100, leaseMs: 30_000 }
    const items = await store.work.claim({ ...claim, limit: Math.ceil(100 / workers.length) })
    await Promise.all(
      items.map(async (item) => {
        try {
          const { againInMs } = await worker.reconcile(item)
          await store.work.done(item, againInMs)
        } catch (error) {
          if (!(error instanceof OperatingError)) throw error
          await store.work.failed(item, { problem: error.message, afterMs: 1000 })
        }
      }),
    )
    return items.length
  }
  const workOnce = async (): Promise<number> => {
    await ingest()
    const counts = await Promise.all(workers.map(workOne))
    if (ports.firedNow()) await start()
    return counts.reduce((sum, count) => sum + count, 0)
  }

  const observation = (service: ServiceUid, more: Partial<ServiceObservation> = {}) => {
    order += 1
    return {
      kind: 'service',
      tenant: acme,
      cluster: home,
      watcherEpoch: 1,
      order,
      seenAt: new Date(now + order).toISOString(),
      serviceUid: service,
      namespace: 'default',
      name: `s-${service.slice(-4)}`,
      phase: 'present',
      intent: intentOf(),
      ...more,
    } as const satisfies ServiceObservation
  }
  const deliver = async (...seen: readonly ServiceObservation[]): Promise<void> => {
    const withKeys = seen.map((each) => {
      const keys = workers.map((worker) => worker.keyOf(each)).slice(0, 1)
      return { seen: each, keys }
    })
    await store.observed.store(consumer, withKeys)
  }
  const say = async (
    stream: StreamId,
    said: DomainEvent,
    at: { readonly tenant: TenantId; readonly story: string },
  ): Promise<void> => {
    const events = await store.log.after(at.tenant, 0, 100_000)
    const expectedVersion = events.filter(({ subject }) => subject === stream).length
    await store.log.append({
      tenant: at.tenant,
      commandId: `said/${stream}/${expectedVersion}`,
      events: [{ stream, expectedVersion, event: said }],
      actor: 'test',
      correlationId: at.story,
      causationId: 'test',
    })
  }
  const sayOf = (service: ServiceUid, said: DomainEvent): Promise<void> => {
    const own = said.type === 'LoadBalancerRequested' ? 'lb' : 'status'
    const category = said.type.startsWith('Resource') ? 'resource' : own
    const key = 'key' in said.data ? said.data.key : service
    const name = category === 'resource' ? key : service
    return say(streamOf(category, name), said, { tenant: acme, story: service })
  }

  return {
    store,
    deliver,
    observation,
    see: (service: ServiceUid, more: Partial<ServiceObservation> = {}) =>
      deliver(observation(service, more)),
    sayPool: (said: DomainEvent, name = 'public') =>
      say(streamOf('pool', name), said, { tenant: platformTenant, story: name }),
    sayDriver: (said: DomainEvent, name: string) =>
      say(streamOf('driver', name), said, { tenant: platformTenant, story: name }),
    sayCluster: (said: DomainEvent, id: ClusterId = home) =>
      say(streamOf('cluster', id), said, { tenant: acme, story: id }),
    sayOf,
    /** What provisioner and watcher say at the end of a life. */
    clear: async (service: ServiceUid): Promise<void> => {
      const key = resourceKey.parse(`edge-${service}`)
      await sayOf(service, event('ResourceAbsent', { key, epoch: 1, confirmedBy: ['test'] }))
      await sayOf(service, event('FinalizerRemoved', { objectGone: false }))
    },
    crash: start,
    advance: (ms: number) => (now += ms),
    /** Works until nothing is due for three seconds. */
    settle: async (): Promise<void> => {
      for (let rounds = 0, quiet = 0; quiet < 3 && rounds < 60; rounds += 1) {
        quiet = (await workOnce()) === 0 ? quiet + 1 : 0
        if (quiet > 0) now += 1000
      }
    },
    /** Works on what is due at this very instant. */
    workOnce,
    story: (service: ServiceUid) => store.log.story(acme, service),
    told: async (service: ServiceUid): Promise<readonly string[]> =>
      lbTypes(await store.log.story(acme, service)),
    /** Who holds which address. */
    held: async (): Promise<Readonly<Record<string, string>>> =>
      Object.fromEntries(
        (await store.log.claims('address', '')).flatMap(({ key, holder }) =>
          holder === null ? [] : [[key, holder]],
        ),
      ),
    frontends: async (): Promise<readonly string[]> =>
      (await store.log.claims('frontend', '')).flatMap(({ key, holder }) =>
        holder === null ? [] : [`${key} ${holder.slice(-1)}`],
      ),
    calls: ports.calls,
  }
}

/** A Service is seen, and all that follows is worked off. */
export const sees = async (world: World, ...given: Parameters<World['see']>): Promise<void> => {
  await world.see(...given)
  await world.settle()
}
/** A Service's whole way out. */
export const end = async (world: World, service = web): Promise<void> => {
  await sees(world, service, { phase: 'deleting' })
  await world.clear(service)
  await world.settle()
}

const lbTypes = (story: readonly RecordedEvent[]): readonly string[] =>
  story.filter(({ subject }) => subject.startsWith('lb-')).map(({ type }) => type)

export type { Fault, Store, WorldOptions }
