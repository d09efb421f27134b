import { silentLogger } from '@weir/kernel'
import { query, testDatabase, type TestDatabase } from '@weir/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fact, fresh, freshStream, freshTenant, ports, request } from './facts.conformance.ts'
import { migrate } from './migrate.ts'
import { openStore } from './postgres-store.ts'

describe('migrate', () => {
  let empty: TestDatabase
  beforeAll(async () => {
    empty = await testDatabase({ name: 'unmigrated', migrate: async () => undefined })
  })
  afterAll(() => empty.drop())

  test('six services that start at once migrate once, and again is nothing', async () => {
    await Promise.all(Array.from({ length: 6 }, () => migrate(empty.url)))
    const steps = 'select name, timestamp from weir.kysely_migration order by name'
    const done = await query(empty.url, steps)
    expect(done.length).toBeGreaterThanOrEqual(4)
    await migrate(empty.url)
    expect(await query(empty.url, steps)).toEqual(done)
  })

  test('a schema from a newer program is refused by name', async () => {
    await query(
      empty.url,
      "insert into weir.kysely_migration values ('9999-from-the-future', '2030-01-01')",
    )
    await expect(migrate(empty.url)).rejects.toThrow(/newer schema .*9999-from-the-future/)
  })
})

describe('the schema', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
    const store = await openStore({ url: database.url, ...ports, logger: silentLogger })
    for (const tenant of [mine, theirs]) {
      await store.log.append(request(tenant, fresh('c'), { events: [fact(freshStream(), 0)] }))
    }
    await store.close()
  })
  afterAll(() => database.drop())
  const [mine, theirs] = [freshTenant(), freshTenant()]
  const changes = [
    "update weir.event set actor = 'x'",
    'delete from weir.event',
    'truncate weir.event',
  ]

  test.each(changes)('the owner cannot %s', async (change) => {
    await expect(query(database.url, change)).rejects.toThrow('never changed or removed')
    expect(await query(database.url, 'select from weir.event')).toHaveLength(2)
  })

  test.each([
    ...changes,
    'insert into weir.event select * from weir.event',
    'drop table weir.event',
  ])('a service cannot %s', async (change) => {
    const asService = `set role weir_service; ${change}`
    await expect(query(database.url, asService)).rejects.toThrow(/permission denied|must be owner/)
  })

  test('a reader sees the events of the tenant it is bound to, none without, and changes nothing', async () => {
    expect(await tenantsSeen(mine)).toEqual([mine])
    expect(await tenantsSeen(theirs)).toEqual([theirs])
    expect(await tenantsSeen('')).toEqual([])
  })

  const tenantsSeen = async (bound: string): Promise<unknown[]> => {
    const url = new URL(database.url)
    url.searchParams.set('options', `-c role=weir_reader -c weir.tenant=${bound}`)
    const rows = await query(url.href, 'select distinct tenant from weir.event')
    return rows.map((row) => (row as { tenant: string }).tenant)
  }

  test('a session bound to a tenant cannot append to another', async () => {
    const url = new URL(database.url)
    url.searchParams.set('options', `-c role=weir_service -c weir.tenant=${mine}`)
    const append = (tenant: string): Promise<unknown[]> =>
      query(
        url.href,
        `select status from weir.append('${tenant}', array['${fresh('c')}'], array[1], array[0],
          '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
          '{}', '{}', '{}', '{}', '{}')`,
      )
    await expect(append(theirs)).rejects.toThrow(`bound to tenant ${mine}`)
    expect(await append(mine)).toEqual([{ status: 'appended' }])
  })

  test('an owner that is no superuser can migrate and append, and still not change an event', async () => {
    const role = fresh('owner').replaceAll('-', '_')
    const own = await testDatabase({
      name: fresh('own').replaceAll('-', '_'),
      migrate: async () => undefined,
    })
    const name = new URL(own.url).pathname.slice(1)
    await query(own.url, `create role ${role} login createrole password 'p'`)
    await query(own.url, `grant weir_service, weir_reader to ${role} with admin option`)
    await query(own.url, `alter database ${name} owner to ${role}`)
    const url = new URL(own.url)
    url.username = role
    url.password = 'p'
    await migrate(url.href)
    const store = await openStore({ url: url.href, ...ports, logger: silentLogger })
    const decision = request(freshTenant(), 'c', { events: [fact(freshStream(), 0)] })
    expect((await store.log.append(decision)).status).toBe('appended')
    expect(await store.log.after(decision.tenant, 0, 10)).toHaveLength(1)
    await store.close()
    await expect(query(url.href, "update weir.event set actor = 'x'")).rejects.toThrow(
      'never changed',
    )
    await own.drop()
    await query(database.url, `drop owned by ${role}; drop role ${role}`)
  })
})
