import type { OwnershipMarks } from '@weir/contract'
import type { Clock } from '@weir/kernel'

/**
 * What this process saw a moment ago, to read AWS's answers by: its reads may be older than its writes.
 * Nothing is taken for present or absent from here; a read that contradicts it is only not believed
 * yet. Losing all of it costs a repeated call at worst.
 */
export interface Hints {
  /** AWS made this; `ref` is null when its answer was lost. */
  made(marks: OwnershipMarks, ref: string | null): void
  /** It was taken away, or AWS says that it is not there. */
  gone(marks: OwnershipMarks, ref: string): void
  /** What was made so lately that reads may not show it yet, and that `shown` lacks. */
  missing(marks: OwnershipMarks, shown: ReadonlySet<string>): readonly string[]
  /** AWS refused this instance as a target. */
  rejected(marks: OwnershipMarks, instance: string, problem: string): void
  rejections(marks: OwnershipMarks): readonly { instance: string; problem: string }[]
}

/** How long an instance that was refused is not tried again. */
const rejectedForMs = 60_000
const capacity = 10_000

interface Entry {
  readonly until: number
  readonly made: string | null
  readonly instance?: string
  readonly problem?: string
}

export const createHints = (clock: Pick<Clock, 'now'>, windowMs: number): Hints => {
  const entries = new Map<string, Entry[]>()
  const idOf = ({ installation, key, epoch }: OwnershipMarks): string =>
    `${installation}/${key}/${epoch}`

  const current = (marks: OwnershipMarks): Entry[] => {
    const alive = (entries.get(idOf(marks)) ?? []).filter(({ until }) => until > clock.now())
    if (alive.length === 0) entries.delete(idOf(marks))
    return alive
  }
  const put = (marks: OwnershipMarks, all: readonly Entry[]): void => {
    entries.delete(idOf(marks))
    if (all.length > 0) entries.set(idOf(marks), [...all])
    const [oldest] = entries.keys()
    if (entries.size > capacity && oldest !== undefined) entries.delete(oldest)
  }
  return {
    made: (marks, ref) =>
      put(marks, [...current(marks), { until: clock.now() + windowMs, made: ref }]),
    gone: (marks, ref) =>
      put(
        marks,
        current(marks).filter(({ made }) => made !== ref),
      ),
    missing: (marks, shown) => {
      const made = current(marks).filter(({ instance }) => instance === undefined)
      return made.flatMap((entry) => {
        if (entry.made === null) return ['an elastic IP whose allocation had no answer']
        return shown.has(entry.made) ? [] : [entry.made]
      })
    },
    rejected: (marks, instance, problem) =>
      put(marks, [
        ...current(marks).filter((entry) => entry.instance !== instance),
        { until: clock.now() + rejectedForMs, made: null, instance, problem },
      ]),
    rejections: (marks) =>
      current(marks).flatMap(({ instance, problem = '' }) =>
        instance === undefined ? [] : [{ instance, problem }],
      ),
  }
}
