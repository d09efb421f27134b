import { silentLogger } from '@weir/kernel'
import { testDatabase, type TestDatabase } from '@weir/testing'
import { afterAll, beforeAll, describe } from 'vitest'
import { describeStore } from './eventlog.conformance.ts'
import { ports } from './facts.conformance.ts'
import { openStore } from './postgres-store.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.drop())

describe('in Postgres', () => {
  describeStore({
    open: () => openStore({ url: database.url, ...ports, logger: silentLogger, poolSize: 4 }),
  })
})
