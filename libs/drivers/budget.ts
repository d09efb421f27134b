// How much of a provider account's rate each tenant may use. A bucket of tokens bounds the rate; who gets
// the next token is decided by start-time fair queueing (Goyal, Vin, Cheng 1996), adapted to callers that
// are never kept waiting: whoever is denied is told when to come back, and a token is kept for it until a
// little after that. Each grant moves a tenant's tag on by one; a token goes to the tenant with the least
// tag among those who wait. So a tenant that asks a hundred times as often has its own tag run ahead.
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
  const shares = { read: createShare(read, clock), write: createShare(write, clock) }
  return {
    ask: (tenant, kind) => shares[kind].ask(tenant),
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
 * For reads, which have no outcome to answer with: returns when the call is granted.
 * @throws RateUsedUp with the time to come back when it is not.
 */
export const requireGrant = (budget: Budget, tenant: string, kind: CallKind): void => {
  const grant = budget.ask(tenant, kind)
  if (!grant.granted) throw new RateUsedUp(tenant, kind, grant.retryMs)
}

interface Share {
  ask(tenant: string): Grant
  hold(forMs: number): void
}

/** How late somebody may come back, milliseconds, before the token kept for it goes to others. */
const graceMs = 2000
const longestRetryMs = 30_000

const createShare = (rate: Rate, clock: Pick<Clock, 'now'>): Share => {
  const bucket = createBucket(rate, clock.now())
  const line = createLine()

  const deny = (mine: Queued, now: number): Grant => {
    const firstMs = bucket.msUntil(1 + line.aheadOf(mine, now), now)
    // Many calls of one tenant are told different times, a turn of everybody who waits apart.
    const turnMs = bucket.msFor(Math.max(1, line.waiting(now)))
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
      const goesOn = mine.toldAt > now
      line.serve(mine, goesOn ? now + bucket.msFor(line.waiting(now)) + graceMs : 0)
      return { granted: true }
    },
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
  const count = (now: number): number => {
    if (heldMs(now) > 0) tokens = 0
    else tokens = Math.min(burst, tokens + Math.max(0, now - countedAt) * perMs)
    countedAt = now
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
    msFor: (calls: number): number => calls / perMs,
    msUntil: (calls: number, now: number): number =>
      heldMs(now) + Math.max(1, (calls - count(now)) / perMs),
    hold: (forMs: number, now: number): void => {
      if (forMs > heldMs(now)) held = { until: now + forMs, forMs }
      tokens = 0
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
  }
}
