import type { RecordedEvent } from '@weir/contract'
import {
  backoffMs,
  Bug,
  explainError,
  type BackoffRule,
  type Clock,
  type Ids,
  type Logger,
} from '@weir/kernel'
import { createAlarm } from './alarm.ts'
import type { Lag, SeenWithKeys, Store, WorkItem } from './eventlog.ts'
import { createIntake } from './intake.ts'
import { objectOf } from './newest-seen.ts'
import { createWorkers } from './workers.ts'

export interface ReconcilerOptions {
  /** Names the cursor and the work of this consumer, such as `provisioner`; never changes. */
  readonly consumer: string
  readonly store: Pick<Store, 'log' | 'work' | 'observed'>
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** The keys an event makes dirty; none for an event that does not matter here. Pure. */
  readonly keysOf: (event: RecordedEvent) => readonly string[]
  /**
   * Brings one key to where the log says it should be: reads the present, decides, acts, appends. It
   * may be called again for the same state at any time. Rejecting means failed, to be tried again
   * after `OperatingError.retry.afterMs` or a growing wait; a `Bug` ends `run`.
   */
  readonly reconcile: (item: WorkItem) => Promise<{ readonly againInMs?: number } | void>
  /** Keys worked on at the same time, 16 when left out. */
  readonly concurrency?: number
  /** Longest a reconcile may take before another process may start it too; 10,000. */
  readonly leaseMs?: number
  /** The wait after failures; 200 ms doubling to 5 min. */
  readonly retry?: BackoffRule
  /** Milliseconds between two looks for what the bus did not bring; 1,000. */
  readonly passMs?: number
}

/** The durable, level-triggered loop of a consumer. */
export interface Reconciler {
  /**
   * Takes in events that came over the bus, in any order, with gaps and more than once. Resolves when
   * they are durably taken in, so that the message may be acknowledged; the work goes on by itself.
   * Holds its caller back while too much waits. Rejects, with nothing lost, when the store is away.
   */
  deliver(events: readonly RecordedEvent[]): Promise<void>
  /** Keeps observations and works on the keys of those that changed something. Resolves as `deliver`. */
  observe(seen: readonly SeenWithKeys[]): Promise<void>
  /** Looks at once for what is lagging and due. */
  wake(): void
  /**
   * Works until `signal` aborts, then ends what runs and resolves. Every pass it reads what the bus
   * did not bring and takes up keys that are due. Rejects only with a `Bug`.
   */
  run(signal: AbortSignal): Promise<void>
  health(): ReconcilerHealth
}

/** For metrics and health checks. Counts are since the start. */
export interface ReconcilerHealth {
  /** Keys in work, and keys that wait in memory for a place. */
  readonly active: number
  readonly waiting: number
  /** Tenants and events that the last pass found not taken in. */
  readonly lag: { readonly tenants: number; readonly events: number }
  /** When the last pass ended well, in milliseconds since the epoch; null before the first. */
  readonly lastPassAt: number | null
  readonly counts: {
    readonly done: number
    readonly failed: number
    /** Results that came after the lease had gone to somebody else, or could not be written. */
    readonly lost: number
    readonly ingested: number
    readonly duplicates: number
    /** Times that events had to be read from the log, since the bus lost or reordered them. */
    readonly gapFills: number
  }
}

// How long after its commit an event may take over the bus before the log is asked for it.
const onItsWayMs = 25

export const createReconciler = (options: ReconcilerOptions): Reconciler => {
  const { consumer, store, clock, ids, logger, keysOf, reconcile } = options
  const passMs = options.passMs ?? 1_000
  const alarm = createAlarm(clock)
  const workers = createWorkers({
    consumer,
    worker: ids.uuid(),
    work: store.work,
    clock,
    ids,
    logger,
    concurrency: options.concurrency ?? 16,
    leaseMs: options.leaseMs ?? 10_000,
    retry: options.retry ?? { minMs: 200, maxMs: 300_000 },
    reconcile,
    onDueAt: (at) => alarm.ringBy(at),
  })
  const intake = createIntake({
    consumer,
    store,
    logger,
    keysOf,
    onDirty: (tenant, keys) => workers.want(tenant, keys),
  })
  let lag = { tenants: 0, events: 0 }
  let lastPassAt: number | null = null
  let nextLookAt = -Infinity

  const lookForLag = async (): Promise<void> => {
    const lagging = await missedByTheBus(options)
    lag = { tenants: lagging.length, events: sum(lagging.map(({ head, cursor }) => head - cursor)) }
    // One tenant after the other: each gives its keys to the workers, who hold us back when full.
    for (const one of lagging) {
      await intake.catchUp(one)
      await workers.room()
    }
    nextLookAt = clock.now() + passMs * (0.75 + ids.random() / 2)
  }

  /** One look at everything; gives how long it may be until the next. */
  const pass = async (): Promise<number> => {
    if (clock.now() >= nextLookAt) await lookForLag()
    await workers.claimDue()
    lastPassAt = clock.now()
    return Math.max(nextLookAt - lastPassAt, 0)
  }

  return {
    deliver: async (events) => {
      await Promise.all(
        [...Map.groupBy(events, ({ tenantid }) => tenantid)].map(([tenant, own]) =>
          intake.deliver(tenant, own),
        ),
      )
      await workers.room()
    },
    observe: async (seen) => {
      const changed = new Set((await store.observed.store(consumer, seen)).map(objectOf))
      for (const { seen: one, keys } of seen) {
        if (changed.has(objectOf(one))) workers.want(one.tenant, keys)
      }
      await workers.room()
    },
    wake: () => {
      nextLookAt = -Infinity
      alarm.ring()
    },
    run: async (signal) => {
      let failures = 0
      while (!signal.aborted && workers.fault() === undefined) {
        let restMs: number
        try {
          restMs = await pass()
          failures = 0
        } catch (error) {
          if (error instanceof Bug) throw error
          failures += 1
          restMs = backoffMs({ minMs: 200, maxMs: 5_000 }, failures, ids.random())
          logger.warn(
            { problem: explainError(error), restMs },
            'cannot look for work; trying again',
          )
        }
        await alarm.wait(restMs, signal)
      }
      await workers.stop()
      const fault = workers.fault()
      if (fault !== undefined) throw fault
    },
    health: () => ({
      ...workers.status(),
      lag,
      lastPassAt,
      counts: { ...workers.counts, ...intake.counts },
    }),
  }
}

/** What still lags after a moment: the rest was merely on its way, and arrived. */
const missedByTheBus = async ({
  consumer,
  store,
  clock,
}: ReconcilerOptions): Promise<readonly Lag[]> => {
  const before = await store.work.lagging(consumer)
  if (before.length === 0) return []
  await clock.sleep(onItsWayMs)
  const heads = new Map(before.map(({ tenant, head }) => [tenant, head]))
  const after = await store.work.lagging(consumer)
  return after.filter(({ tenant, cursor }) => cursor < (heads.get(tenant) ?? 0))
}

const sum = (numbers: readonly number[]): number =>
  numbers.reduce((total, number) => total + number, 0)
