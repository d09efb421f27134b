import type { TenantId } from '@weir/contract'
import {
  backoffMs,
  Bug,
  explainError,
  OperatingError,
  type BackoffRule,
  type Clock,
  type Ids,
  type Logger,
} from '@weir/kernel'
import type { WorkItem, WorkQueue } from './eventlog.ts'

/** Works on claimed keys, several at a time and each key once at a time in this process. */
export interface Workers {
  /** The fast path: claims exactly these keys as soon as there is room, and works on them. */
  want(tenant: TenantId, keys: readonly string[]): void
  /**
   * Claims whatever is due and works on it. Two places are kept for it beyond `concurrency`, so that
   * no stream of wanted keys starves what waits in the store.
   */
  claimDue(): Promise<void>
  /** Resolves when fewer keys wait in memory than may. */
  room(): Promise<void>
  /** Takes no more work, and resolves when what runs has ended. */
  stop(): Promise<void>
  /** The invariant that was broken while working, if one was. */
  fault(): Bug | undefined
  status(): { readonly active: number; readonly waiting: number }
  readonly counts: { done: number; failed: number; lost: number }
}

export interface WorkersOptions {
  readonly consumer: string
  readonly worker: string
  readonly work: WorkQueue
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly concurrency: number
  readonly leaseMs: number
  readonly retry: BackoffRule
  readonly reconcile: (item: WorkItem) => Promise<{ readonly againInMs?: number } | void>
  /** Something may be due at this instant; -Infinity means now. */
  readonly onDueAt: (at: number) => void
}

// A key that somebody else holds is looked at again after this, in case they leave it dirty.
const heldElsewhereMs = 50
const settleAttempts = 6

/** A key that is being claimed or worked on here. */
interface InHand {
  /** It was wanted again meanwhile. */
  again: boolean
  /** A claim of it that came by another way, such as after our own lease had run out. */
  next: WorkItem | undefined
}

const nameOf = ({ tenant, key }: Pick<WorkItem, 'tenant' | 'key'>): string => `${tenant} ${key}`

export const createWorkers = (options: WorkersOptions): Workers => {
  const { consumer, worker, work, clock, logger, concurrency, leaseMs, onDueAt } = options
  const wanted = new Map<TenantId, Set<string>>()
  const inHand = new Map<string, InHand>()
  const waiters: (() => void)[] = []
  const idle: (() => void)[] = []
  const counts = { done: 0, failed: 0, lost: 0 }
  let busy = 0
  let waiting = 0
  /** The last look at what is due found more than there was room for. */
  let moreDue = false
  let stopped = false
  let broken: Bug | undefined

  const settle = settling(options, counts)

  const leave = (places: number): void => {
    busy -= places
    if (waiting < concurrency * 4) for (const admit of waiters.splice(0)) admit()
    pump()
    if (moreDue) onDueAt(-Infinity)
    if (busy === 0) for (const rest of idle.splice(0)) rest()
  }

  const workOn = async (item: WorkItem): Promise<void> => {
    try {
      onDueAt(await settle(item))
    } catch (error) {
      const about = `work on ${nameOf(item)}: ${explainError(error)}`
      broken ??= error instanceof Bug ? error : new Bug(about)
      onDueAt(-Infinity)
    }
    letGoOf(item)
    leave(1)
  }

  /** The key may be taken up again, and is if there is a reason to. */
  const letGoOf = (at: Pick<WorkItem, 'tenant' | 'key'>): void => {
    const state = inHand.get(nameOf(at))
    inHand.delete(nameOf(at))
    if (state?.next !== undefined) {
      busy += 1
      inHand.set(nameOf(at), { again: false, next: undefined })
      void workOn(state.next)
    } else if (state?.again === true) want(at.tenant, [at.key])
  }

  /** Claims these keys into places that are already counted as busy, and gives back the rest. */
  const claimWanted = async (tenant: TenantId, keys: readonly string[]): Promise<void> => {
    let items: readonly WorkItem[] = []
    try {
      items = await work.claim({ consumer, worker, limit: keys.length, leaseMs, tenant, keys })
    } catch (error) {
      // The keys are durably dirty: the next pass finds them.
      logger.warn({ tenant, problem: explainError(error) }, 'cannot claim work; it is tried again')
    }
    const got = new Set(items.map(({ key }) => key))
    for (const item of items) void workOn(item)
    for (const key of keys) if (!got.has(key)) letGoOf({ tenant, key })
    if (got.size < keys.length) onDueAt(clock.now() + heldElsewhereMs)
    leave(keys.length - got.size)
  }

  const pump = (): void => {
    if (stopped || broken !== undefined) return
    for (const [tenant, keys] of takeInTurn(wanted, concurrency - busy)) {
      waiting -= keys.length
      const free = keys.filter((key) => {
        const state = inHand.get(nameOf({ tenant, key }))
        if (state !== undefined) state.again = true
        return state === undefined
      })
      for (const key of free) inHand.set(nameOf({ tenant, key }), { again: false, next: undefined })
      busy += free.length
      if (free.length > 0) void claimWanted(tenant, free)
    }
  }

  const want = (tenant: TenantId, keys: readonly string[]): void => {
    const set = wanted.get(tenant) ?? new Set()
    const before = set.size
    for (const key of keys) set.add(key)
    if (set.size > 0) wanted.set(tenant, set)
    waiting += set.size - before
    pump()
  }

  return {
    want,
    claimDue: async () => {
      const limit = concurrency + 2 - busy
      if (stopped || broken !== undefined || limit <= 0) return
      busy += limit
      let items: readonly WorkItem[] = []
      try {
        items = await work.claim({ consumer, worker, limit, leaseMs })
        moreDue = items.length === limit
      } finally {
        for (const item of items) {
          const state = inHand.get(nameOf(item))
          if (state === undefined) {
            inHand.set(nameOf(item), { again: false, next: undefined })
            void workOn(item)
          } else {
            state.next = item
            leave(1)
          }
        }
        leave(limit - items.length)
      }
    },
    room: async () => {
      if (waiting >= concurrency * 4 && !stopped && broken === undefined) {
        await new Promise<void>((admit) => waiters.push(admit))
      }
    },
    stop: async () => {
      stopped = true
      for (const admit of waiters.splice(0)) admit()
      if (busy > 0) await new Promise<void>((rest) => idle.push(rest))
    },
    fault: () => broken,
    status: () => ({ active: inHand.size, waiting }),
    counts,
  }
}

/** Takes up to `limit` keys, one of each tenant after the other. */
const takeInTurn = (
  wanted: Map<TenantId, Set<string>>,
  limit: number,
): ReadonlyMap<TenantId, readonly string[]> => {
  const chosen = new Map<TenantId, string[]>()
  let left = limit
  while (left > 0 && wanted.size > 0) {
    for (const [tenant, keys] of wanted) {
      const [key] = keys
      if (left === 0) break
      if (key !== undefined) {
        keys.delete(key)
        chosen.set(tenant, [...(chosen.get(tenant) ?? []), key])
        left -= 1
      }
      if (keys.size === 0) wanted.delete(tenant)
    }
  }
  return chosen
}

/** Reconciles an item and settles it; gives the instant it comes back, Infinity for never. */
const settling = (
  options: WorkersOptions,
  counts: Workers['counts'],
): ((item: WorkItem) => Promise<number>) => {
  const { work, clock, ids, logger, retry, reconcile } = options

  const attempt = async (item: WorkItem): Promise<{ afterMs?: number; problem?: string }> => {
    try {
      const result = await reconcile(item)
      return result?.againInMs === undefined ? {} : { afterMs: result.againInMs }
    } catch (error) {
      if (error instanceof Bug) throw error
      const named = error instanceof OperatingError ? error.retry?.afterMs : undefined
      const afterMs = named ?? backoffMs(retry, item.attempts + 1, ids.random())
      return { afterMs, problem: explainError(error) }
    }
  }

  const record = async (item: WorkItem, end: Awaited<ReturnType<typeof attempt>>) =>
    end.problem === undefined
      ? work.done(item, end.afterMs)
      : work.failed(item, { problem: end.problem, afterMs: end.afterMs ?? retry.minMs })

  return async (item) => {
    const { tenant, key } = item
    const end = await attempt(item)
    if (end.problem === undefined) counts.done += 1
    else {
      counts.failed += 1
      const attempts = item.attempts + 1
      const { problem, afterMs } = end
      logger.warn({ tenant, key, attempts, problem, afterMs }, 'work failed; it comes back')
    }
    for (let tries = 1; tries <= settleAttempts; tries += 1) {
      try {
        if (!(await record(item, end))) counts.lost += 1
        return end.afterMs === undefined ? Infinity : clock.now() + end.afterMs
      } catch (error) {
        if (error instanceof Bug) throw error
        logger.warn({ tenant, key, problem: explainError(error) }, 'cannot settle work')
        await clock.sleep(backoffMs({ minMs: 100, maxMs: 2_000 }, tries, ids.random()))
      }
    }
    // The lease runs out and the key comes back by itself, in whichever process.
    counts.lost += 1
    return Infinity
  }
}
