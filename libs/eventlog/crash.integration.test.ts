import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres, type Postgres } from '@weir/embedded'
import { OperatingError, silentLogger } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AppendRequest, Store } from './eventlog.ts'
import {
  fact,
  fresh,
  freshStream,
  freshTenant,
  ports,
  request,
  sequences,
  upTo,
} from './facts.conformance.ts'
import { migrate } from './migrate.ts'
import { openStore } from './postgres-store.ts'
import { createReconciler } from './reconciler.ts'

let folder: string
let server: Postgres
let store: Store
const dataDir = (): string => join(folder, 'data')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weir-eventlog-'))
  server = await startPostgres({ dataDir: dataDir(), port: 0 })
  await migrate(server.url)
  store = await openStore({ url: server.url, ...ports, logger: silentLogger, poolSize: 4 })
})
afterAll(async () => {
  await store.close()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

test('a server killed under load loses nothing it confirmed, records nothing half, and work goes on', async () => {
  const tenant = freshTenant()
  const consumer = fresh('k')
  const worked = new Set<string>()
  const reconciler = createReconciler({
    consumer,
    store,
    ...ports,
    logger: silentLogger,
    retry: { minMs: 20, maxMs: 200 },
    passMs: 100,
    leaseMs: 500,
    keysOf: ({ correlationid }) => [correlationid],
    reconcile: async ({ key }) => void worked.add(key),
  })
  const stop = new AbortController()
  const run = reconciler.run(stop.signal)

  const confirmed: AppendRequest[] = []
  const strange: unknown[] = []
  /** Appends until it is confirmed, as a service would: the same command again and again. */
  const insist = async (asked: AppendRequest): Promise<void> => {
    await eventually(
      async () => {
        try {
          const { status } = await store.log.append(asked)
          return status === 'appended' || status === 'repeated'
        } catch (error) {
          if (!(error instanceof OperatingError)) strange.push(error)
          return false
        }
      },
      { deadlineMs: 25_000 },
    )
    confirmed.push(asked)
  }
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    for (let index = 0; index < 40; index += 1) {
      const events = [fact(freshStream(), 0), fact(freshStream(), 0)]
      const correlationId = `w${writer}-${index}`
      await insist(request(tenant, fresh('c'), { correlationId, events }))
    }
  })
  for (const enough of [60, 180]) {
    await eventually(() => confirmed.length > enough, { deadlineMs: 25_000 })
    await server.kill()
    server = await startPostgres({ dataDir: dataDir(), port: server.port })
  }
  await Promise.all(writers)
  expect(strange).toEqual([])

  const all = await store.log.after(tenant, 0, 10_000)
  expect(sequences(all)).toEqual(upTo(8 * 40 * 2))
  const byStory = Map.groupBy(all, ({ correlationid }) => correlationid)
  for (const { correlationId } of confirmed) expect(byStory.get(correlationId)).toHaveLength(2)
  await eventually(() => worked.size === 8 * 40)
  stop.abort()
  await run
})
