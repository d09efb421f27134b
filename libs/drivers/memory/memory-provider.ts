import {
  desiredHash,
  type DesiredResource,
  type OwnershipMarks,
  type ResourceKey,
} from '@weir/contract'
import type { Held, Outcome, ProviderChange, Refused, Superseded } from '../driver.ts'
import { comparePlaces, sameOwner, type Place } from '../marks.ts'

/** A resource at the provider in memory. */
export interface Kept {
  readonly desired: DesiredResource
  readonly ready: boolean
  readonly leaving: boolean
}

export interface MemoryProvider {
  apply(desired: DesiredResource): Outcome
  remove(marks: OwnershipMarks): Outcome
  /** This very incarnation, if it exists. */
  find(marks: OwnershipMarks): Kept | undefined
  /** Whatever has this key, whoever owns it. */
  at(key: ResourceKey): Kept | undefined
  /** Ends what is pending. */
  settle(): void
  /** Everything that exists. */
  world(): readonly DesiredResource[]
  /** Puts a resource there, ready unless it is half-made, without a word; or takes one away. */
  plant(desired: DesiredResource, half?: 'half'): void
  uproot(key: ResourceKey): void
  /** Puts a thing there that carries no marks, and all such things. */
  plantUnmarked(ref: string): void
  unmarked(): readonly string[]
  /** Every change that had an effect, oldest first, as `WORD KEY EPOCH/GENERATION`. */
  journal(): readonly string[]
  onChange(handle: (change: ProviderChange) => void, signal: AbortSignal): void
}

/**
 * The resources themselves, one per key. With `slow` a change stays pending until `settle`.
 */
export const createMemoryProvider = (slow: boolean): MemoryProvider => {
  const kept = new Map<ResourceKey, Kept>()
  const journal: string[] = []
  const unmarked: string[] = []
  const listeners = new Set<(change: ProviderChange) => void>()

  const change = (desired: DesiredResource, state: Omit<Kept, 'desired'> | null): void => {
    const { key, epoch, tenant, service } = desired.marks
    if (state === null) kept.delete(key)
    else kept.set(key, { desired, ...state })
    const word = state === null ? 'absent' : state.leaving ? 'remove' : 'apply'
    journal.push(`${word} ${key} ${epoch}/${desired.generation}`)
    for (const listener of listeners) listener({ tenant, service })
  }
  const find = (marks: OwnershipMarks): Kept | undefined => {
    const there = kept.get(marks.key)
    const mine = there !== undefined && sameOwner(there.desired.marks, marks)
    return mine && there.desired.marks.epoch === marks.epoch ? there : undefined
  }

  return {
    find,
    at: (key) => kept.get(key),
    apply: (desired) => {
      const there = kept.get(desired.marks.key)
      const settled = there === undefined ? undefined : settledBy(there, desired)
      if (settled !== undefined) return settled
      change(structuredClone(desired), { ready: !slow, leaving: false })
      return slow ? pending : { status: 'done' }
    },
    remove: (marks) => {
      const there = find(marks)
      if (there === undefined) return { status: 'done' }
      if (!slow) change(there.desired, null)
      else if (!there.leaving) change(there.desired, { ready: false, leaving: true })
      return slow ? pending : { status: 'done' }
    },
    settle: () => {
      for (const { desired, leaving } of kept.values()) {
        change(desired, leaving ? null : { ready: true, leaving: false })
      }
    },
    world: () => [...kept.values()].map(({ desired }) => desired),
    plant: (desired, half) => {
      kept.set(desired.marks.key, { desired, ready: half === undefined, leaving: false })
    },
    plantUnmarked: (ref) => unmarked.push(ref),
    unmarked: () => unmarked,
    uproot: (key) => kept.delete(key),
    journal: () => journal,
    onChange: (handle, signal) => {
      if (signal.aborted) return
      listeners.add(handle)
      signal.addEventListener('abort', () => listeners.delete(handle), { once: true })
    },
  }
}

const pending: Outcome = { status: 'pending', lookAgainMs: 1000 }

/** Why `desired` may not be told now; `done` when it is there already, undefined when it may. */
const settledBy = (there: Kept, desired: DesiredResource): Outcome | undefined => {
  const barred = barredBy(there, desired)
  if (barred !== undefined) return barred
  if (comparePlaces(placeOf(there.desired), placeOf(desired)) < 0) return undefined
  return there.ready ? { status: 'done' } : pending
}

/** Why what is there may not be changed to `desired`; undefined when it may, or is just that. */
export const barredBy = (
  there: Kept,
  desired: DesiredResource,
): Held | Superseded | Refused | undefined => {
  const { marks } = there.desired
  if (!sameOwner(marks, desired.marks)) return notOurs(marks)
  const place = placeOf(there.desired)
  const ahead = comparePlaces(place, placeOf(desired))
  const same = desiredHash(there.desired) === desiredHash(desired)
  if (ahead > 0 || (ahead === 0 && !same)) return { status: 'superseded', ...place }
  return there.leaving ? { status: 'locked', retryMs: 1000 } : undefined
}

export const placeOf = ({ marks, generation }: DesiredResource): Place => ({
  epoch: marks.epoch,
  generation,
})

/** Refuses to touch what another owner has. */
export const notOurs = (marks: OwnershipMarks): Refused => ({
  status: 'refused',
  capability: 'ownership',
  problem: `${marks.key} carries the marks of installation ${marks.installation}`,
})
