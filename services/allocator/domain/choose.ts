import type {
  IpAddress,
  LoadBalancerIntent,
  Pool,
  PoolName,
  ServiceUid,
  SharingGroup,
  TenantId,
} from '@weir/contract'
import { event, familyOf, poolCovers, poolSize, serviceUid, type DomainEvent } from '@weir/contract'
import type { AddressIndex } from './address-index.ts'

/** Who asks, for what, and what there is to give. */
export interface Wish {
  readonly tenant: TenantId
  /** Who would hold the address: the Service, or the group that it shares with. */
  readonly holder: ServiceUid | SharingGroup
  readonly intent: LoadBalancerIntent
  readonly intentHash: string
  readonly pools: readonly Pool[]
  readonly index: AddressIndex
  /** Milliseconds since the epoch. */
  readonly now: number
}

export type Choice =
  | {
      readonly found: true
      readonly ip: IpAddress
      readonly pool: PoolName
      readonly reason: 'requested' | 'sticky' | 'shared' | 'never-used' | 'released-longest-ago'
    }
  | Refused

/** Why there is none, and when that may change by itself: milliseconds since the epoch. */
export interface Refused {
  readonly found: false
  readonly refusal: DomainEvent
  readonly freeAt: number | null
}

/** Pools the wish may use, in the order they are tried: by priority, then by name. */
export const usablePools = (wish: Wish): readonly Pool[] =>
  wish.pools
    .filter((pool) => pool.tenants === null || pool.tenants.includes(wish.tenant))
    .filter((pool) => wish.intent.requestedPool === null || pool.name === wish.intent.requestedPool)
    .toSorted((a, b) => a.priority - b.priority || (a.name < b.name ? -1 : 1))

/**
 * Finds the one address for a wish, always the same for the same facts: the requested one; else the one
 * this Service let go, if it came back; else by pool the lowest that was never used; else the one that
 * was released longest ago and no longer rests. A wish for a certain address is granted or refused,
 * never answered with another.
 */
export const chooseAddress = (wish: Wish): Choice => {
  const family = wish.intent.ipFamilies[0] ?? 'IPv4'
  const allowed = usablePools(wish)
  if (allowed.length === 0) {
    const { intentHash, intent } = wish
    const missing = event('PoolMissing', { intentHash, requestedPool: intent.requestedPool })
    return refusedBy(missing)
  }
  if (wish.intent.requestedAddress !== null) {
    return chooseRequested(wish, allowed, wish.intent.requestedAddress)
  }
  const pools = allowed.filter((pool) => poolSize(pool, family) > 0n)
  if (pools.length === 0) {
    return refusedBy(event('FamilyUnsupported', { intentHash: wish.intentHash, family }))
  }
  const last = wish.index.lastOf(wish.tenant, wish.holder)
  // A group may have let go of an address of the other family.
  const before = last && familyOf(last) === family ? last : undefined
  const home = before && pools.find((pool) => poolCovers(pool, before))
  if (before && home) return { found: true, ip: before, pool: home.name, reason: 'sticky' }
  for (const pool of pools) {
    const fresh = wish.index.neverUsed(pool, family)
    if (fresh) return { found: true, ip: fresh, pool: pool.name, reason: 'never-used' }
    const rested = wish.index.longestReleased(pool, family, wish.now)
    if (rested) return { found: true, ip: rested, pool: pool.name, reason: 'released-longest-ago' }
  }
  return exhausted(wish, pools)
}

const refusedBy = (refusal: DomainEvent, freeAt: number | null = null): Refused => ({
  found: false,
  refusal,
  freeAt,
})

const chooseRequested = (wish: Wish, pools: readonly Pool[], ip: IpAddress): Choice => {
  const { intentHash } = wish
  const pool = pools.find((each) => poolCovers(each, ip))
  if (!pool) {
    const names = pools.map((each) => each.name)
    return refusedBy(event('AddressNotInPool', { intentHash, address: ip, pools: names }))
  }
  const claim = wish.index.get(ip)
  const ownTenant = claim?.tenant === wish.tenant
  const mine = ownTenant && (claim.holder ?? claim.lastHolder) === wish.holder
  const free = !claim || mine || (claim.holder === null && (claim.restsUntil ?? 0) <= wish.now)
  if (free) return { found: true, ip, pool: pool.name, reason: 'requested' }
  const holder = (ownTenant && serviceUid.safeParse(claim.holder ?? claim.lastHolder).data) || null
  return refusedBy(event('AddressTaken', { intentHash, address: ip, holder }), claim.restsUntil)
}

const exhausted = (wish: Wish, pools: readonly Pool[]): Refused => {
  const family = wish.intent.ipFamilies[0] ?? 'IPv4'
  const uses = pools.map((pool) => ({ pool, usage: wish.index.usage(pool, family, wish.now) }))
  const frees = uses.flatMap(({ usage }) => (usage.nextFreeAt === null ? [] : [usage.nextFreeAt]))
  const freeAt = frees.length > 0 ? Math.min(...frees) : null
  const refusal = event('PoolExhausted', {
    intentHash: wish.intentHash,
    tried: uses.map(({ pool, usage }) => ({
      pool: pool.name,
      size: poolSize(pool, family).toString(),
      quarantined: usage.quarantined,
    })),
    nextFreeAt: freeAt === null ? null : new Date(freeAt).toISOString(),
  })
  return refusedBy(refusal, freeAt)
}
