import type { KubeObject } from '../object.ts'
import { Journal, type JournalEntry } from './journal.ts'
import { type Change, type Stored, Table } from './table.ts'

/**
 * Every object of one cluster. Writes are one synchronous step: revision, journal line, memory, and the
 * listeners, so nothing can come between a check and its write.
 */
export class Store {
  #revision = 0
  readonly #tables = new Map<string, Table>()
  readonly #journal: Journal

  /** @param path the journal's file; what it holds is read back. */
  constructor(path: string, tables: readonly string[]) {
    for (const name of tables) this.#tables.set(name, new Table(name, 0))
    this.#journal = Journal.open(path, (entry) => this.#replay(entry))
    for (const table of this.#tables.values()) table.expire(this.#revision)
  }

  /** The revision of the newest change; resourceVersions are these. */
  get revision(): number {
    return this.#revision
  }

  table(name: string): Table {
    const table = this.#tables.get(name)
    if (table === undefined) throw new Error(`no table is named ${name}`)
    return table
  }

  tables(): Iterable<Table> {
    return this.#tables.values()
  }

  /** Writes an object under its key; sets its `metadata.resourceVersion`. */
  put(table: Table, object: KubeObject): Stored {
    const revision = this.#next()
    object.metadata.resourceVersion = String(revision)
    const stored = storedOf(keyOf(object), object, revision)
    const before = table.get(stored.key)
    this.#commit(table, {
      type: before === undefined ? 'ADDED' : 'MODIFIED',
      revision,
      now: stored,
      before,
    })
    return stored
  }

  /** Removes an object; its last state is told with the revision of the removal. */
  remove(table: Table, before: Stored): Stored {
    const revision = this.#next()
    const { object } = before
    const metadata = { ...object.metadata, resourceVersion: String(revision) }
    const now = storedOf(before.key, { ...object, metadata }, revision)
    this.#commit(table, { type: 'DELETED', revision, now, before })
    return now
  }

  /** Forgets the history of every resource: only the present revision can be watched from. */
  expire(): void {
    // A revision of its own, so that even the newest resourceVersion any client holds is too old.
    this.#next()
    this.#journal.append(this.#marker())
    for (const table of this.#tables.values()) table.expire(this.#revision)
  }

  close(): void {
    this.#journal.close()
  }

  #next(): number {
    this.#revision += 1
    return this.#revision
  }

  #commit(table: Table, change: Change): void {
    const json = change.type === 'DELETED' ? null : change.now.json
    const { revision } = change
    this.#journal.append({ table: table.name, key: change.now.key, revision, json })
    table.apply(change)
    if (this.#journal.worthRewriting) this.#rewrite()
  }

  #rewrite(): void {
    this.#journal.rewrite(this.#entries())
  }

  *#entries(): Generator<JournalEntry> {
    for (const table of this.#tables.values())
      for (const { key, revision, json } of table.values())
        yield { table: table.name, key, revision, json }
    yield this.#marker()
  }

  /** A removal of nothing: keeps the newest revision, which may belong to an object that is gone. */
  #marker(): JournalEntry {
    const table = this.#tables.keys().next().value ?? ''
    return { table, key: '', revision: this.#revision, json: null }
  }

  #replay(entry: JournalEntry): void {
    this.#revision = Math.max(this.#revision, entry.revision)
    const table = this.#tables.get(entry.table)
    if (table === undefined) return
    if (entry.json === null) return table.restore(entry.key, undefined)
    const object: KubeObject = JSON.parse(entry.json)
    const { key, revision, json } = entry
    table.restore(key, { key, object, json, revision })
  }
}

export const keyOf = (object: KubeObject): string => {
  const { namespace, name } = object.metadata
  return namespace === undefined ? name : `${namespace}/${name}`
}

/** The text in front of every stored object of a kind; lists leave it out of their items. */
export const prefixOf = (kind: string, apiVersion: string): string =>
  `{"kind":"${kind}","apiVersion":"${apiVersion}",`

const storedOf = (key: string, object: KubeObject, revision: number): Stored => {
  const { kind, apiVersion, metadata, ...rest } = object
  return { key, object, json: JSON.stringify({ kind, apiVersion, metadata, ...rest }), revision }
}
