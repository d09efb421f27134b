import { connectBus, type Bus } from '@weir/bus'
import {
  desiredHash,
  driverName,
  edgeHeartbeatSubject,
  edgeId,
  edgeOrder,
  edgeReportSubject,
  event,
  fleetName,
  intentHash,
  streams,
  type DomainEvent,
  type EdgeOrder,
} from '@weir/contract'
import { openStore, type Store } from '@weir/eventlog'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { eventually, testDatabase, testNats, type TestDatabase, type TestNats } from '@weir/testing'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  allocated,
  connected,
  intentOf,
  releaseRequested,
  say,
  tenant,
  web,
} from './sample-world.ts'

const fleet = fleetName.parse('local')
const edge = edgeId.parse('stand-in')
const ending = new AbortController()
const running: ChildProcess[] = []
let database: TestDatabase
let nats: TestNats
let bus: Bus
let store: Store

beforeAll(async () => {
  const ports = { clock: systemClock, ids: systemIds, logger: silentLogger }
  ;[database, nats] = await Promise.all([testDatabase(), testNats()])
  store = await openStore({ url: database.url, ...ports })
  bus = await connectBus({ ...ports, url: nats.url, name: 'test' })
  await bus.ensureStreams()
  void bus.consume({
    stream: streams.edge.name,
    filter: `weir.edge.${fleet}.order.*`,
    from: 'last-of-each',
    signal: ending.signal,
    handle: async (messages) => {
      for (const { body } of messages) await obey(edgeOrder.parse(JSON.parse(body)))
    },
  })
  await beat()
})
afterAll(async () => {
  ending.abort()
  await Promise.all(running.map(kill))
  await bus.close()
  await store.close()
  await nats.stop()
  await database.drop()
})

/** An edge that obeys every order at once, on the real bus. */
const obey = async (order: EdgeOrder): Promise<void> => {
  const serve = order.order === 'serve'
  const marks = serve ? order.desired.marks : order.marks
  const generation = serve ? order.desired.generation : order.generation
  const report = {
    fleet,
    edge,
    key: marks.key,
    marks,
    generation,
    state: serve ? 'serving' : 'absent',
    problem: null,
    hash: serve ? desiredHash(order.desired) : '',
    targets: [],
    at: new Date(systemClock.now()).toISOString(),
  }
  held = serve ? [{ marks, generation }] : []
  await beat()
  const subject = edgeReportSubject(fleet, edge, marks.key)
  await bus.publish([{ subject, body: JSON.stringify(report) }])
}
let held: readonly unknown[] = []
const beat = async (): Promise<void> => {
  const at = new Date(systemClock.now()).toISOString()
  const body = JSON.stringify({
    fleet,
    edge,
    dataPlane: 'userspace',
    startedAt: at,
    at,
    resources: held,
  })
  await bus.publish([{ subject: edgeHeartbeatSubject(fleet, edge), body }])
}

const start = (more: Readonly<Record<string, string>> = {}): ChildProcess => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      DATABASE_URL: database.url,
      NATS_URL: nats.url,
      WEIR_FLEET: fleet,
      ...more,
    },
  })
  running.push(child)
  return child
}
const kill = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
const told = async (): Promise<readonly string[]> =>
  (await store.log.story(tenant, web))
    .filter(({ subject }) => subject.startsWith('resource-'))
    .map(({ type }) => type)

const requestedAtEdge: DomainEvent = event('LoadBalancerRequested', {
  cluster: connected.data.cluster.id,
  serviceUid: web,
  namespace: 'default',
  name: 'web',
  driver: driverName.parse('edge'),
  intent: intentOf(),
  intentHash: intentHash(intentOf()),
})

test('the process serves a life on the real log and the real bus, killed in the middle', async () => {
  const first = start()
  await say(store, connected, requestedAtEdge, allocated())
  await untilTold('ResourceIntended', 'ResourceProgrammed')
  await kill(first)
  await say(store, releaseRequested)
  // It dies by its own hand between the order to the edges and the word of it.
  const point = { WEIR_FAULT_POINT: 'provisioner.after-execute', WEIR_ALLOW_FAULT_POINTS: '1' }
  const [, signal] = (await once(start(point), 'exit')) as [unknown, string]
  expect(signal).toBe('SIGKILL')
  expect((await told()).at(-1)).toBe('ResourceDeleteIntended')
  start()
  await untilTold(
    'ResourceIntended',
    'ResourceProgrammed',
    'ResourceDeleteIntended',
    'ResourceAbsent',
  )
}, 120_000)

/** Whoever dies at work holds its key until its lease is over. */
const patience = { deadlineMs: 60_000 }
const untilTold = async (...expected: readonly string[]): Promise<void> => {
  await eventually(async () => {
    await beat()
    return (await told()).join() === expected.join()
  }, patience)
  expect(await told()).toEqual(expected)
}
