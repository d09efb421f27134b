import type { Marks } from './stages.ts'

/** Something that was seen of a Service, which is told by its UID or by its address. */
export interface Noted {
  readonly who: string
  readonly mark: string
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  /** The address of the Service that `who` is the UID of, where it is told. */
  readonly ip?: string
}

/** What all who look saw, in whatever order they tell it; of each mark the first time counts. */
export interface Sightings {
  note(noted: Noted): void
  /** The marks of the Service with this UID, also those that are known by its address. */
  of(uid: string): Marks
  uids(): readonly string[]
}

export const createSightings = (): Sightings => {
  const marks = new Map<string, Record<string, number>>()
  const addresses = new Map<string, string>()
  return {
    note: ({ who, mark, at, ip }) => {
      const own = marks.get(who) ?? {}
      own[mark] = Math.min(at, own[mark] ?? Infinity)
      marks.set(who, own)
      if (ip !== undefined) addresses.set(who, ip)
    },
    of: (uid) => ({ ...marks.get(uid), ...marks.get(addresses.get(uid) ?? '') }),
    uids: () => [...marks].flatMap(([who, own]) => (own['created'] === undefined ? [] : [who])),
  }
}
