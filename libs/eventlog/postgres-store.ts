import { platformTenant } from '@weir/contract'
import type { Clock, Ids } from '@weir/kernel'
import { openDatabase, type DatabaseOptions } from './database.ts'
import type { Pruned, Store } from './eventlog.ts'
import { createPostgresLeases, createPostgresVault } from './postgres-beside.ts'
import { createPostgresLog } from './postgres-log.ts'
import { createPostgresObserved } from './postgres-observed.ts'
import { schemaProblem } from './postgres-schema.ts'
import { createPostgresWork } from './postgres-work.ts'

/** The ports every part of the platform is given. A store reads the clock and draws nothing by chance. */
export interface StorePorts {
  readonly clock: Clock
  readonly ids: Ids
}

export interface StoreOptions extends StorePorts, DatabaseOptions {}

const prune = {
  name: 'prune',
  action: 'remove what is over',
  text: 'select commands, work from weir.prune($1, $2)',
}
const ping = { name: 'ping', action: 'reach the database', text: 'select 1 as answer' }

/**
 * Opens the store in the Postgres at `url`, which `migrate` has brought up to date.
 * @throws OperatingError when it does not answer or does not know our schema; the address in the
 * message carries no password.
 */
export const openStore = async (options: StoreOptions): Promise<Store> => {
  const db = openDatabase(options)
  const store: Store = {
    log: createPostgresLog(db, options.clock),
    work: createPostgresWork(db),
    observed: createPostgresObserved(db),
    leases: createPostgresLeases(db),
    vault: createPostgresVault(db),
    prune: async ({ keepMs, limit }) => {
      const [pruned] = await db.ask<Pruned>(prune, [keepMs, limit])
      return pruned ?? { commands: 0, work: 0 }
    },
    ping: async () => void (await db.ask(ping)),
    schemaProblem: () => schemaProblem(db),
    close: () => db.close(),
  }
  try {
    await store.log.head(platformTenant)
  } catch (error) {
    await db.close()
    throw error
  }
  return store
}
