import type { KubeObject } from '../object.ts'
import type { Store } from '../storage/store.ts'
import type { Change, Stored, Table } from '../storage/table.ts'

/** An owned object: where it lies. */
export interface Dependent {
  readonly table: Table
  readonly key: string
}

/** Every object by the UIDs of its owners, so that nobody needs to look through all of them. */
export class Owners {
  readonly #dependents = new Map<string, Map<string, Dependent>>()

  constructor(store: Store) {
    for (const table of store.tables()) {
      for (const { object, key } of table.values()) this.#add(table, key, object)
      table.subscribe((change) => this.#observe(table, change))
    }
  }

  of(uid: string): Dependent[] {
    return [...(this.#dependents.get(uid)?.values() ?? [])]
  }

  /** The owned objects of one table. */
  in(table: Table, uid: string): Stored[] {
    return this.of(uid).flatMap((one) => {
      const stored = one.table === table ? table.get(one.key) : undefined
      return stored === undefined ? [] : [stored]
    })
  }

  #observe(table: Table, change: Change): void {
    if (change.before !== undefined) this.#remove(table, change.now.key, change.before.object)
    if (change.type !== 'DELETED') this.#add(table, change.now.key, change.now.object)
  }

  #add(table: Table, key: string, object: KubeObject): void {
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const found = this.#dependents.get(uid) ?? new Map<string, Dependent>()
      found.set(`${table.name} ${key}`, { table, key })
      this.#dependents.set(uid, found)
    }
  }

  #remove(table: Table, key: string, object: KubeObject): void {
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const found = this.#dependents.get(uid)
      found?.delete(`${table.name} ${key}`)
      if (found?.size === 0) this.#dependents.delete(uid)
    }
  }
}
