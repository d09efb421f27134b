// A collector on twins in memory, for tests: one Service's story, a provider, a clock that tests move.
import {
  driverName,
  event,
  intentHash,
  platformTenant,
  streamOf,
  type DomainEvent,
  type DriverName,
  type StreamId,
} from '@weir/contract'
import {
  cleanupStory,
  createLogFollower,
  createMemoryDriver,
  type Driver,
  type MemoryDriver,
} from '@weir/drivers'
import { createMemoryStore, type Store } from '@weir/eventlog'
import { silentLogger, systemIds, type Clock } from '@weir/kernel'
import type { Rules } from './domain/decide.ts'
import { createCollector, type Collector, type Cycle } from './handle.ts'
import { desired, installation, intent } from './sample.ts'

export const edge = driverName.parse('edge')
const { tenant, cluster, service, key, epoch } = desired.marks

export const requested = event('LoadBalancerRequested', {
  cluster,
  serviceUid: service,
  namespace: 'default',
  name: 'web',
  driver: desired.driver,
  intent,
  intentHash: intentHash(intent),
})
export const intended = event('ResourceIntended', {
  key,
  epoch,
  generation: 1,
  driver: desired.driver,
  externalName: key,
  desired,
})
export const released = event('ReleaseRequested', { reason: 'service-deleted' })
export const over = event('FrontendsReleased', {
  leases: [],
  frontends: [],
  quarantineUntil: null,
})
export const absent = event('ResourceAbsent', { key, epoch: 1, confirmedBy: ['edge'] })

const rules: Rules = {
  settleMs: 0,
  graceMs: 60_000,
  atMost: 20,
  atMostShare: 0.1,
  breakerAtLeast: 20,
  breakerShare: 0.3,
}

export interface WorldOptions {
  readonly approved?: boolean
  readonly rules?: Partial<Rules>
  /** Changes what the collector is given. */
  readonly driver?: (driver: MemoryDriver) => Driver
  readonly store?: (store: Store) => Store
}

export interface World {
  readonly store: Store
  readonly driver: MemoryDriver
  /** A collector of a process of its own, that knows nothing of the others. */
  collectorOf(holder: string, options?: WorldOptions): Collector
  say(...events: readonly DomainEvent[]): Promise<void>
  /** Three quarters of a minute go by. */
  pass(ms?: number): void
  /** Scans until `count` have passed, some time apart; what each did. */
  scans(count: number, collector?: Collector): Promise<readonly Cycle[]>
  /** `ACTOR TYPE` of the resource's stream. */
  told(): Promise<readonly string[]>
  exists(): number
}

export const createWorld = async (options: WorldOptions = {}): Promise<World> => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const clock: Clock = {
    now: () => now,
    sleep: async (ms) => {
      now += ms
    },
  }
  const store = createMemoryStore({ clock, ids: systemIds })
  const driver = createMemoryDriver({ name: 'edge', installation })

  const say: World['say'] = async (...events) => {
    for (const one of events) await sayOne(store, one)
  }
  const collectorOf: World['collectorOf'] = (holder, over = options) => {
    const given = over.driver?.(driver) ?? driver
    return createCollector({
      store: over.store?.(store) ?? store,
      drivers: new Map<DriverName, Driver>([[edge, given]]),
      follower: createLogFollower(store.log),
      installation,
      clock,
      logger: silentLogger,
      holder,
      intervalMs: 30_000,
      apartMs: 10_000,
      rules: { ...rules, ...over.rules },
    })
  }
  const usual = collectorOf('first')
  if (options.approved !== false) await say(event('CleanupApproved', {}))
  return {
    store,
    driver,
    collectorOf,
    say,
    pass: (ms = 45_000) => void (now += ms),
    scans: async (count, collector = usual) => {
      const cycles: Cycle[] = []
      for (let scan = 0; scan < count; scan += 1) {
        now += 45_000
        cycles.push(...(await collector.cycle()))
      }
      return cycles
    },
    told: async () =>
      (await store.log.story(tenant, service))
        .filter(({ subject }) => subject.startsWith('resource-'))
        .map(({ type, actor }) => `${actor} ${type}`),
    exists: () => driver.provider.world().length,
  }
}

/** Enough scans for an orphan: condemned, due, deleted, absent once, absent twice. */
export const enough = 6

const placeOf = (one: DomainEvent): { stream: StreamId; actor: string } => {
  if (one.type.startsWith('Cleanup')) return { stream: streamOf('cleanup', 'all'), actor: 'api' }
  if (/^(Resource|Orphan)/.test(one.type)) {
    const of = 'key' in one.data ? one.data.key : key
    return { stream: streamOf('resource', of), actor: 'provisioner' }
  }
  return { stream: streamOf('lb', service), actor: 'allocator' }
}

const sayOne = async (store: Store, one: DomainEvent): Promise<void> => {
  const { stream, actor } = placeOf(one)
  const at = actor === 'api' ? platformTenant : tenant
  const correlationId = actor === 'api' ? cleanupStory : service
  const story = await store.log.story(at, correlationId)
  const expectedVersion = story.filter(({ subject }) => subject === stream).length
  await store.log.append({
    tenant: at,
    commandId: `said/${stream}/${expectedVersion}`,
    events: [{ stream, expectedVersion, event: one }],
    actor,
    correlationId,
    causationId: 'test',
  })
}
