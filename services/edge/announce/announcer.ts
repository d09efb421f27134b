import type { ResourceKey } from '@weir/contract'
import type { Clock, Logger } from '@weir/kernel'
import {
  afterFact,
  dueAt,
  isForgettable,
  unheardOf,
  type AddressFact,
  type AddressStory,
} from '../domain/address-story.ts'
import type { Herald } from './herald.ts'

/** What the edge does for one resource, as far as its addresses are announced by it. */
export interface Claim {
  /** Addresses that are served. */
  readonly open: ReadonlySet<string>
  /** Whether a node takes new flows. */
  readonly usable: boolean
}

/** Decides which addresses are announced, by what the edge holds. */
export interface Announcer {
  /**
   * From now on the edge does this for the resource. Resolves once the addresses that are withdrawn by that
   * are not announced any more and routers had a moment to hear it, or after some seconds that may take.
   */
  claim(key: ResourceKey, claim: Claim): Promise<void>
  /** Whether all that is due for this resource has been told. */
  isTold(key: ResourceKey): boolean
  /** Everything that is to be served after a start has been claimed: begin to tell. */
  begin(): void
  /** Withdraws everything, for an edge that ends what it serves. */
  withdrawAll(): Promise<void>
}

export interface AnnouncerOptions {
  readonly herald: Herald
  /** Why nobody can vouch for what the data plane has in force; then nothing is announced. */
  readonly doubt: () => string | undefined
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  /** More of what is due for these was told. */
  readonly onTold: (keys: ReadonlySet<ResourceKey>) => void
  /** How often to look whether something is due, ms. */
  readonly lookMs?: number
}

/**
 * Whoever is to be told may be stuck, and a tombstone must not wait for ever. Longer than the hold time that is
 * advised, after which routers leave out a daemon that is stuck.
 */
const withdrawMostMs = 5_000
const lookDefaultMs = 1_000

export const createAnnouncer = (options: AnnouncerOptions): Announcer => {
  const { herald, clock, log, signal, lookMs = lookDefaultMs } = options
  const claims = new Map<ResourceKey, Claim>()
  const holders = new Map<string, Set<ResourceKey>>()
  const stories = new Map<string, AddressStory>()
  /** Addresses that those who hear us know of. */
  const told = new Set<string>()
  /** What is being told of an address last. */
  const newest = new Map<string, ReadonlyMap<string, boolean>>()
  let begun = false
  let doubt: string | undefined

  const factOf = (address: string): AddressFact => {
    const keys = [...(holders.get(address) ?? [])]
    if (keys.length === 0 || doubt !== undefined) return 'closed'
    return keys.some((key) => claims.get(key)?.usable === true) ? 'usable' : 'empty'
  }
  const hold = (key: ResourceKey, claim: Claim): ReadonlySet<string> => {
    const before = [...(claims.get(key)?.open ?? [])]
    if (claim.open.size === 0) claims.delete(key)
    else claims.set(key, claim)
    for (const address of before) {
      if (!claim.open.has(address)) leave(holders, address, key)
    }
    for (const address of claim.open) join(holders, address, key)
    return new Set([...before, ...claim.open])
  }
  /** What became of these addresses, as changes to be told. */
  const look = (addresses: Iterable<string>): ReadonlyMap<string, boolean> => {
    const changes = new Map<string, boolean>()
    const now = clock.now()
    for (const address of addresses) {
      const before = stories.get(address) ?? unheardOf
      const after = afterFact(before, factOf(address), now)
      if (isForgettable(after, now)) stories.delete(address)
      else stories.set(address, after)
      if (after.announced !== before.announced) changes.set(address, after.announced)
    }
    return changes
  }
  const tell = async (changes: ReadonlyMap<string, boolean>): Promise<void> => {
    for (const address of changes.keys()) {
      told.delete(address)
      newest.set(address, changes)
    }
    await herald.tell(changes)
    const keys = new Set<ResourceKey>()
    for (const [address, announced] of changes) {
      // Something else may have been said of it meanwhile.
      if (newest.get(address) !== changes) continue
      newest.delete(address)
      if (announced) told.add(address)
      for (const key of holders.get(address) ?? []) keys.add(key)
    }
    options.onTold(keys)
  }
  const withdrawn = async (telling: Promise<void>): Promise<void> => {
    const enough = new AbortController()
    const late = clock.sleep(withdrawMostMs, enough.signal).then(() => !enough.signal.aborted)
    const isLate = await Promise.race([telling.then(() => false), late])
    enough.abort()
    if (isLate) log.error({ problem: herald.problem() }, 'cannot tell that addresses are withdrawn')
    if (herald.lingerMs > 0) await clock.sleep(herald.lingerMs)
  }
  const lookAtDoubt = (): void => {
    const now = options.doubt()
    if (now !== undefined && doubt === undefined) {
      log.error({ problem: now }, 'cannot vouch for what is in force; withdrawing every address')
    }
    if (now === undefined && doubt !== undefined) log.info({}, 'can vouch for what is in force')
    doubt = now
  }
  const run = async (): Promise<void> => {
    for (; !signal.aborted; await clock.sleep(lookMs, signal)) {
      const before = doubt
      lookAtDoubt()
      const turned = (before === undefined) !== (doubt === undefined)
      const now = clock.now()
      const due = [...stories].filter(
        ([, story]) => dueAt(story) <= now || isForgettable(story, now),
      )
      const changes = look(turned ? holders.keys() : due.map(([address]) => address))
      if (changes.size > 0) void tell(changes)
    }
  }
  return {
    claim: async (key, claim) => {
      const addresses = hold(key, claim)
      if (!begun) return
      const changes = look(addresses)
      if (changes.size === 0) return
      const telling = tell(changes)
      if ([...changes.values()].includes(false)) await withdrawn(telling)
    },
    isTold: (key) => {
      if (doubt !== undefined) return false
      const open = [...(claims.get(key)?.open ?? [])]
      return open.every((address) => !stories.get(address)?.announced || told.has(address))
    },
    begin: () => {
      begun = true
      // Even if it is nothing: an earlier process may have announced more.
      void tell(look(holders.keys()))
      void run()
    },
    withdrawAll: async () => {
      begun = false
      const announced = [...stories].filter(([, story]) => story.announced)
      if (announced.length === 0) return
      await withdrawn(tell(new Map(announced.map(([address]) => [address, false]))))
    },
  }
}

const join = (holders: Map<string, Set<ResourceKey>>, address: string, key: ResourceKey): void => {
  const keys = holders.get(address) ?? new Set()
  holders.set(address, keys.add(key))
}
const leave = (holders: Map<string, Set<ResourceKey>>, address: string, key: ResourceKey): void => {
  const keys = holders.get(address)
  keys?.delete(key)
  if (keys?.size === 0) holders.delete(address)
}
