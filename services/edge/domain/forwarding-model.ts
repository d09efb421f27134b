import type { Cidr, ResourceKey } from '@weir/contract'
import type { AffinityClass } from './affinity-class.ts'
import { changesBetween, type Stage } from './forwarding-changes.ts'
import { createSetPool, type NodeMac, type SetPool } from './forwarding-sets.ts'
import {
  nextClassId,
  type ForwardedService,
  type ForwardingTable,
  type FrontendKey,
  type FrontendState,
  type ServiceId,
} from './forwarding-table.ts'

/** What one resource wants of the kernel; no frontends is the wish to be gone. */
export interface Wanted {
  readonly key: ResourceKey
  readonly frontends: ReadonlyMap<FrontendKey, FrontendState>
  readonly ranges: readonly Cidr[] | undefined
  readonly affinity: AffinityClass | undefined
  readonly nodes: readonly NodeMac[]
}

/** What a batch of wishes comes to. */
export interface ForwardingPlan {
  readonly stages: readonly Stage[]
  /** Frontends that somebody else holds, by the resource that wants them in vain. */
  readonly refused: ReadonlyMap<ResourceKey, readonly FrontendKey[]>
}

/**
 * The table as it shall be, and which service and set of it belongs to which resource.
 *
 * Service ids are counted up and never used twice while the count lasts: flows are pinned under them, and
 * a pinned flow of one tenant must not be found by the next. After a restart a resource finds its id by
 * its frontends, which are exclusive. Resources share a set while they want the same nodes with the same
 * weights; a set that all its services leave at once becomes the set they go to, so that one node more
 * or less rewrites the slots that move and nothing else.
 *
 * Deterministic, and without effects but on itself.
 */
export interface ForwardingModel {
  plan(wishes: readonly Wanted[]): ForwardingPlan
  /** Gives up what was adopted and nobody has claimed. */
  releaseUnclaimed(): readonly Stage[]
  /** Everything that the kernel should hold. */
  table(): ForwardingTable
  idOf(key: ResourceKey): ServiceId | undefined
  holderOf(frontend: FrontendKey): ResourceKey | undefined
}

/**
 * @param adopted what the kernel held when this process began.
 * @param lastId the greatest service id that anything in the kernel still knows.
 */
export const createForwardingModel = (
  adopted: ForwardingTable,
  lastId: number,
): ForwardingModel => {
  const services = new Map(adopted.services)
  const pool = createSetPool(adopted)
  const idsByFrontend = new Map<FrontendKey, ServiceId>()
  const idsByKey = new Map<ResourceKey, ServiceId>()
  const owners = new Map<ServiceId, ResourceKey>()
  let newest = lastId
  for (const [id, { frontends }] of services) {
    for (const frontend of frontends.keys()) idsByFrontend.set(frontend, id)
  }

  const claim = (key: ResourceKey, frontends: Iterable<FrontendKey>): ServiceId => {
    let id = idsByKey.get(key)
    for (const frontend of frontends) {
      const found = idsByFrontend.get(frontend)
      if (id === undefined && found !== undefined && !owners.has(found)) id = found
    }
    while (id === undefined) {
      newest = nextClassId(newest)
      if (!services.has(newest)) id = newest
    }
    idsByKey.set(key, id)
    owners.set(id, key)
    return id
  }
  /** Whether `id` may have the frontend: it is free, closing, or of a service that nobody claimed. */
  const mayTake = (frontend: FrontendKey, id: ServiceId): boolean => {
    const holder = idsByFrontend.get(frontend)
    if (holder === undefined || holder === id || !owners.has(holder)) return true
    return services.get(holder)?.frontends.get(frontend) === 'closing'
  }
  const dropFrontend = (id: ServiceId, frontend: FrontendKey): void => {
    idsByFrontend.delete(frontend)
    const service = services.get(id)
    if (!service) return
    const frontends = new Map(service.frontends)
    frontends.delete(frontend)
    services.set(id, { ...service, frontends })
  }
  const drop = (id: ServiceId, before: Before): void => {
    before.keep(id)
    const service = services.get(id)
    for (const frontend of service?.frontends.keys() ?? []) idsByFrontend.delete(frontend)
    services.delete(id)
    const owner = owners.get(id)
    if (owner !== undefined) idsByKey.delete(owner)
    owners.delete(id)
  }
  /** The services a batch touches, as they were before it. */
  interface Before {
    keep(id: ServiceId): void
    readonly services: ReadonlyMap<ServiceId, ForwardedService>
    readonly touched: ReadonlySet<ServiceId>
  }
  const createBefore = (): Before => {
    const kept = new Map<ServiceId, ForwardedService>()
    const touched = new Set<ServiceId>()
    const keep = (id: ServiceId): void => {
      const service = services.get(id)
      if (!touched.has(id) && service) kept.set(id, service)
      touched.add(id)
    }
    return { keep, services: kept, touched }
  }
  const changesSince = (before: Before, sets: ReturnType<SetPool['settle']>): readonly Stage[] =>
    changesBetween(
      { services: before.services, sets: sets.before },
      { services: subset(services, before.touched), sets: subset(pool.sets(), sets.touched) },
    )

  /** Takes the frontends that may be taken and says which may not. */
  const takeFrontends = (id: ServiceId, wish: Wanted, before: Before) => {
    const taken = new Map<FrontendKey, FrontendState>()
    const refused: FrontendKey[] = []
    for (const [frontend, state] of wish.frontends) {
      const holder = idsByFrontend.get(frontend)
      // What closes here has no claim on a frontend that somebody else has meanwhile.
      const may = mayTake(frontend, id) && (state === 'open' || holder === id)
      if (!may) {
        if (state === 'open') refused.push(frontend)
        continue
      }
      if (holder !== undefined && holder !== id) {
        before.keep(holder)
        dropFrontend(holder, frontend)
      }
      idsByFrontend.set(frontend, id)
      taken.set(frontend, state)
    }
    return { taken, refused }
  }
  const place = (wish: Wanted, before: Before): readonly FrontendKey[] => {
    const id = claim(wish.key, wish.frontends.keys())
    before.keep(id)
    const { taken, refused } = takeFrontends(id, wish, before)
    const old = services.get(id)
    const { ranges, affinity } = wish
    services.set(id, { frontends: taken, ranges, affinity, set: old?.set })
    pool.want(id, wish.nodes, old?.set?.id)
    return refused
  }
  const giveUpFrontends = (wish: Wanted, before: Before): void => {
    const id = idsByKey.get(wish.key)
    if (id === undefined) return
    before.keep(id)
    for (const frontend of services.get(id)?.frontends.keys() ?? []) {
      if (!wish.frontends.has(frontend)) dropFrontend(id, frontend)
    }
  }
  const settle = (before: Before): readonly Stage[] => {
    const settled = pool.settle()
    for (const [id, set] of settled.given) {
      const service = services.get(id)
      if (service) services.set(id, { ...service, set })
    }
    return changesSince(before, settled)
  }

  return {
    plan: (wishes) => {
      const before = createBefore()
      const refused = new Map<ResourceKey, readonly FrontendKey[]>()
      // Given up first: what one resource leaves in a batch another may take in it.
      for (const wish of wishes) giveUpFrontends(wish, before)
      for (const wish of wishes) {
        const id = idsByKey.get(wish.key)
        if (wish.frontends.size > 0) {
          const inVain = place(wish, before)
          if (inVain.length > 0) refused.set(wish.key, inVain)
        } else if (id !== undefined) {
          pool.leave(id, services.get(id)?.set?.id)
          drop(id, before)
        }
      }
      return { stages: settle(before), refused }
    },
    releaseUnclaimed: () => {
      const before = createBefore()
      for (const [id, { set }] of services) {
        if (owners.has(id)) continue
        pool.leave(id, set?.id)
        drop(id, before)
      }
      return settle(before)
    },
    table: () => ({ services, sets: pool.sets() }),
    idOf: (key) => idsByKey.get(key),
    holderOf: (frontend) => owners.get(idsByFrontend.get(frontend) ?? 0),
  }
}

const subset = <T>(all: ReadonlyMap<number, T>, ids: Iterable<number>): ReadonlyMap<number, T> => {
  const some = new Map<number, T>()
  for (const id of ids) {
    const value = all.get(id)
    if (value !== undefined) some.set(id, value)
  }
  return some
}
