import type { ServiceUid } from '@weir/contract'
import type { SeenService } from '@weir/kube'

/** The newest that is known of each Service of one cluster that concerns us. */
export interface ServiceCache {
  /** Keeps `seen` unless something newer is known; returns what is kept. */
  put(seen: SeenService): SeenService
  get(uid: ServiceUid): SeenService | undefined
  byName(namespace: string, name: string): SeenService | undefined
  drop(uid: ServiceUid): void
  all(): IterableIterator<SeenService>
}

export const createServiceCache = (): ServiceCache => {
  const byUid = new Map<ServiceUid, SeenService>()
  const names = new Map<string, ServiceUid>()
  const nameOf = ({ namespace, name }: SeenService): string => `${namespace}/${name}`
  return {
    put: (seen) => {
      const known = byUid.get(seen.uid)
      if (known !== undefined && isOlder(seen.resourceVersion, known.resourceVersion)) return known
      byUid.set(seen.uid, seen)
      names.set(nameOf(seen), seen.uid)
      return seen
    },
    get: (uid) => byUid.get(uid),
    byName: (namespace, name) => {
      const uid = names.get(`${namespace}/${name}`)
      return uid && byUid.get(uid)
    },
    drop: (uid) => {
      const known = byUid.get(uid)
      byUid.delete(uid)
      if (known !== undefined && names.get(nameOf(known)) === uid) names.delete(nameOf(known))
    },
    all: () => byUid.values(),
  }
}

// A watch tells of our own patches after their answers did, so what comes later may be older. Versions
// that are no numbers cannot be compared and are taken as they come (KEP-5504 makes them comparable).
const isOlder = (a: string, b: string): boolean =>
  /^\d+$/.test(a) && /^\d+$/.test(b) && BigInt(a) < BigInt(b)
