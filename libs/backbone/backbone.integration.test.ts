import type { Bus } from '@weir/bus'
import {
  event,
  eventSubject,
  streamOf,
  tenantId,
  type RecordedEvent,
  type TenantId,
} from '@weir/contract'
import { createReconciler } from '@weir/eventlog'
import { silentLogger, systemClock, systemIds, type Logger } from '@weir/kernel'
import { createHealth, createMetrics } from '@weir/runtime'
import { eventually, testDatabase, testNats, type TestDatabase, type TestNats } from '@weir/testing'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openBackbone, type Backbone } from './backbone.ts'

let database: TestDatabase
let nats: TestNats
beforeAll(async () => {
  ;[database, nats] = await Promise.all([testDatabase(), testNats()])
})
afterAll(async () => {
  await nats.stop()
  await database.drop()
})
const ending: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(ending.splice(0).map((end) => end()))
})

const open = async (service: string, log: Logger = silentLogger) => {
  const stop = new AbortController()
  const metrics = createMetrics(service)
  const health = createHealth()
  const context = {
    config: { DATABASE_URL: database.url, NATS_URL: nats.url },
    log,
    clock: systemClock,
    ids: systemIds,
    signal: stop.signal,
    health,
    metrics,
  }
  const backbone = await openBackbone(context, service)
  const end = async (): Promise<void> => {
    stop.abort()
    await backbone.stop()
  }
  ending.push(end)
  const value = async (name: string): Promise<number> => {
    const { text } = await metrics.exposition()
    return Number(text.match(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm'))?.[1])
  }
  return { ...backbone, health, metrics, end, value }
}

const freshTenant = (): TenantId => tenantId.parse(`t${systemIds.uuid().slice(-12)}`)

const append = async (
  { store }: Pick<Backbone, 'store'>,
  tenant: TenantId,
  version: number,
): Promise<RecordedEvent> => {
  const outcome = await store.log.append({
    tenant,
    commandId: `test/${version}`,
    events: [
      {
        stream: streamOf('tenant', tenant),
        expectedVersion: version,
        event: event('TenantCreated', { tenant, name: `n${version}` }),
      },
    ],
    actor: 'test',
    correlationId: tenant,
    causationId: 'test',
  })
  const recorded = outcome.status === 'appended' ? outcome.events[0] : undefined
  if (recorded === undefined) throw new Error(`append: ${outcome.status}`)
  return recorded
}

/** A reconciler that notes when it was called for which tenant, and how far its log was taken in. */
const follow = (backbone: Backbone, consumer: string) => {
  const reached = new Map<string, { readonly sequence: number; readonly at: number }>()
  const newest = new Map<string, number>()
  const reconciler = createReconciler({
    consumer,
    store: backbone.store,
    clock: systemClock,
    ids: systemIds,
    logger: silentLogger,
    keysOf: (recorded) => {
      newest.set(recorded.tenantid, recorded.sequence)
      return [recorded.correlationid]
    },
    reconcile: async ({ tenant }) => {
      reached.set(tenant, { sequence: newest.get(tenant) ?? 0, at: systemClock.now() })
      return {}
    },
  })
  backbone.feed(reconciler, consumer)
  const until = (tenant: TenantId, sequence: number, deadlineMs = 10_000) =>
    eventually(
      () => (reached.get(tenant)?.sequence ?? 0) >= sequence && (reached.get(tenant)?.at ?? false),
      { deadlineMs },
    )
  return { until, reconciler }
}

test('an append of one process reaches the reconciler of another within 100 ms', async () => {
  const [writer, reader] = [await open('writer'), await open('reader')]
  const { until } = follow(reader, systemIds.uuid())
  const tenant = freshTenant()
  await append(writer, tenant, 0)
  await until(tenant, 1)
  const took: number[] = []
  for (let version = 1; version <= 40; version += 1) {
    const began = systemClock.now()
    await append(writer, tenant, version)
    took.push((await until(tenant, version + 1)) - began)
  }
  expect(took.toSorted((a, b) => a - b)[20]).toBeLessThan(100)
  expect(await writer.value('weir_appends_total')).toBe(41)
  expect(await reader.value('weir_reconciler_done_total')).toBeGreaterThan(0)
  expect(await reader.value('weir_reconciler_ingested_total')).toBeGreaterThanOrEqual(41)
  expect((await writer.metrics.exposition()).text).toMatch(/weir_stage_seconds_count\{.*append/)
})

test('what a process appends for a tenant that it carries is published without a read', async () => {
  const alone = await open('alone')
  const { until } = follow(alone, systemIds.uuid())
  const tenant = freshTenant()
  await eventually(async () => (await alone.value('weir_relay_shards')) === 16, {
    deadlineMs: 25_000,
  })
  await append(alone, tenant, 0)
  await until(tenant, 1)
  const [reads, published] = [
    await alone.value('weir_relay_reads_total'),
    await alone.value('weir_relay_published_total'),
  ]
  for (let version = 1; version <= 20; version += 1) {
    await append(alone, tenant, version)
    await until(tenant, version + 1)
  }
  expect(await alone.value('weir_relay_published_total')).toBe(published + 20)
  expect((await alone.value('weir_relay_reads_total')) - reads).toBeLessThanOrEqual(5)
}, 40_000)

test('with JetStream wiped between appends nothing is missed', async () => {
  const [writer, reader] = [await open('writer'), await open('reader')]
  const { until } = follow(reader, systemIds.uuid())
  const tenant = freshTenant()
  for (let version = 0; version < 10; version += 1) await append(writer, tenant, version)
  await nats.wipe()
  for (let version = 10; version < 20; version += 1) await append(writer, tenant, version)
  await until(tenant, 20, 20_000)
  await append(writer, tenant, 20)
  await until(tenant, 21, 20_000)
}, 60_000)

test('a message that nobody can read is parked alone, and said aloud', async () => {
  const said: string[] = []
  const note = (_fields: object, message: string): void => void said.push(message)
  const log: Logger = { ...silentLogger, error: note, warn: note }
  const [writer, reader] = [await open('writer'), await open('reader', log)]
  const { until } = follow(reader, systemIds.uuid())
  const tenant = freshTenant()
  const recorded = await append(writer, tenant, 0)
  await until(tenant, 1)
  const subject = eventSubject(recorded)
  const bus: Bus = writer.bus
  await bus.publish(['', 'not json', '[]', '{"type":"?"}'].map((body) => ({ subject, body })))
  await append(writer, tenant, 1)
  await until(tenant, 2)
  await eventually(() => said.includes('a message was parked'))
})

test('stop ends everything', async () => {
  const one = await open('one')
  follow(one, systemIds.uuid())
  const tenant = freshTenant()
  await append(one, tenant, 0)
  await one.end()
  ending.pop()
  expect(one.bus.connected()).toBe(false)
  await expect(one.store.ping()).rejects.toThrow(/./)
  // Its shards are let go of: the next process carries them at once.
  const two = await open('two')
  await eventually(async () => (await two.value('weir_relay_shards')) === 16, { deadlineMs: 5_000 })
  expect(await two.health.failing()).toEqual({})
})
