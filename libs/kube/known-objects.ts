import { z } from 'zod'
import type { WatchLine } from './watch.ts'

/** What a reflector knows of one resource: versions by UID, and nothing of the objects themselves. */
export interface KnownObjects<T> {
  /** Takes a complete list: what has another version than before, and which UIDs are not in it. */
  compare(items: readonly unknown[]): { readonly changed: T[]; readonly missing: Set<string> }
  /** Takes one line of a watch; undefined when it tells nothing new or is malformed. */
  apply(line: WatchLine): { readonly what: 'changed' | 'deleted'; readonly object: T } | undefined
  forget(uid: string): void
}

/** Why one object was left out; the others are not held up by it. */
export interface Malformed {
  readonly uid: string
  readonly name: string
  readonly problem: string
}

const identity = z.object({
  metadata: z.object({
    uid: z.string().min(1),
    resourceVersion: z.string(),
    name: z.string().optional(),
  }),
})

export const createKnownObjects = <T>(
  parse: (raw: unknown) => T,
  expected: readonly string[],
  onMalformed: (problem: Malformed) => void,
): KnownObjects<T> => {
  const versions = new Map<string, string>(expected.map((uid) => [uid, '']))

  const parsed = (raw: unknown, of: z.infer<typeof identity>['metadata']): T | undefined => {
    try {
      return parse(raw)
    } catch (error) {
      const problem = error instanceof Error ? error.message.slice(0, 300) : 'unknown'
      onMalformed({ uid: of.uid, name: of.name ?? '', problem })
      return undefined
    }
  }

  return {
    compare: (items) => {
      const listed = new Set<string>()
      const changed: T[] = []
      let nameless = false
      for (const raw of items) {
        const read = identity.safeParse(raw)
        if (!read.success) {
          nameless = true
          onMalformed({ uid: '', name: '', problem: 'an item of the list has no UID' })
          continue
        }
        const { uid, resourceVersion } = read.data.metadata
        listed.add(uid)
        if (versions.get(uid) === resourceVersion) continue
        versions.set(uid, resourceVersion)
        const object = parsed(raw, read.data.metadata)
        if (object !== undefined) changed.push(object)
      }
      // An item that cannot be told apart may be any of the missing ones: nothing is missing then.
      const gone = nameless ? [] : [...versions.keys()].filter((uid) => !listed.has(uid))
      return { changed, missing: new Set(gone) }
    },
    apply: ({ type, object: raw }) => {
      if (type === 'BOOKMARK') return undefined
      const read = identity.safeParse(raw)
      if (!read.success) {
        onMalformed({ uid: '', name: '', problem: 'an object of the watch has no UID' })
        return undefined
      }
      const { uid, resourceVersion } = read.data.metadata
      if (type !== 'DELETED' && versions.get(uid) === resourceVersion) return undefined
      if (type === 'DELETED') versions.delete(uid)
      else versions.set(uid, resourceVersion)
      const object = parsed(raw, read.data.metadata)
      if (object === undefined) return undefined
      return { what: type === 'DELETED' ? 'deleted' : 'changed', object }
    },
    forget: (uid) => versions.delete(uid),
  }
}
