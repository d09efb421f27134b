// Which addresses are held, which rest, and which was let go longest ago: a projection of the claim rows,
// kept in memory so that a choice costs no query. The rows decide; this only makes good guesses.
import type { AddressRun, IpAddress, IpFamily, Pool } from '@weir/contract'
import { familyOf, fromInteger, poolCovers, runOf } from '@weir/contract'

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
  /** The address `holder` let go last, if nobody took it since. */
  lastOf(holder: string): IpAddress | undefined
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

export const createAddressIndex = (): AddressIndex => {
  const claims = new Map<IpAddress, AddressClaim>()
  // Insertion order is release order: the first entry was let go longest ago.
  const released = new Map<IpAddress, AddressClaim>()
  const lastHeld = new Map<string, IpAddress>()
  // Where the search for a never-used address of a run goes on; what lies before was used once.
  const cursors = new Map<string, bigint>()

  const forget = (claim: AddressClaim): void => {
    released.delete(claim.ip)
    if (claim.lastHolder !== null && lastHeld.get(claim.lastHolder) === claim.ip) {
      lastHeld.delete(claim.lastHolder)
    }
  }
  const note = (claim: AddressClaim): void => {
    const before = claims.get(claim.ip)
    if (before) forget(before)
    claims.set(claim.ip, claim)
    if (claim.holder !== null) return
    released.set(claim.ip, claim)
    if (claim.lastHolder !== null) lastHeld.set(claim.lastHolder, claim.ip)
  }
  const nextInRun = (run: AddressRun): IpAddress | undefined => {
    const key = `${run.family}/${run.first}-${run.last}`
    for (let at = cursors.get(key) ?? run.first; at <= run.last; at += 1n) {
      cursors.set(key, at)
      const ip = fromInteger(at, run.family)
      if (!claims.has(ip)) return ip
    }
    return undefined
  }

  return {
    load: (all) => {
      for (const map of [claims, released, lastHeld, cursors]) map.clear()
      for (const claim of all.toSorted((a, b) => (a.releasedAt ?? 0) - (b.releasedAt ?? 0))) {
        note(claim)
      }
    },
    get: (ip) => claims.get(ip),
    set: note,
    drop: (ip) => {
      const claim = claims.get(ip)
      if (claim) forget(claim)
      claims.delete(ip)
      cursors.clear() // the address may lie before a cursor
    },
    lastOf: (holder) => lastHeld.get(holder),
    neverUsed: (pool, family) => {
      for (const run of pool.ranges.map(runOf)) {
        const ip = run.family === family ? nextInRun(run) : undefined
        if (ip !== undefined) return ip
      }
      return undefined
    },
    longestReleased: (pool, family, now) => {
      for (const claim of released.values()) {
        const rested = (claim.restsUntil ?? 0) <= now
        if (rested && familyOf(claim.ip) === family && poolCovers(pool, claim.ip)) return claim.ip
      }
      return undefined
    },
    usage: (pool, family, now) => {
      const mine = [...claims.values()].filter(
        (claim) => familyOf(claim.ip) === family && poolCovers(pool, claim.ip),
      )
      const resting = mine.filter((c) => c.holder === null && (c.restsUntil ?? 0) > now)
      return {
        held: mine.filter((claim) => claim.holder !== null).length,
        quarantined: resting.length,
        nextFreeAt: resting.length > 0 ? Math.min(...resting.map((c) => c.restsUntil ?? 0)) : null,
      }
    },
  }
}
