import type { Database } from './database.ts'
import type { Leases, Vault } from './eventlog.ts'
import type { TenantId } from '@weir/contract'

const statements = {
  take: {
    name: 'lease_take',
    action: 'take a lease',
    text: `insert into weir.lease as l (name, holder, until, fence)
      values ($1, $2, clock_timestamp() + $3 * interval '1 millisecond', 1)
      on conflict (name) do update set holder = excluded.holder, until = excluded.until,
        fence = l.fence + case when l.holder = excluded.holder then 0 else 1 end
      where l.holder = excluded.holder or l.until <= clock_timestamp()
      returning fence`,
  },
  release: {
    name: 'lease_release',
    action: 'let go of a lease',
    // An empty holder is nobody: whoever takes it next is a new holder and raises the fence.
    text: `update weir.lease set holder = '', until = '-infinity' where name = $1 and holder = $2`,
  },
  put: {
    name: 'vault_put',
    action: 'keep a document',
    text: `insert into weir.vault (tenant, name, value) values ($1, $2, $3)
      on conflict (tenant, name) do update set value = excluded.value`,
  },
  get: {
    name: 'vault_get',
    action: 'read a document',
    text: 'select value from weir.vault where tenant = $1 and name = $2',
  },
  list: {
    name: 'vault_list',
    action: 'list documents',
    text: 'select tenant, name from weir.vault where name ^@ $1 order by tenant, name',
  },
  remove: {
    name: 'vault_remove',
    action: 'remove a document',
    text: 'delete from weir.vault where tenant = $1 and name = $2',
  },
}

/** Leases in Postgres, timed by its clock. */
export const createPostgresLeases = (db: Database): Leases => ({
  take: async (name, holder, leaseMs) => {
    const rows = await db.ask<{ fence: number }>(statements.take, [name, holder, leaseMs])
    return rows[0]
  },
  release: async (name, holder) => {
    await db.ask(statements.release, [name, holder])
  },
})

/** Documents in Postgres. */
export const createPostgresVault = (db: Database): Vault => ({
  put: async (tenant, name, value) => {
    await db.ask(statements.put, [tenant, name, Buffer.from(value)])
  },
  get: async (tenant, name) => {
    const rows = await db.ask<{ value: Buffer }>(statements.get, [tenant, name])
    const value = rows[0]?.value
    return value === undefined ? undefined : new Uint8Array(value)
  },
  list: (prefix) => db.ask<{ tenant: TenantId; name: string }>(statements.list, [prefix]),
  remove: async (tenant, name) => {
    await db.ask(statements.remove, [tenant, name])
  },
})
