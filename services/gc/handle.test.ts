import { event, intentHash, streamOf, type DesiredResource, type DomainEvent } from '@weir/contract'
import { createAuditor, createMemoryDriver } from '@weir/drivers'
import { createMemoryStore } from '@weir/eventlog'
import { silentLogger, systemIds, type Clock } from '@weir/kernel'
import { expect, test } from 'vitest'
import { createCollector } from './handle.ts'
import { desired, installation, intent } from './sample.ts'

const createWorld = (mode: 'observe' | 'apply' = 'apply') => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const clock: Clock = { now: () => now, sleep: async () => undefined }
  const store = createMemoryStore({ clock, ids: systemIds })
  const driver = createMemoryDriver({ name: 'edge', installation })
  const collectorOf = (holder: string) =>
    createCollector({
      store,
      driver,
      installation,
      clock,
      logger: silentLogger,
      holder,
      intervalMs: 30_000,
      rules: { mode, scans: 2, graceMs: 60_000, atMost: 20, atMostShare: 0.1 },
    })
  const collector = collectorOf('first')
  const { tenant, cluster, service, key, epoch } = desired.marks
  const say = async (...events: readonly DomainEvent[]): Promise<void> => {
    for (const one of events) {
      const resource = one.type.startsWith('Resource')
      const stream = resource ? streamOf('resource', key) : streamOf('lb', service)
      const story = await store.log.story(tenant, service)
      const expectedVersion = story.filter(({ subject }) => subject === stream).length
      await store.log.append({
        tenant,
        commandId: `said/${stream}/${expectedVersion}`,
        events: [{ stream, expectedVersion, event: one }],
        actor: resource ? 'provisioner' : 'allocator',
        correlationId: service,
        causationId: 'test',
      })
    }
  }
  const requested = event('LoadBalancerRequested', {
    cluster,
    serviceUid: service,
    namespace: 'default',
    name: 'web',
    driver: desired.driver,
    intent,
    intentHash: intentHash(intent),
  })
  const intended = event('ResourceIntended', {
    key,
    epoch,
    generation: 1,
    driver: desired.driver,
    externalName: key,
    desired,
  })
  return {
    store,
    driver,
    collectorOf,
    say,
    requested,
    intended,
    /** Three scans, a minute and a bit apart in all. */
    scans: async () => {
      const removed: string[] = []
      for (let scan = 0; scan < 3; scan += 1) {
        removed.push(...(await collector.cycle()).removed)
        now += 40_000
      }
      return removed
    },
    told: async () =>
      (await store.log.story(tenant, service))
        .filter(({ subject }) => subject.startsWith('resource-'))
        .map(({ type, actor }) => `${actor} ${type}`),
    exists: () => driver.provider.world().length,
  }
}

const released = event('ReleaseRequested', { reason: 'service-deleted' })
const over = event('FrontendsReleased', { leases: [], frontends: [], quarantineUntil: null })
const absent = event('ResourceAbsent', {
  key: desired.marks.key,
  epoch: 1,
  confirmedBy: ['edge'],
})

test('what is wanted stays', async () => {
  const world = createWorld()
  await world.say(world.requested, world.intended)
  world.driver.provider.plant(desired)
  expect(await world.scans()).toEqual([])
  expect(world.exists()).toBe(1)
})

test('an orphan whose delete nobody finished goes, intent first', async () => {
  const world = createWorld()
  await world.say(world.requested, world.intended, released)
  world.driver.provider.plant(desired)
  expect(await world.scans()).toHaveLength(1)
  expect(world.exists()).toBe(0)
  expect((await world.told()).slice(1)).toEqual(['gc ResourceDeleteIntended', 'gc ResourceAbsent'])
})

test('what an old list shows and a fresh read does not find is no finding', async () => {
  const world = createWorld()
  await world.say(world.requested, world.intended, released, absent)
  world.driver.provider.plant(desired)
  const stale = await world.driver.inventory()
  world.driver.provider.uproot(desired.marks.key)
  const driver = { ...world.driver, inventory: async () => stale }
  const auditor = createAuditor({ driver, log: world.store.log, installation })
  expect((await auditor.audit()).findings).toEqual([])
  world.driver.provider.plant(desired)
  expect((await auditor.audit()).findings).toHaveLength(1)
})

test('what came back after its confirmed absence goes without a second one', async () => {
  const world = createWorld()
  await world.say(world.requested, world.intended, released, absent, over)
  world.driver.provider.plant(desired)
  expect(await world.scans()).toHaveLength(1)
  expect(world.exists()).toBe(0)
  expect((await world.told()).slice(2)).toEqual(['gc ResourceDeleteIntended'])
})

test('what has no intent, or marks of others, is reported and never deleted', async () => {
  const world = createWorld()
  const theirs: DesiredResource = {
    ...desired,
    marks: {
      ...desired.marks,
      installation: 'theirs' as never,
      key: `x${desired.marks.key}` as never,
    },
  }
  world.driver.provider.plant(desired)
  world.driver.provider.plant(theirs)
  expect(await world.scans()).toEqual([])
  const { report } = await world.collectorOf('first').cycle()
  expect(report?.counts).toMatchObject({ 'no-intent': 1, foreign: 1, orphan: 0 })
  expect(world.exists()).toBe(2)
})

test('an intent that is recorded while gc looks saves the resource', async () => {
  const world = createWorld()
  await world.say(world.requested, world.intended, released)
  world.driver.provider.plant(desired)
  const collector = world.collectorOf('first')
  await collector.cycle()
  await world.say(absent, over, world.requested)
  const next = { ...desired, marks: { ...desired.marks, epoch: 2 } }
  await world.say({ ...world.intended, data: { ...world.intended.data, epoch: 2, desired: next } })
  world.driver.provider.plant(next)
  expect(await world.scans()).toEqual([])
  expect(world.exists()).toBe(1)
})

test('observe mode and an empty inventory delete nothing and say so', async () => {
  const world = createWorld('observe')
  await world.say(world.requested, world.intended, released)
  world.driver.provider.plant(desired)
  expect(await world.scans()).toEqual([])
  const empty = createWorld()
  await empty.say(empty.requested, empty.intended)
  expect((await empty.collectorOf('first').cycle()).held).toContain('inventory is empty')
})

test('one process at a time scans', async () => {
  const world = createWorld()
  expect((await world.collectorOf('first').cycle()).status).toBe('done')
  expect((await world.collectorOf('second').cycle()).status).toBe('elsewhere')
})

test('an address whose holder is over is reported', async () => {
  const world = createWorld()
  await world.say(world.requested)
  const { tenant, service } = desired.marks
  const take = { change: 'take', scope: 'address', key: '127.1.0.1', holder: service } as const
  await world.store.log.append({
    tenant,
    commandId: 'take',
    events: [],
    claims: [take],
    actor: 'allocator',
    correlationId: service,
    causationId: 'test',
  })
  expect((await world.collectorOf('first').cycle()).report?.strayClaims).toEqual([])
  await world.say(released, over)
  const { report } = await world.collectorOf('first').cycle()
  expect(report?.strayClaims).toMatchObject([{ key: '127.1.0.1', holder: service }])
})
