import type { RecordedEvent, TenantId } from '@weir/contract'
import type { Logger } from '@weir/kernel'
import { createBatching } from './batching.ts'
import type { Lag, Store } from './eventlog.ts'

/** Takes a consumer's events in: once each and in order, whatever the bus did to them. */
export interface Intake {
  /** Resolves when everything up to the newest of these events of one tenant is durably taken in. */
  deliver(tenant: TenantId, events: readonly RecordedEvent[]): Promise<void>
  /** Reads what a tenant's log has and this consumer has not taken in. */
  catchUp(lag: Lag): Promise<void>
  /** Counts since the start, for metrics. */
  readonly counts: { duplicates: number; gapFills: number; ingested: number }
}

export interface IntakeOptions {
  readonly consumer: string
  readonly store: Pick<Store, 'log' | 'work'>
  readonly logger: Logger
  readonly keysOf: (event: RecordedEvent) => readonly string[]
  /** Called with keys that are durably dirty now. */
  readonly onDirty: (tenant: TenantId, keys: readonly string[]) => void
}

const pageSize = 500
/** Events that make no work are not more than this many ahead of the cursor. */
const idleMost = 1_000

/** What is handed in at a time: events off the bus, and how far the log is known to reach. */
interface Arrival {
  readonly events: readonly RecordedEvent[]
  readonly upTo: number
}

/** Events that follow one another, and where they are from. */
interface Run {
  readonly events: readonly RecordedEvent[]
  readonly overBus: boolean
}

export const createIntake = (options: IntakeOptions): Intake => {
  const { consumer, store, logger, keysOf, onDirty } = options
  // Where each cursor stands as far as we know: a hint that `behind` corrects.
  const hints = new Map<TenantId, number>()
  // How far past its cursor each tenant was looked at on the bus without finding work. The cursor moves
  // over these with the next event that makes some, or with the next catch-up, which reads them in the
  // log: the bus may tell of what a restored log does not have.
  const idleTo = new Map<TenantId, number>()
  const lookedTo = (tenant: TenantId): number | undefined => {
    const cursor = hints.get(tenant)
    return cursor === undefined ? undefined : Math.max(cursor, idleTo.get(tenant) ?? 0)
  }
  const counts = { duplicates: 0, gapFills: 0, ingested: 0 }

  /** Takes in events that follow one another; false when they cannot follow what is there. */
  const ingest = async (tenant: TenantId, run: Run): Promise<boolean> => {
    const { events } = run
    const to = events.at(-1)?.sequence ?? 0
    const keys = [...new Set(events.flatMap(keysOf))]
    // What was looked at before goes along: these follow it.
    const from = Math.min(hints.get(tenant) ?? Infinity, to - events.length)
    if (run.overBus && keys.length === 0 && hints.has(tenant) && to - from <= idleMost) {
      idleTo.set(tenant, to)
      return true
    }
    const answer = await store.work.ingest({ consumer, tenant, from, to, keys })
    if (answer.status === 'advanced') {
      hints.set(tenant, to)
      idleTo.delete(tenant)
      counts.ingested += to - from
      onDirty(tenant, keys)
      return true
    }
    hints.set(tenant, answer.cursor)
    idleTo.delete(tenant)
    return answer.cursor !== from
  }

  const takeIn = async (tenant: TenantId, arrivals: readonly Arrival[]): Promise<void> => {
    const upTo = Math.max(...arrivals.map((arrival) => arrival.upTo))
    const pending = inOrder(arrivals.flatMap(({ events }) => events))
    if (arrivals.some(({ events }) => events.length === 0)) idleTo.delete(tenant)
    for (;;) {
      const cursor = lookedTo(tenant) ?? (pending[0]?.sequence ?? 1) - 1
      if (cursor >= upTo) break
      const direct = followers(pending, cursor)
      const overBus = direct.length > 0
      const events = overBus ? direct : await store.log.after(tenant, cursor, pageSize)
      if (!overBus) counts.gapFills += 1
      if (events.length === 0 || !(await ingest(tenant, { events, overBus }))) {
        // Only a log that was restored without its newest events can know less than the bus.
        logger.warn({ tenant, cursor, upTo }, 'the bus tells of events that the log does not have')
        break
      }
    }
  }

  // While a tenant's ingest is on its way, what arrives for it waits and goes along with the next.
  const batching = createBatching<Arrival, void>({
    send: async (lane, arrivals) => {
      await takeIn(lane as TenantId, arrivals)
      return arrivals.map(() => undefined)
    },
    touches: () => [],
    weight: ({ events }) => 1 + events.length,
    room: 2_000,
    mayDivide: () => false,
  })

  return {
    counts,
    deliver: async (tenant, events) => {
      const known = lookedTo(tenant) ?? 0
      const fresh = events.filter(({ sequence }) => sequence > known)
      counts.duplicates += events.length - fresh.length
      if (fresh.length === 0) return
      const upTo = Math.max(...fresh.map(({ sequence }) => sequence))
      await batching.run(tenant, { events: fresh, upTo })
    },
    catchUp: async ({ tenant, cursor, head }) => {
      hints.set(tenant, Math.max(hints.get(tenant) ?? 0, cursor))
      await batching.run(tenant, { events: [], upTo: head })
    },
  }
}

/** Each event once, by sequence. */
const inOrder = (events: readonly RecordedEvent[]): readonly RecordedEvent[] =>
  [...new Map(events.map((event) => [event.sequence, event])).values()].sort(
    (a, b) => a.sequence - b.sequence,
  )

/** The events that follow `cursor` without a gap. */
const followers = (ordered: readonly RecordedEvent[], cursor: number): readonly RecordedEvent[] => {
  const start = ordered.findIndex(({ sequence }) => sequence === cursor + 1)
  if (start < 0) return []
  const rest = ordered.slice(start)
  const gap = rest.findIndex(({ sequence }, index) => sequence !== cursor + 1 + index)
  return gap < 0 ? rest : rest.slice(0, gap)
}
