import type { KubeObject } from '../object.ts'

/** An object as it is kept: parsed for the server, and as the text that every client is sent. */
export interface Stored {
  /** `namespace/name`, or `name` where the resource has no namespaces. */
  readonly key: string
  readonly object: KubeObject
  /** Begins with the table's `prefix`, so that a list can leave kind and version out. */
  readonly json: string
  readonly revision: number
}

export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly revision: number
  /** The object after the change; of a deletion its last state, at the deletion's revision. */
  readonly now: Stored
  readonly before: Stored | undefined
}

export type ChangeListener = (change: Change) => void

/** The line that a plain watch sends for a change; made once and shared by every watcher. */
export const lineOf = (type: Change['type'], stored: Stored, lines: WeakMap<Stored, Buffer>) => {
  const known = lines.get(stored)
  if (known !== undefined) return known
  const line = Buffer.from(`{"type":"${type}","object":${stored.json}}\n`)
  lines.set(stored, line)
  return line
}

/**
 * All objects of one resource, with the changes of late so that a watch can go on where it stopped.
 * History is bounded by count; what fell out of it is answered 410 by those who ask.
 */
export class Table {
  readonly name: string
  readonly #objects = new Map<string, Stored>()
  readonly #listeners = new Set<ChangeListener>()
  #history: Change[] = []
  /** Every change after this revision is in the history. */
  #completeAfter: number
  #sorted: Stored[] | undefined

  constructor(name: string, completeAfter: number) {
    this.name = name
    this.#completeAfter = completeAfter
  }

  get(key: string): Stored | undefined {
    return this.#objects.get(key)
  }

  get size(): number {
    return this.#objects.size
  }

  /** Every object, ordered by key. The array is a snapshot: a later change makes a new one. */
  all(): readonly Stored[] {
    this.#sorted ??= [...this.#objects.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
    return this.#sorted
  }

  /** Every object in no order that matters; for controllers. */
  values(): Iterable<Stored> {
    return this.#objects.values()
  }

  /** Puts an object back as the journal had it, with no change told. */
  restore(key: string, stored: Stored | undefined): void {
    if (stored === undefined) this.#objects.delete(key)
    else this.#objects.set(key, stored)
    this.#sorted = undefined
  }

  apply(change: Change): void {
    if (change.type === 'DELETED') this.#objects.delete(change.now.key)
    else this.#objects.set(change.now.key, change.now)
    this.#sorted = undefined
    this.#history.push(change)
    if (this.#history.length >= 2 * keptChanges) this.#forget(keptChanges)
    for (const listener of this.#listeners) listener(change)
  }

  /** Calls `listener` at every later change, in order, before the writer is answered. */
  subscribe(listener: ChangeListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get completeAfter(): number {
    return this.#completeAfter
  }

  /** The changes after `revision`, or undefined when some of them are forgotten. */
  since(revision: number): readonly Change[] | undefined {
    if (revision < this.#completeAfter) return undefined
    let from = this.#history.length
    while (from > 0 && (this.#history[from - 1]?.revision ?? 0) > revision) from -= 1
    return this.#history.slice(from)
  }

  /** Forgets every change up to `revision`. */
  expire(revision: number): void {
    this.#history = []
    this.#completeAfter = revision
  }

  #forget(count: number): void {
    const last = this.#history[count - 1]
    if (last !== undefined) this.#completeAfter = last.revision
    this.#history = this.#history.slice(count)
  }
}

const keptChanges = 4096
