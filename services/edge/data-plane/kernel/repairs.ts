import type { EdgeRepair } from '@weir/contract'
import type { Clock } from '@weir/kernel'

/** Keeps the newest repairs, as the heartbeat tells them. */
export interface Repairs {
  /** Null when nothing differed. */
  note(differences: readonly string[]): EdgeRepair | null
  newest(): readonly EdgeRepair[]
}

const most = 8
const examplesAtMost = 5

export const createRepairs = (clock: Pick<Clock, 'now'>): Repairs => {
  const kept: EdgeRepair[] = []
  return {
    note: (differences) => {
      if (differences.length === 0) return null
      const examples = differences.slice(0, examplesAtMost).map((text) => text.slice(0, 200))
      const at = new Date(clock.now()).toISOString()
      const repair = { at, elements: differences.length, examples }
      kept.push(repair)
      if (kept.length > most) kept.shift()
      return repair
    },
    newest: () => [...kept],
  }
}
