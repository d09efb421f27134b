import { silentLogger } from '@weir/kernel'
import { eventually, query, testDatabase, type TestDatabase } from '@weir/testing'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ports } from './facts.conformance.ts'
import type { Store } from './eventlog.ts'
import { openStore } from './postgres-store.ts'

let database: TestDatabase
let store: Store
beforeAll(async () => {
  database = await testDatabase()
  store = await openStore({ url: database.url, ...ports, logger: silentLogger })
})
afterAll(async () => {
  await store.close()
  await database.drop()
})

test('a schema that is this program’s has no problem', async () => {
  expect(await store.schemaProblem()).toBeNull()
})

test('while a migration holds its lock, that is the problem; and not afterwards', async () => {
  const migrating = new Client({ connectionString: database.url })
  await migrating.connect()
  await migrating.query("select pg_advisory_lock(hashtext('weir.migrate'))")
  expect(await store.schemaProblem()).toContain('under way')
  await migrating.end()
  await eventually(async () => expect(await store.schemaProblem()).toBeNull())
})

test('a step that was made by a newer program, or is missing, is named', async () => {
  const insert = "insert into weir.kysely_migration values ('9999-later', '2030-01-01')"
  await query(database.url, insert)
  expect(await store.schemaProblem()).toContain('9999-later')
  await query(database.url, "delete from weir.kysely_migration where name = '9999-later'")
  await query(database.url, "delete from weir.kysely_migration where name like '0006%'")
  expect(await store.schemaProblem()).toContain('lacks migrations: 0006')
})
