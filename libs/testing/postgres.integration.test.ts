import { Client } from 'pg'
import { expect, test } from 'vitest'
import { query, testDatabase, type Template } from './postgres.ts'

test('a template is migrated once and every database begins with it, apart from the others', async () => {
  let migrations = 0
  const template: Template = {
    name: 'word_list',
    migrate: async (url) => {
      migrations += 1
      await query(url, "create table word as select 'weir' as text")
    },
  }
  const [one, two] = await Promise.all([testDatabase(template), testDatabase(template)])
  await query(one.url, "insert into word values ('edge')")
  expect(await query(one.url, 'select count(*)::int as n from word')).toEqual([{ n: 2 }])
  expect(await query(two.url, 'select text from word')).toEqual([{ text: 'weir' }])
  expect(migrations).toBe(1)
  await Promise.all([one.drop(), two.drop()])
})

test('without a template it is an event log', async () => {
  const database = await testDatabase()
  const schemas = "select count(*)::int as n from pg_namespace where nspname = 'weir'"
  expect(await query(database.url, schemas)).toEqual([{ n: 1 }])
  await database.drop()
})

test('a migration that failed is tried again by the next who asks', async () => {
  let tries = 0
  const template: Template = {
    name: 'flaky',
    migrate: async (url) => {
      await query(url, 'create table half_made ()')
      tries += 1
      if (tries === 1) throw new Error('first try')
    },
  }
  await expect(testDatabase(template)).rejects.toThrow('first try')
  const database = await testDatabase(template)
  expect(await query(database.url, 'select * from half_made')).toEqual([])
  await database.drop()
})

test('dropping ends the sessions that are still open', async () => {
  const database = await testDatabase()
  const client = new Client({ connectionString: database.url })
  const closed = new Promise<string>((resolve) =>
    client.on('error', (error) => resolve(error.message)),
  )
  await client.connect()
  await database.drop()
  expect(await closed).toContain('terminating connection')
})
