// Which addresses are held, which rest, and which was let go longest ago: a projection of the claim rows,
// kept in memory so that a choice costs no query. The rows decide; this only makes good guesses.
import type { AddressRun, IpAddress, IpFamily, Pool } from '@weir/contract'
import { familyOf, fromInteger, runOf, toInteger } from '@weir/contract'

/** What is known of one address that somebody holds or held. */
export interface AddressClaim {
  readonly ip: IpAddress
  readonly holder: string | null
  readonly lastHolder: string | null
  readonly tenant: string
  /** Milliseconds since the epoch; null while held. */
  readonly releasedAt: number | null
  readonly restsUntil: number | null
}

export interface AddressIndex {
  /** Replaces everything known by `claims`. */
  load(claims: readonly AddressClaim[]): void
  get(ip: IpAddress): AddressClaim | undefined
  /** Notes one claim as it is now. */
  set(claim: AddressClaim): void
  /** Forgets an address, as if nobody had ever held it. */
  drop(ip: IpAddress): void
  /** The address that `holder` of `tenant` let go last, if nobody took it since. */
  lastOf(tenant: string, holder: string): IpAddress | undefined
  /** The lowest address of the pool that nobody ever held. Amortised O(1). */
  neverUsed(pool: Pool, family: IpFamily): IpAddress | undefined
  /** The pool's address released longest ago that no longer rests at `now`. */
  longestReleased(pool: Pool, family: IpFamily, now: number): IpAddress | undefined
  /** How many of the pool's addresses are held or rest at `now`, and when the next is free. */
  usage(pool: Pool, family: IpFamily, now: number): PoolUsage
}

export interface PoolUsage {
  readonly held: number
  readonly quarantined: number
  readonly nextFreeAt: number | null
}

/** What is known of one pool in one family, kept as claims change: a look costs nothing per claim. */
interface View {
  readonly runs: readonly AddressRun[]
  held: number
  /** While `inOrder`, the first entry was let go longest ago. */
  readonly released: Map<IpAddress, AddressClaim>
  inOrder: boolean
  lastReleasedAt: number
  /** By run: what lies before was used once, so the search for a new address goes on here. */
  readonly cursors: bigint[]
}

/** Pools change rarely; a view that nobody asks for any more is dropped with all others. */
const maxViews = 200

const covers = ({ runs }: View, family: IpFamily, value: bigint): boolean =>
  runs.some((run) => run.family === family && run.first <= value && value <= run.last)

export const createAddressIndex = (): AddressIndex => {
  const claims = new Map<IpAddress, AddressClaim>()
  const lastHeld = new Map<string, IpAddress>()
  const views = new Map<string, View>()
  const owner = (tenant: string, holder: string): string => `${tenant}/${holder}`

  const viewsOf = (ip: IpAddress): View[] => {
    const family = familyOf(ip)
    const value = toInteger(ip)
    return [...views.values()].filter((view) => covers(view, family, value))
  }
  const remember = (view: View, claim: AddressClaim): void => {
    if (claim.holder !== null) {
      view.held += 1
      return
    }
    const at = claim.releasedAt ?? 0
    if (at < view.lastReleasedAt) view.inOrder = false
    view.lastReleasedAt = Math.max(view.lastReleasedAt, at)
    view.released.set(claim.ip, claim)
  }
  /** A note that was taken back puts an old release last, so the order is made anew when asked for. */
  const inReleaseOrder = (view: View): ReadonlyMap<IpAddress, AddressClaim> => {
    const { released } = view
    if (view.inOrder) return released
    const ordered = [...released.values()].toSorted(byRelease)
    released.clear()
    for (const claim of ordered) released.set(claim.ip, claim)
    view.inOrder = true
    return released
  }
  const forget = (view: View, claim: AddressClaim): void => {
    if (claim.holder === null) view.released.delete(claim.ip)
    else view.held -= 1
  }
  const forgetLast = ({ ip, tenant, lastHolder }: AddressClaim): void => {
    const name = lastHolder === null ? undefined : owner(tenant, lastHolder)
    if (name !== undefined && lastHeld.get(name) === ip) lastHeld.delete(name)
  }
  const note = (claim: AddressClaim): void => {
    const before = claims.get(claim.ip)
    for (const view of viewsOf(claim.ip)) {
      if (before) forget(view, before)
      remember(view, claim)
    }
    if (before) forgetLast(before)
    claims.set(claim.ip, claim)
    if (claim.holder === null && claim.lastHolder !== null) {
      lastHeld.set(owner(claim.tenant, claim.lastHolder), claim.ip)
    }
  }
  const viewOf = (pool: Pool, family: IpFamily): View => {
    const runs = pool.ranges.map(runOf).filter((run) => run.family === family)
    const name = runs.map((run) => `${run.family}/${run.first}-${run.last}`).join()
    const known = views.get(name)
    if (known) return known
    if (views.size >= maxViews) views.clear()
    const cursors = runs.map(({ first }) => first)
    const view: View = {
      runs,
      held: 0,
      released: new Map(),
      inOrder: true,
      lastReleasedAt: 0,
      cursors,
    }
    const mine = [...claims.values()].filter(({ ip }) => covers(view, familyOf(ip), toInteger(ip)))
    for (const claim of mine.toSorted(byRelease)) remember(view, claim)
    views.set(name, view)
    return view
  }
  const nextInRun = (view: View, index: number): IpAddress | undefined => {
    const run = view.runs[index]
    if (run === undefined) return undefined
    for (let at = view.cursors[index] ?? run.first; at <= run.last; at += 1n) {
      view.cursors[index] = at
      const ip = fromInteger(at, run.family)
      if (!claims.has(ip)) return ip
    }
    view.cursors[index] = run.last + 1n
    return undefined
  }

  return {
    load: (all) => {
      for (const map of [claims, lastHeld, views]) map.clear()
      for (const claim of all.toSorted(byRelease)) note(claim)
    },
    get: (ip) => claims.get(ip),
    set: note,
    drop: (ip) => {
      const claim = claims.get(ip)
      if (!claim) return
      claims.delete(ip)
      forgetLast(claim)
      const value = toInteger(ip)
      for (const view of viewsOf(ip)) {
        forget(view, claim)
        // The address may lie before a cursor, which then goes back to it.
        for (const [index, run] of view.runs.entries()) {
          const inside = run.first <= value && value <= run.last
          if (inside && value < (view.cursors[index] ?? 0n)) view.cursors[index] = value
        }
      }
    },
    lastOf: (tenant, holder) => lastHeld.get(owner(tenant, holder)),
    neverUsed: (pool, family) => {
      const view = viewOf(pool, family)
      for (const index of view.runs.keys()) {
        const ip = nextInRun(view, index)
        if (ip !== undefined) return ip
      }
      return undefined
    },
    longestReleased: (pool, family, now) => {
      for (const claim of inReleaseOrder(viewOf(pool, family)).values()) {
        if ((claim.restsUntil ?? 0) <= now) return claim.ip
      }
      return undefined
    },
    usage: (pool, family, now) => {
      const { held, released } = viewOf(pool, family)
      let quarantined = 0
      let nextFreeAt: number | null = null
      for (const { restsUntil } of released.values()) {
        if (restsUntil === null || restsUntil <= now) continue
        quarantined += 1
        nextFreeAt = Math.min(nextFreeAt ?? restsUntil, restsUntil)
      }
      return { held, quarantined, nextFreeAt }
    },
  }
}

const byRelease = (a: AddressClaim, b: AddressClaim): number =>
  (a.releasedAt ?? 0) - (b.releasedAt ?? 0)
