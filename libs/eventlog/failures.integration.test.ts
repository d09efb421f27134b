import { connect, createServer, type Server, type Socket } from 'node:net'
import { OperatingError, silentLogger } from '@weir/kernel'
import { eventually, query, testDatabase, type TestDatabase } from '@weir/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { AppendRequest, Store } from './eventlog.ts'
import { fact, fresh, freshStream, freshTenant, ports, request } from './facts.conformance.ts'
import { migrate } from './migrate.ts'
import { openStore } from './postgres-store.ts'

let database: TestDatabase
let store: Store
const open = (url = database.url): Promise<Store> =>
  openStore({ url, ...ports, logger: silentLogger, poolSize: 2 })
beforeAll(async () => {
  database = await testDatabase()
  store = await open()
})
afterAll(async () => {
  await store.close()
  await database.drop()
})

const asked = (): AppendRequest =>
  request(freshTenant(), fresh('c'), {
    events: [fact(freshStream(), 0), fact(freshStream(), 0)],
    claims: [{ change: 'take', scope: 'address', key: fresh('ip'), holder: 'lb1' }],
  })

/** Everything append writes. */
const written = (): Promise<unknown[]> =>
  query(
    database.url,
    `select (select json_agg(h order by tenant) from weir.tenant_head h) as heads,
      (select json_agg(s order by tenant, stream) from weir.stream_head s) as streams,
      (select json_agg(e order by tenant, sequence) from weir.event e) as events,
      (select json_agg(d order by tenant, command) from weir.command_dedupe d) as commands,
      (select json_agg(c order by scope, key) from weir.claim c) as claims`,
  )

describe('a session killed in the middle of an append', () => {
  afterEach(() => query(database.url, 'drop function if exists weir.die cascade'))

  test.each(['tenant_head', 'event', 'stream_head', 'command_dedupe', 'claim'])(
    'at its write to %s leaves nothing, and the same command then succeeds',
    async (table) => {
      await store.log.append(asked())
      const before = await written()
      await query(
        database.url,
        `create function weir.die() returns trigger language plpgsql as $$
         begin
           perform pg_terminate_backend(pg_backend_pid());
           perform pg_sleep(10);
           return new;
         end $$;
         create trigger die after insert or update on weir.${table}
           for each statement execute function weir.die()`,
      )
      const decision = asked()
      await expect(store.log.append(decision)).rejects.toMatchObject({ retry: { afterMs: 500 } })
      expect(await written()).toEqual(before)
      await query(database.url, 'drop function weir.die cascade')
      expect((await store.log.append(decision)).status).toBe('appended')
    },
  )

  test('while it waits for the lock of the tenant leaves nothing', async () => {
    const decision = asked()
    const before = await written()
    const holder = query(
      database.url,
      `select pg_advisory_xact_lock(1, hashtext('${decision.tenant}')), pg_sleep(60)`,
    )
    holder.catch(() => undefined)
    const sessions = (act: string, state: string): Promise<boolean> =>
      query(
        database.url,
        `select ${act} from pg_stat_activity where datname = current_database() and ${state}`,
      ).then((rows) => rows.length > 0)
    const kill = 'pg_terminate_backend(pid)'
    await eventually(() => sessions('pid', "wait_event = 'PgSleep'"))
    const waiting = store.log.append(decision)
    waiting.catch(() => undefined)
    await eventually(() => sessions(kill, "wait_event_type = 'Lock'"))
    await expect(waiting).rejects.toBeInstanceOf(OperatingError)
    expect(await written()).toEqual(before)
    await sessions(kill, "wait_event = 'PgSleep'")
    expect((await store.log.append(decision)).status).toBe('appended')
  })
})

describe('a reply that is lost after the commit', () => {
  let proxy: Server
  let mute = false
  const sockets = new Set<Socket>()
  beforeAll(async () => {
    const target = new URL(database.url)
    proxy = createServer((client) => {
      const server = connect(Number(target.port), target.hostname)
      for (const socket of [client, server]) {
        sockets.add(socket)
        socket.on('error', () => undefined)
      }
      client.pipe(server)
      server.on('data', (answer) => {
        if (mute) client.destroy()
        else client.write(answer)
      })
      server.on('close', () => client.destroy())
      client.on('close', () => server.destroy())
    })
    await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening))
  })
  afterAll(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })

  test('is an error that passes, and the retry answers where the events are', async () => {
    const url = new URL(database.url)
    const address = proxy.address()
    url.port = String(address !== null && typeof address === 'object' ? address.port : 0)
    const far = await open(url.href)
    const decision = asked()
    await far.log.append({ ...asked(), tenant: decision.tenant })
    mute = true
    await expect(far.log.append(decision)).rejects.toMatchObject({ retry: { afterMs: 500 } })
    mute = false
    expect(await far.log.append(decision)).toEqual({ status: 'repeated', from: 3, to: 4 })
    expect(await far.log.after(decision.tenant, 2, 10)).toHaveLength(2)
    await far.close()
  })
})

describe('an address', () => {
  const secret = 'very-secret'
  const failure = async (url: string): Promise<Error> =>
    open(url).then(
      () => expect.unreachable('it opened'),
      (error: Error) => error,
    )

  test('where nobody answers is named without its password, with what to do', async () => {
    const { message } = await failure(`postgres://weir:${secret}@127.0.0.1:1/weir`)
    expect(message).toContain('postgres://weir@127.0.0.1:1/weir did not answer')
    expect(message).not.toContain(secret)
  })

  test('where nobody answers fails the migration in the same words', async () => {
    const migrating = migrate(`postgres://weir:${secret}@127.0.0.1:1/weir`)
    await expect(migrating).rejects.toThrow(
      'cannot migrate the database: postgres://weir@127.0.0.1:1/weir did not answer',
    )
  })

  test('that refuses the password says what to check', async () => {
    const url = new URL(database.url)
    url.password = secret
    const { message } = await failure(url.href)
    expect(message).toContain('check user, password and database')
    expect(message).not.toContain(secret)
  })

  test('of a database without our schema says to migrate', async () => {
    const empty = await testDatabase({ name: 'empty', migrate: async () => undefined })
    expect((await failure(empty.url)).message).toContain('migrate it')
    await empty.drop()
  })
})
