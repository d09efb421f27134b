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

/** A key that is worked on here. */
interface InWork {
  /** It was wanted again meanwhile. */
  again: boolean
  /** A later claim of it. */
  next: WorkItem | undefined
}

export const createWorkers = (options: WorkersOptions): Workers => {
  const { consumer, worker, work, clock, logger, concurrency, leaseMs, onDueAt } = options
  const wanted = new Map<TenantId, Set<string>>()
  const active = new Map<string, InWork>()
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
    const name = `${item.tenant} ${item.key}`
    const running = active.get(name)
    if (running !== undefined) {
      // Our own lease ran out while we worked, and we took the key again: it is next.
      running.next = item
      return leave(1)
    }
    const state: InWork = { again: false, next: undefined }
    active.set(name, state)
    try {
      onDueAt(await settle(item))
    } catch (error) {
      broken ??= error instanceof Bug ? error : new Bug(`work on ${name}: ${explainError(error)}`)
      onDueAt(-Infinity)
    }
    active.delete(name)
    if (state.next !== undefined) {
      busy += 1
      void workOn(state.next)
    } else if (state.again) want(item.tenant, [item.key])
    leave(1)
  }

  /** Claims into places that are already counted as busy, and gives back those it cannot fill. */
  const claim = async (
    limit: number,
    only?: { readonly tenant: TenantId; readonly keys: readonly string[] },
  ): Promise<number> => {
    let items: readonly WorkItem[] = []
    try {
      items = await work.claim({ consumer, worker, limit, leaseMs, ...only })
      for (const item of items) void workOn(item)
      return items.length
    } finally {
      leave(limit - items.length)
    }
  }

  const claimWanted = async (tenant: TenantId, keys: readonly string[]): Promise<void> => {
    try {
      const got = await claim(keys.length, { tenant, keys })
      if (got < keys.length) onDueAt(clock.now() + heldElsewhereMs)
    } catch (error) {
      // The keys are durably dirty: the next pass finds them.
      logger.warn({ tenant, problem: explainError(error) }, 'cannot claim work; it is tried again')
    }
  }

  const pump = (): void => {
    if (stopped || broken !== undefined) return
    const chosen = takeInTurn(wanted, concurrency - busy)
    for (const [tenant, keys] of chosen) {
      busy += keys.length
      waiting -= keys.length
      void claimWanted(tenant, keys)
    }
  }

  const want = (tenant: TenantId, keys: readonly string[]): void => {
    for (const key of keys) {
      const running = active.get(`${tenant} ${key}`)
      if (running !== undefined) running.again = true
      else {
        const set = wanted.get(tenant) ?? new Set()
        wanted.set(tenant, set)
        if (!set.has(key)) waiting += 1
        set.add(key)
      }
    }
    pump()
  }

  return {
    want,
    claimDue: async () => {
      const limit = concurrency + 2 - busy
      if (stopped || broken !== undefined || limit <= 0) return
      busy += limit
      moreDue = (await claim(limit)) === limit
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
    status: () => ({ active: active.size, waiting }),
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
