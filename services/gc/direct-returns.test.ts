import { createMemoryBus } from '@weir/bus'
import {
  clusterId,
  driverName,
  edgeHeartbeatSubject,
  edgeId,
  event,
  fleetName,
  serviceUid,
  streamOf,
  tenantId,
  type DomainEvent,
} from '@weir/contract'
import { createMemoryStore } from '@weir/eventlog'
import { silentLogger, systemIds, type Clock } from '@weir/kernel'
import { expect, test } from 'vitest'
import { createDirectReturns } from './direct-returns.ts'
import { heartbeatsOf } from './edge-words.ts'

const tenant = tenantId.parse('acme')
const cluster = clusterId.parse('5a8f7a52-0c1e-4a7b-9d1c-3a1f7c2b9e10')
const service = serviceUid.parse('0b2c7d1e-64f3-4c55-8f2a-91d7e0a4b6c3')
const fleet = fleetName.parse('local')
const edge = driverName.parse('edge')
const settleMs = 90_000

const changed = (driver: string): DomainEvent =>
  event('ClusterChanged', {
    cluster: {
      id: cluster,
      tenant,
      name: 'one',
      server: 'https://127.0.0.1:6443',
      driver: driverName.parse(driver),
      defaultClass: true,
      nodeCidrs: ['10.0.0.0/8' as never],
    },
  })
const shown = event('StatusPublished', {
  epoch: 1,
  generation: 1,
  ingress: [],
  resourceVersion: '1',
} as never)

const open = async () => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const clock: Clock = { now: () => now, sleep: async () => undefined }
  const bus = createMemoryBus({ clock, random: () => 0.5 })
  const store = createMemoryStore({ clock, ids: systemIds })
  const recorder = () => {
    const { log, observed } = store
    const { record } = createDirectReturns({ log, observed, clock, logger: silentLogger, settleMs })
    return { record: async () => record({ driver: edge, beats: await heartbeatsOf(bus, fleet) }) }
  }
  const say = async (category: 'cluster' | 'status', said: DomainEvent): Promise<void> => {
    const id = category === 'cluster' ? cluster : service
    const stream = streamOf(category, id)
    const story = await store.log.story(tenant, id)
    const expectedVersion = story.filter(({ subject }) => subject === stream).length
    const about = { tenant, actor: 'test', correlationId: id, causationId: 'test' }
    const commandId = `${id}/${expectedVersion}`
    await store.log.append({
      ...about,
      commandId,
      events: [{ stream, expectedVersion, event: said }],
    })
  }
  const beat = async (name: string, answering: readonly string[], silent: readonly string[]) => {
    const at = new Date(now).toISOString()
    const call = { service, frontend: '203.0.113.10:80/TCP', since: at }
    const found = { tenant, cluster, answering, silent: silent.map((node) => ({ node, ...call })) }
    const about = { fleet, edge: name, dataPlane: 'kernel', startedAt: at, at, resources: [] }
    const subject = edgeHeartbeatSubject(fleet, edgeId.parse(name))
    await bus.publish([{ subject, body: JSON.stringify({ ...about, returns: [found] }) }])
  }
  const told = async () =>
    (await store.log.story(tenant, cluster)).flatMap((each) =>
      each.type === 'DirectReturnFailed' ? [each.data.nodes.join(' ')] : [],
    )
  return { recorder, say, beat, told, pass: (ms: number) => (now += ms) }
}
type World = Awaited<ReturnType<typeof open>>

/** A cluster of the driver, with a Service that has shown its address for long. */
const settled = async (driver = 'edge'): Promise<World> => {
  const world = await open()
  await world.say('cluster', changed(driver))
  await world.say('status', shown)
  world.pass(settleMs + 1)
  return world
}

test('nodes that no edge is answered by are recorded once, by however many and however often', async () => {
  const world = await settled()
  const [one, other] = [world.recorder(), world.recorder()]
  await world.beat('e1', [], ['n1', 'n2'])
  const counts = await Promise.all([one.record(), other.record()])
  expect(counts.reduce((sum, count) => sum + count)).toBe(1)
  expect(await one.record()).toBe(0)
  expect(await world.told()).toEqual(['n1 n2'])
})

test('they are recorded again when they are silent after somebody had the driver serve again', async () => {
  const world = await settled()
  const recorder = world.recorder()
  await world.beat('e1', [], ['n1'])
  await recorder.record()
  await world.say('cluster', changed('edge'))
  await recorder.record()
  expect(await world.told(), 'its Services are not there yet').toEqual(['n1'])
  world.pass(settleMs + 1)
  await world.beat('e1', [], ['n1'])
  await recorder.record()
  expect(await world.told()).toEqual(['n1', 'n1'])
})

test.each<[string, () => Promise<World>]>([
  [
    'another edge is answered',
    async () => {
      const world = await settled()
      await world.beat('e1', [], ['n1'])
      await world.beat('e2', ['n1'], [])
      return world
    },
  ],
  [
    'the cluster is served by another driver',
    async () => {
      const world = await settled('proxies')
      await world.beat('e1', [], ['n1'])
      return world
    },
  ],
  [
    'the status shows the address since just now, so nodes may not know it yet',
    async () => {
      const world = await open()
      await world.say('cluster', changed('edge'))
      world.pass(settleMs + 1)
      await world.say('status', shown)
      await world.beat('e1', [], ['n1'])
      return world
    },
  ],
  [
    'the edge that was not answered is not heard of any more',
    async () => {
      const world = await settled()
      await world.beat('e1', [], ['n1'])
      world.pass(120_000)
      return world
    },
  ],
])('nothing is recorded while %s', async (_, make) => {
  const world = await make()
  expect(await world.recorder().record()).toBe(0)
  expect(await world.told()).toEqual([])
})
