import type { WorkItem } from '@weir/eventlog'
import type { Folded } from './domain/fold.ts'
import type { Absences } from './knowledge.ts'

/** What a process knows of a Service since it last looked; losing it costs one read. */
export interface Remembered {
  readonly folded: Folded
  /** The orders that drivers were told, by epoch. */
  readonly told: ReadonlyMap<number, string>
  /** When each order was first found absent. */
  readonly absences: Absences
  /** The mark and fence of the work item it was learned at. */
  readonly mark: number
  readonly fence: number
}

export interface Memory {
  get(name: string): Remembered | undefined
  set(name: string, known: Remembered): void
  /** Forgets what drivers were told, after a provider or its bus may have lost it; gives all names. */
  untell(): readonly string[]
}

/** Keeps the `capacity` Services that were looked at last. */
export const createMemory = (capacity: number): Memory => {
  const kept = new Map<string, Remembered>()
  return {
    get: (name) => kept.get(name),
    set: (name, known) => {
      kept.delete(name)
      kept.set(name, known)
      const [oldest] = kept.keys()
      if (kept.size > capacity && oldest !== undefined) kept.delete(oldest)
    },
    untell: () => {
      for (const [name, known] of kept) kept.set(name, { ...known, told: new Map() })
      return [...kept.keys()]
    },
  }
}

/**
 * Whether the story cannot have changed in any way that asks something of us: nothing was marked since,
 * and nobody else held the key in between.
 */
export const isCurrent = (known: Remembered, item: WorkItem): boolean =>
  known.mark === item.mark && known.fence + 1 === item.fence
