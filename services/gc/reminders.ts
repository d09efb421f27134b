// What a life that is over left in our own house belongs to the service that owns it: rows to the allocator,
// finalizers to the watcher. gc finds it and has its owner look again; the owner decides by its own truth, so a
// gc that is wrong changes nothing.
import { platformTenant, strayWork, type TenantId } from '@weir/contract'
import {
  cleanupStory,
  finalizerPatienceMs,
  findLeftFinalizers,
  findStrayClaims,
  foldCleanup,
  type LogFollower,
} from '@weir/drivers'
import type { Store } from '@weir/eventlog'
import { explainError, OperatingError, type Clock, type Logger } from '@weir/kernel'
import { collectorName } from './record.ts'

export interface ReminderPorts {
  readonly store: Pick<Store, 'log' | 'leases' | 'work'>
  readonly follower: LogFollower
  readonly clock: Clock
  readonly logger: Logger
  /** Names this process in the lease row. */
  readonly holder: string
  /** Between two looks. */
  readonly everyMs: number
  /** Told after each look what is left, for metrics. */
  readonly onLook?: (left: Left) => void
  /** Reports only, whatever was approved. */
  readonly observeOnly?: boolean
}

/** How much of lives that are over is left in our own house. */
export interface Left {
  readonly rows: number
  readonly finalizers: number
}

export interface Reminders {
  /** Finds what is left and has each owner look again; how many keys it marked. */
  remind(): Promise<number>
  /** Again and again until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
}

/** A key of somebody's work. */
interface Ask {
  readonly consumer: 'allocator' | 'watcher'
  readonly tenant: TenantId
  readonly key: string
}

const lease = `${collectorName}-reminders`
/** Whatever an owner could not mend is asked for less and less often, up to this apart. */
const mostApartMs = 6 * 3_600_000

export const createReminders = (ports: ReminderPorts): Reminders => {
  const { store, follower, clock, logger, holder, everyMs } = ports
  /** When each was asked for last, and how long it is left alone from then. */
  const asked = new Map<string, { readonly at: number; readonly apartMs: number }>()

  const isDue = (ask: Ask): boolean => {
    const known = asked.get(nameOf(ask))
    return known === undefined || clock.now() - known.at >= known.apartMs
  }
  const note = (ask: Ask): void => {
    const before = asked.get(nameOf(ask))?.apartMs ?? everyMs / 2
    asked.set(nameOf(ask), { at: clock.now(), apartMs: Math.min(before * 2, mostApartMs) })
  }
  const remind = async (): Promise<number> => {
    if ((await store.leases.take(lease, holder, everyMs * 3)) === undefined) {
      // Whoever looks tells of it; what this process saw is old.
      ports.onLook?.({ rows: 0, finalizers: 0 })
      return 0
    }
    // A log that was not read to its end may not tell of a life that goes on.
    if ((await follower.catchUp()) !== undefined) return 0
    const left = await findLeft(ports)
    ports.onLook?.({
      rows: left.filter(({ consumer }) => consumer === 'allocator').length,
      finalizers: left.filter(({ consumer }) => consumer === 'watcher').length,
    })
    const rules = foldCleanup(await store.log.story(platformTenant, cleanupStory))
    if (rules.mode === 'observe' || ports.observeOnly === true) return 0
    const names = new Set(left.map(nameOf))
    for (const name of asked.keys()) if (!names.has(name)) asked.delete(name)
    const due = left.filter((ask) => !rules.paused.has(ask.tenant) && isDue(ask))
    for (const [owner, asks] of Map.groupBy(due, (ask) => `${ask.consumer} ${ask.tenant}`)) {
      const [first] = asks
      if (first === undefined) continue
      const keys = asks.map(({ key }) => key)
      await store.work.mark(first.consumer, first.tenant, keys)
      for (const ask of asks) note(ask)
      logger.info({ owner, keys: keys.slice(0, 10), of: keys.length }, 'asked to look again')
    }
    return due.length
  }
  return {
    remind,
    run: async (signal) => {
      while (!signal.aborted) {
        await clock.sleep(everyMs, signal)
        if (signal.aborted) return
        try {
          await remind()
        } catch (error) {
          if (!(error instanceof OperatingError)) throw error
          logger.warn({ problem: explainError(error) }, 'cannot look for what lives left behind')
        }
      }
    },
  }
}

const findLeft = async ({ store: { log }, follower }: ReminderPorts): Promise<readonly Ask[]> => {
  const rows = await findStrayClaims(log, follower)
  const finalizers = await findLeftFinalizers(log, follower, finalizerPatienceMs)
  return [
    ...rows.map((row) => ({
      consumer: 'allocator' as const,
      tenant: row.tenant,
      key: strayWork(row),
    })),
    ...finalizers.map(({ tenant, service }) => ({
      consumer: 'watcher' as const,
      tenant,
      key: service,
    })),
  ]
}

const nameOf = ({ consumer, tenant, key }: Ask): string => `${consumer} ${tenant} ${key}`
