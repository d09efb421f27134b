import { observationKey, type Observation } from '@weir/contract'
import type { SeenWithKeys } from './eventlog.ts'

/** Whether `a` was seen later than `b`: by a later watcher, or later in the life of the same one. */
export const isNewer = (a: Observation, b: Observation): boolean =>
  a.watcherEpoch > b.watcherEpoch || (a.watcherEpoch === b.watcherEpoch && a.order > b.order)

/** One name per observed object, for maps. */
export const objectOf = (seen: Observation): string =>
  `${seen.tenant} ${seen.cluster} ${seen.kind} ${observationKey(seen)}`

/** The newest observation of each object; keys of older ones go along, since they wait for it too. */
export const newestOfEach = (seen: readonly SeenWithKeys[]): readonly SeenWithKeys[] => {
  const newest = new Map<string, SeenWithKeys>()
  for (const one of seen) {
    const other = newest.get(objectOf(one.seen))
    if (other === undefined) newest.set(objectOf(one.seen), one)
    else {
      const later = isNewer(one.seen, other.seen) ? one.seen : other.seen
      newest.set(objectOf(one.seen), {
        seen: later,
        keys: [...new Set([...other.keys, ...one.keys])],
      })
    }
  }
  return [...newest.values()]
}
