// How much of a provider account's rate each tenant may use. A bucket of tokens bounds the rate; who gets
// the next token is decided by start-time fair queueing (Goyal, Vin, Cheng 1996), adapted to callers that
// are never kept waiting: whoever is denied is told when to come back, and a token is kept for it until a
// little after that. Each grant moves a tenant's tag on by one; a token goes to the tenant with the least
// tag among those who wait. So a tenant that asks a hundred times as often has its own tag run ahead.
// What has begun is let go on, in debt if need be: were every call to wait for its own token, many things
// would be half done at once and all be late, and reads that are cut off would begin again for ever.
import { assert, OperatingError, type Clock } from '@weir/kernel'

export type CallKind = 'read' | 'write'

/** Calls per second in the long run, and how many may come at once after a pause; at least one. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export type Grant =
  | { readonly granted: true }
  /** Ask again then, not before: the place in the queue is kept until shortly after. */
  | { readonly granted: false; readonly retryMs: number }

/**
 * The rates of one provider account, shared fairly among tenants. One process knows only its own calls:
 * of `n` processes that use an account, each takes an n-th of its rates.
 */
export interface Budget {
  /** Takes one call from the budget of this kind, or says when to ask again. Never waits. */
  ask(tenant: string, kind: CallKind): Grant
  /**
   * As `ask`, for what goes on with something that was granted: it needs no token, and whoever asks next
   * waits until the debt is paid. Denied only while the provider throttles, and to changes that owe more
   * than a usual load balancer takes; reads may owe what they need, since half of them teach nothing.
   */
  goOn(tenant: string, kind: CallKind): Grant
  /** The provider said that it was too much: grants nothing of this kind for so long. */
  hold(kind: CallKind, forMs: number): void
}

export interface BudgetOptions {
  readonly clock: Pick<Clock, 'now'>
  readonly read: Rate
  readonly write: Rate
}

/** Budgets by account, so that all drivers with the same credentials share one. */
export const createBudgets = (options: BudgetOptions): ((account: string) => Budget) => {
  const budgets = new Map<string, Budget>()
  return (account) => {
    const budget = budgets.get(account) ?? createBudget(options)
    budgets.set(account, budget)
    return budget
  }
}

export const createBudget = ({ clock, read, write }: BudgetOptions): Budget => {
  const shares = {
    read: createShare({ ...read, mostDebt: Infinity }, clock),
    write: createShare({ ...write, mostDebt: mostOwedChanges }, clock),
  }
  return {
    ask: (tenant, kind) => shares[kind].ask(tenant),
    goOn: (tenant, kind) => shares[kind].goOn(tenant),
    hold: (kind, forMs) => shares[kind].hold(forMs),
  }
}

/** Our own share of an account's rate is used up. Nothing failed and nobody was asked: a wait. */
export class RateUsedUp extends OperatingError {
  readonly afterMs: number
  constructor(tenant: string, kind: CallKind, afterMs: number) {
    const message = `cannot ${kind} for ${tenant} now: the account's rate is used up`
    super(message, { retry: { afterMs } })
    this.afterMs = afterMs
  }
}

/**
 * For the reads of one operation, which have no outcome to answer with: call it before each. The first one
 * asks, unless the operation has `begun` with a change; those after it go on.
 * @throws RateUsedUp with the time to come back when a read is not granted
 */
export const createReadGate = (budget: Budget, tenant: string, begun = false): (() => void) => {
  let goesOn = begun
  return () => {
    const grant = goesOn ? budget.goOn(tenant, 'read') : budget.ask(tenant, 'read')
    if (!grant.granted) throw new RateUsedUp(tenant, 'read', grant.retryMs)
    goesOn = true
  }
}

interface Share {
  ask(tenant: string): Grant
  goOn(tenant: string): Grant
  hold(forMs: number): void
}

/** How late somebody may come back, milliseconds, before the token kept for it goes to others. */
const graceMs = 2000
const longestRetryMs = 30_000
const mostOwedChanges = 16

interface Bounds extends Rate {
  readonly mostDebt: number
}

const createShare = (rate: Bounds, clock: Pick<Clock, 'now'>): Share => {
  const bucket = createBucket(rate, clock.now())
  const line = createLine()
  const turns = createTurns()

  const deny = (mine: Queued, now: number): Grant => {
    const firstMs = bucket.msUntil(1 + line.aheadOf(mine, now), now)
    // Many calls of one tenant are told different times, a turn of everybody who waits apart.
    const turnMs = bucket.msFor(turns.calls() * Math.max(1, line.waiting(now)))
    const isTold = mine.toldAt > now && mine.toldAt <= now + longestRetryMs
    const afterMs = isTold ? Math.max(firstMs, mine.toldAt + turnMs - now) : firstMs
    const retryMs = Math.ceil(Math.min(afterMs, longestRetryMs))
    mine.toldAt = now + retryMs
    mine.keptUntil = now + Math.min(firstMs, longestRetryMs) + graceMs
    return { granted: false, retryMs }
  }
  return {
    hold: (forMs) => bucket.hold(forMs, clock.now()),
    ask: (tenant) => {
      const now = clock.now()
      if (bucket.isFull(now) && line.waiting(now) === 0) line.clear()
      const mine = line.join(tenant, now)
      if (!bucket.take({ leaving: line.aheadOf(mine, now) }, now)) return deny(mine, now)
      turns.begin()
      const goesOn = mine.toldAt > now
      line.serve(mine, goesOn ? now + bucket.msFor(line.waiting(now)) + graceMs : 0)
      return { granted: true }
    },
    goOn: (tenant) => {
      const now = clock.now()
      const mine = line.join(tenant, now)
      if (!bucket.borrow(rate.mostDebt, now)) return deny(mine, now)
      line.charge(mine)
      turns.goOn()
      return { granted: true }
    },
  }
}

/** How many calls a turn lately had: one that was asked for and those that went on with it. */
const createTurns = () => {
  let mean = 1
  let current = 1
  return {
    begin: (): void => {
      mean += (current - mean) / 8
      current = 1
    },
    goOn: (): void => {
      current += 1
    },
    calls: (): number => Math.max(mean, current),
  }
}

/** Tokens at a steady rate. A clock that is set back grants nothing more and locks nobody out. */
const createBucket = ({ perSecond, burst }: Rate, start: number) => {
  assert(perSecond > 0 && burst >= 1, 'a rate is above zero and lets one call through')
  const perMs = perSecond / 1000
  let tokens = burst
  let countedAt = start
  let held = { until: start, forMs: 0 }

  const heldMs = (now: number): number => {
    if (held.until - now > held.forMs) held = { ...held, until: now + held.forMs }
    return Math.max(0, held.until - now)
  }
  const earnedBy = (now: number): number => Math.max(0, now - countedAt) * perMs
  /** Nothing is earned while it is held. */
  const count = (now: number): number => {
    const from = now + heldMs(now)
    tokens = from > now ? Math.min(tokens, 0) : Math.min(burst, tokens + earnedBy(now))
    countedAt = from
    return tokens
  }
  return {
    isFull: (now: number): boolean => count(now) === burst,
    /** Takes one if that leaves as many as are kept for others. */
    take: ({ leaving }: { readonly leaving: number }, now: number): boolean => {
      const enough = count(now) >= 1 + leaving
      if (enough) tokens -= 1
      return enough
    },
    /** Takes one that may not be there yet, while no more than `mostDebt` are owed. */
    borrow: (mostDebt: number, now: number): boolean => {
      const may = count(now) > -mostDebt && heldMs(now) === 0
      if (may) tokens -= 1
      return may
    },
    msFor: (calls: number): number => calls / perMs,
    msUntil: (calls: number, now: number): number =>
      heldMs(now) + Math.max(1, (calls - count(now)) / perMs),
    hold: (forMs: number, now: number): void => {
      count(now)
      if (forMs > heldMs(now)) held = { until: now + forMs, forMs }
      count(now)
    },
  }
}

/** One tenant as the line knows it. */
interface Queued {
  /** Virtual time at which its next call starts. */
  tag: number
  /** Until when a token is kept for it; 0 while it does not wait. */
  keptUntil: number
  /** The latest time that one of its calls was told to come back at. */
  toldAt: number
}

/** Who has been served how often lately, and who waits. Grows with the tenants of one busy period. */
const createLine = () => {
  const queue = new Map<string, Queued>()
  let virtual = 0

  const waits = ({ keptUntil }: Queued, now: number): boolean =>
    keptUntil > now && keptUntil <= now + longestRetryMs + graceMs
  const countOf = (now: number, is: (queued: Queued) => boolean): number => {
    let count = 0
    for (const queued of queue.values()) if (waits(queued, now) && is(queued)) count += 1
    return count
  }
  return {
    clear: (): void => queue.clear(),
    /** The tenant's place; one that was away begins where the line is now and saves nothing up. */
    join: (tenant: string, now: number): Queued => {
      const mine = queue.get(tenant) ?? { tag: virtual, keptUntil: 0, toldAt: 0 }
      if (!waits(mine, now)) mine.tag = Math.max(mine.tag, virtual)
      queue.set(tenant, mine)
      return mine
    },
    waiting: (now: number): number => countOf(now, () => true),
    aheadOf: (mine: Queued, now: number): number => countOf(now, ({ tag }) => tag < mine.tag),
    serve: (mine: Queued, keptUntil: number): void => {
      virtual = Math.max(virtual, mine.tag)
      mine.tag += 1
      mine.keptUntil = keptUntil
    },
    charge: (mine: Queued): void => {
      mine.tag += 1
    },
  }
}
