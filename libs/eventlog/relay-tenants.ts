import type { RecordedEvent, TenantId } from '@weir/contract'
import { Bug, createKeyedQueue, explainError, type Clock, type Logger } from '@weir/kernel'
import type { Lag, Store } from './eventlog.ts'

/** The tenants a relay carries: for each, how far it is published and how far the cursor knows. */
export interface RelayTenants {
  /** There is something new; nothing to do when all up to `upTo` is known here. */
  wake(tenant: TenantId, upTo?: number): void
  offer(tenant: TenantId, events: readonly RecordedEvent[]): void
  /** What a look at the heads found; gives how many events are not published yet. */
  lookAt(lag: Lag): number
  /** Drops what is known of the tenants that `isGone` names. */
  forget(isGone: (tenant: TenantId) => boolean): void
  /** The invariant that was broken while carrying, if one was. */
  fault(): Bug | undefined
  /** Resolves when nothing is on its way and every cursor is where it should be. */
  idle(): Promise<void>
  readonly counts: { published: number; reads: number; failures: number }
}

export interface RelayTenantsOptions {
  readonly store: Pick<Store, 'log' | 'work'>
  readonly publish: (events: readonly RecordedEvent[]) => Promise<void>
  readonly clock: Clock
  readonly logger: Logger
  readonly carries: (tenant: TenantId) => boolean
}

interface Carried {
  /** The newest sequence the bus has; undefined until the cursor was asked. */
  published: number | undefined
  /** The newest sequence given to the bus, whether it has it yet or not. */
  sent: number
  /** Where the cursor row stands. */
  cursor: number
  /** Events handed over by an append of this process, by sequence. */
  readonly offered: Map<number, RecordedEvent>
  /** Something may be new since the last look. */
  woken: boolean
}

const pageSize = 500
const concurrency = 32
/** Cursors follow this much later, many publishes in one update, off the way of the events. */
const cursorDelayMs = 100

export const createRelayTenants = (options: RelayTenantsOptions): RelayTenants => {
  const { store, publish, clock, logger, carries } = options
  const carried = new Map<TenantId, Carried>()
  const lanes = createKeyedQueue(concurrency)
  const cursors = createKeyedQueue(4)
  const counts = { published: 0, reads: 0, failures: 0 }
  let broken: Bug | undefined

  const stateOf = (tenant: TenantId): Carried => {
    const known = carried.get(tenant)
    if (known !== undefined) return known
    const fresh = { published: undefined, sent: 0, cursor: 0, offered: new Map(), woken: false }
    carried.set(tenant, fresh)
    return fresh
  }

  const advance = async (tenant: TenantId, to: number): Promise<number> => {
    const from = stateOf(tenant).cursor
    const answer = await store.work.ingest({ consumer: 'relay', tenant, from, to, keys: [] })
    // The compare-and-set is the fence: a holder that lost its shard cannot move a cursor back, and
    // what it moves it over it has published.
    return answer.status === 'advanced' ? to : answer.cursor
  }

  const following = new Map<TenantId, Promise<void>>()
  const startFollowUp = (tenant: TenantId): void => {
    if (following.has(tenant)) return
    following.set(tenant, followUp(tenant))
  }
  const followUp = async (tenant: TenantId): Promise<void> => {
    await clock.sleep(cursorDelayMs)
    following.delete(tenant)
    try {
      await cursors.run(tenant, () => moveCursor(tenant))
    } catch (error) {
      // Were it never moved, the next holder would publish again what the bus has.
      logger.warn({ tenant, problem: explainError(error) }, 'cursor of the relay stays behind')
    }
  }
  const moveCursor = async (tenant: TenantId): Promise<void> => {
    const state = stateOf(tenant)
    for (let tries = 0; tries < 3 && state.cursor < (state.published ?? 0); tries += 1) {
      state.cursor = await advance(tenant, state.published ?? 0)
    }
  }

  /** What comes after `from`: from the offers when they go on there, else from the log. */
  const next = async (
    tenant: TenantId,
    state: Carried,
    from: number,
  ): Promise<readonly RecordedEvent[]> => {
    const page = takeOffers(state.offered, from)
    if (page.length > 0) return page
    counts.reads += 1
    return store.log.after(tenant, from, pageSize)
  }

  const carry = async (tenant: TenantId): Promise<void> => {
    const state = stateOf(tenant)
    while (state.woken && carries(tenant)) {
      state.woken = false
      // Moving the cursor from 0 to 0 changes nothing and tells where it stands.
      state.published ??= state.cursor = await advance(tenant, 0)
      let page = await next(tenant, state, state.published)
      while (page.length > 0 && carries(tenant)) {
        const last: number = page.at(-1)?.sequence ?? state.published
        // The next page is read while this one is on its way.
        const ahead = page.length === pageSize ? next(tenant, state, last) : undefined
        ahead?.catch(() => undefined)
        state.sent = last
        await publish(page)
        counts.published += page.length
        state.published = last
        startFollowUp(tenant)
        page = (await ahead) ?? takeOffers(state.offered, last)
      }
    }
  }

  const wake = (tenant: TenantId, upTo = Infinity): void => {
    const state = stateOf(tenant)
    // The hint of an append comes to the process that offered its events, too.
    if (state.woken || state.sent >= upTo) return
    state.woken = true
    void lanes
      .run(tenant, () => carry(tenant))
      .catch((error: unknown) => {
        // The next look at the heads finds it again.
        counts.failures += 1
        state.woken = false
        state.sent = 0
        if (error instanceof Bug) broken ??= error
        logger.warn({ tenant, problem: explainError(error) }, 'relay cannot publish; trying again')
      })
  }

  return {
    counts,
    fault: () => broken,
    wake,
    offer: (tenant, events) => {
      const { offered } = stateOf(tenant)
      for (const event of events) if (offered.size < pageSize) offered.set(event.sequence, event)
      wake(tenant)
    },
    lookAt: ({ tenant, cursor, head }) => {
      const state = stateOf(tenant)
      if (state.published === undefined) state.published = state.cursor = cursor
      const { published } = state
      if (head > published) wake(tenant)
      else if (state.cursor < published) startFollowUp(tenant)
      return Math.max(head - published, 0)
    },
    forget: (isGone) => {
      for (const tenant of carried.keys()) if (isGone(tenant)) carried.delete(tenant)
    },
    idle: async () => {
      await lanes.idle()
      await Promise.all(following.values())
      await cursors.idle()
    },
  }
}

/** Takes the offered events that follow `from` without a gap, and drops those it has passed. */
const takeOffers = (
  offered: Map<number, RecordedEvent>,
  from: number,
): readonly RecordedEvent[] => {
  const page: RecordedEvent[] = []
  for (let at = from + 1; ; at += 1) {
    const event = offered.get(at)
    if (event === undefined) break
    page.push(event)
  }
  for (const sequence of offered.keys()) {
    if (sequence <= from + page.length) offered.delete(sequence)
  }
  return page
}
