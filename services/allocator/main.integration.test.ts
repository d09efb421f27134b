import { connectBus, type Bus } from '@weir/bus'
import {
  event,
  observationSubject,
  platformTenant,
  streamOf,
  type DomainEvent,
  type ServiceObservation,
  type StreamId,
  type TenantId,
} from '@weir/contract'
import { openStore, type Store } from '@weir/eventlog'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { eventually, testDatabase, testNats, type TestDatabase, type TestNats } from '@weir/testing'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { acme, connected, home, intentOf, poolCreated, uid } from './sample-world.ts'

const running: ChildProcess[] = []
let database: TestDatabase
let nats: TestNats
let bus: Bus
let store: Store
let order = 0

beforeAll(async () => {
  const ports = { clock: systemClock, ids: systemIds, logger: silentLogger }
  ;[database, nats] = await Promise.all([testDatabase(), testNats()])
  store = await openStore({ url: database.url, ...ports })
  bus = await connectBus({ ...ports, url: nats.url, name: 'test' })
  await bus.ensureStreams()
})
afterAll(async () => {
  await Promise.all(running.map(kill))
  await bus.close()
  await store.close()
  await nats.stop()
  await database.drop()
})

/** Starts an allocator and gives the port of its health server once it is ready. */
const start = async (): Promise<{ readonly child: ChildProcess; readonly port: number }> => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, DATABASE_URL: database.url, NATS_URL: nats.url },
  })
  running.push(child)
  const lines = createInterface({ input: child.stdout })
  const port = await new Promise<number>((resolve) => {
    lines.on('line', (line) => {
      const said = JSON.parse(line) as { msg: string; healthPort: number }
      if (said.msg === 'ready') resolve(said.healthPort)
    })
  })
  return { child, port }
}
const kill = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

const say = async (tenant: TenantId, stream: StreamId, said: DomainEvent): Promise<void> => {
  const story = stream.replace(/^\w+-/, '')
  const expectedVersion = (await store.log.story(tenant, story)).filter(
    ({ subject }) => subject === stream,
  ).length
  const commandId = `test/${stream}/${expectedVersion}`
  const events = [{ stream, expectedVersion, event: said }]
  const who = { actor: 'test', correlationId: story, causationId: 'test' }
  await store.log.append({ tenant, commandId, events, ...who })
}
const see = async (from: number, to: number, phase: ServiceObservation['phase'] = 'present') => {
  const seen = Array.from({ length: to - from + 1 }, (_, index): ServiceObservation => {
    order += 1
    const service = uid(from + index)
    const at = { tenant: acme, cluster: home, watcherEpoch: 1, order }
    const name = `s${from + index}`
    const seenAt = new Date(systemClock.now()).toISOString()
    const what = { serviceUid: service, namespace: 'default', name, phase, intent: intentOf() }
    return { kind: 'service', ...at, seenAt, ...what }
  })
  await bus.publish(
    seen.map((each) => ({ subject: observationSubject(each), body: JSON.stringify(each) })),
  )
}
const held = async (): Promise<readonly string[]> =>
  (await store.log.claims('address', '')).flatMap(({ holder }) => holder ?? [])

test('two processes give every Service one address, though one of them is killed', async () => {
  const [first, second] = await Promise.all([start(), start()])
  await see(1, 20)
  await say(acme, streamOf('cluster', home), connected())
  await say(platformTenant, streamOf('pool', 'public'), poolCreated('198.51.100.0/24'))
  await see(21, 60)
  await eventually(async () => (await held()).length > 5)
  await kill(first.child)
  // What the killed one had in hand comes back when its lease has run out.
  await eventually(async () => (await held()).length === 60, { deadlineMs: 60_000 })
  expect(new Set(await held()).size).toBe(60)
  for (let n = 1; n <= 60; n += 1) {
    const types = (await store.log.story(acme, uid(n))).map(({ type }) => type)
    expect(types.filter((type) => type === 'FrontendsAllocated')).toHaveLength(1)
  }

  await see(1, 1, 'gone')
  await eventually(
    async () => (await store.log.story(acme, uid(1))).at(-1)?.type === 'ReleaseRequested',
  )
  const key = `edge-${uid(1)}` as never
  const absent = event('ResourceAbsent', { key, epoch: 1, confirmedBy: ['test'] })
  const resource = streamOf('resource', key)
  const by = { actor: 'test', correlationId: uid(1), causationId: 'test' }
  const events = [{ stream: resource, expectedVersion: 0, event: absent }]
  await store.log.append({ tenant: acme, commandId: 'absent', events, ...by })
  await say(acme, streamOf('status', uid(1)), event('FinalizerRemoved', { objectGone: true }))
  await eventually(async () => (await held()).length === 59)

  const metrics = await (await fetch(`http://127.0.0.1:${second.port}/metrics`)).text()
  const value = (name: string): number =>
    Number(metrics.match(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm'))?.[1])
  expect(value('weir_reconciler_done_total')).toBeGreaterThan(0)
  expect(metrics).toMatch(/weir_pool_addresses\{.*pool="public".*state="held".*\} 59/)
  expect(metrics).toMatch(/weir_pool_addresses\{.*pool="public".*state="size".*\} 256/)
  expect(metrics).toMatch(/weir_stage_seconds_count\{.*stage="seen-to-allocated".*\} \d+/)
  expect(metrics).toMatch(/weir_appends_total\{.*outcome="appended".*\} \d+/)
}, 90_000)
