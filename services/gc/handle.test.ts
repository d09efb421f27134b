import { driverName, event, resourceKey, type DesiredResource } from '@weir/contract'
import type { Driver } from '@weir/drivers'
import { OperatingError } from '@weir/kernel'
import { describe, expect, test } from 'vitest'
import { desired } from './sample.ts'
import {
  absent,
  createWorld,
  edge,
  enough,
  intended,
  over,
  released,
  requested,
  type WorldOptions,
} from './world.ts'

const removed = [
  'gc OrphanCondemned',
  'gc ResourceDeleteIntended',
  'gc OrphanRemoved',
  'gc ResourceAbsent',
]
const withOrphan = async (options: WorldOptions = {}) => {
  const world = await createWorld(options)
  await world.say(requested, intended, released)
  world.driver.provider.plant(desired)
  return world
}
const epoch2: DesiredResource = { ...desired, marks: { ...desired.marks, epoch: 2 } }
const intended2 = event('ResourceIntended', { ...intended.data, epoch: 2, desired: epoch2 })

test('what is wanted stays, and nothing is said', async () => {
  const world = await createWorld()
  await world.say(requested, intended)
  world.driver.provider.plant(desired)
  await world.scans(enough)
  expect(world.exists()).toBe(1)
  expect(await world.told()).toEqual(['provisioner ResourceIntended'])
})

test('an orphan whose delete nobody finished goes, and the log tells each step', async () => {
  const world = await withOrphan()
  const cycles = await world.scans(enough)
  expect(world.exists()).toBe(0)
  expect((await world.told()).slice(1)).toEqual(removed)
  const [ended] = cycles.filter((cycle) => cycle.removed.length > 0)
  expect(ended?.seconds).toHaveLength(1)
})

test('a life does not end while the driver that it moved from may still have something', async () => {
  const world = await createWorld()
  const key = resourceKey.parse(`cloud-${desired.marks.service}`)
  const there: DesiredResource = { ...desired, marks: { ...desired.marks, key } }
  const former = { key, epoch: 1, driver: driverName.parse('cloud'), desired: there }
  await world.say(requested, event('ResourceIntended', { ...intended.data, ...former }))
  await world.say(intended2, released)
  world.driver.provider.plant(epoch2)
  await world.scans(enough)
  expect(world.exists()).toBe(0)
  expect((await world.told()).slice(2)).toEqual(removed.slice(0, 3))
})

test('what the provisioner began to delete is deleted on gc’s own evidence', async () => {
  const world = await withOrphan()
  const { key, epoch } = desired.marks
  const begun = { key, epoch, reason: 'released', evidence: 'x' } as const
  await world.say(event('ResourceDeleteIntended', begun))
  await world.scans(enough)
  expect((await world.told()).slice(2)).toEqual(removed)
})

test('what another process spared after this one looked is left alone', async () => {
  const world = await withOrphan()
  await world.scans(1)
  world.pass(100_000)
  const { key, epoch } = desired.marks
  const part = { key, epoch, driver: edge, kind: 'load balancer', ref: `${key}/${epoch}` }
  let taken = 0
  const sparing = (store: typeof world.store) => ({
    ...store,
    leases: {
      ...store.leases,
      // The first lease is for the scan, the second for the deletes.
      take: async () => {
        taken += 1
        if (taken === 2) await world.say(event('OrphanSpared', { ...part, why: 'by hand' }))
        return { fence: 1 }
      },
    },
  })
  await world.collectorOf('late', { store: sparing }).cycle()
  expect([taken, world.exists()]).toEqual([2, 1])
  expect(await world.told()).not.toContain('gc ResourceDeleteIntended')
})

test('the delete names the condemnation, and that names the release', async () => {
  const world = await withOrphan()
  await world.scans(enough)
  const { tenant, service } = desired.marks
  const story = await world.store.log.story(tenant, service)
  const release = story.find(({ type }) => type === 'ReleaseRequested')
  const condemned = story.find((each) => each.type === 'OrphanCondemned')
  const intent = story.find((each) => each.type === 'ResourceDeleteIntended')
  expect(condemned?.data.evidence).toBe(`ReleaseRequested ${release?.id}: service-deleted`)
  expect(condemned?.causationid).toBe(release?.id)
  expect(intent?.data).toMatchObject({ reason: 'orphan', evidence: condemned?.id })
})

test('what came back after its confirmed absence goes without a second one', async () => {
  const world = await createWorld()
  await world.say(requested, intended, released, absent, over)
  world.driver.provider.plant(desired)
  await world.scans(enough)
  expect(world.exists()).toBe(0)
  expect((await world.told()).slice(2)).toEqual(removed.slice(0, 3))
})

test('what has no intent, or marks of others, is reported and never deleted', async () => {
  const world = await createWorld()
  const marks = { ...desired.marks, installation: 'theirs' as never, key: `x${desired.marks.key}` }
  world.driver.provider.plant(desired)
  world.driver.provider.plant({ ...desired, marks: marks as never })
  const [last] = (await world.scans(enough)).slice(-1)
  expect(last?.report?.counts).toMatchObject({ 'no-intent': 1, foreign: 1, orphan: 0 })
  expect(world.exists()).toBe(2)
  expect(await world.told()).toEqual([])
})

test('a new installation condemns, deletes nothing, and goes on when it is approved', async () => {
  const world = await withOrphan({ approved: false })
  const [last] = (await world.scans(enough)).slice(-1)
  expect(last?.held.join()).toContain('weir gc approve')
  expect(await world.told()).toEqual(['provisioner ResourceIntended', 'gc OrphanCondemned'])
  expect(world.exists()).toBe(1)
  await world.say(event('CleanupApproved', {}))
  await world.scans(3)
  expect(world.exists()).toBe(0)
})

test('an orphan that an operator orders goes while gc only observes', async () => {
  const world = await withOrphan({ approved: false })
  await world.scans(1)
  const { tenant, service } = desired.marks
  const story = await world.store.log.story(tenant, service)
  const id = story.find(({ type }) => type === 'OrphanCondemned')?.id ?? ''
  await world.say(event('CleanupOrdered', { condemned: [id] }))
  await world.scans(enough)
  expect(world.exists()).toBe(0)
})

test('a restart keeps the grace that has run, for it is in the log', async () => {
  const world = await withOrphan({ rules: { graceMs: 90_000 } })
  await world.scans(1)
  const cycles = []
  for (const holder of ['second', 'third', 'fourth', 'fifth']) {
    world.pass(100_000) // the lease of the one before is over
    cycles.push(...(await world.collectorOf(holder).cycle()))
  }
  expect(cycles.map(({ condemned }) => condemned)).toEqual([0, 0, 0, 0])
  expect(world.exists()).toBe(0)
  expect(await world.told()).toContain('gc ResourceDeleteIntended')
})

test('one process at a time scans', async () => {
  const world = await createWorld()
  expect(await world.collectorOf('first').cycle()).toMatchObject([{ status: 'done' }])
  expect(await world.collectorOf('second').cycle()).toMatchObject([{ status: 'elsewhere' }])
})

test('two that both believe to be the one remove an orphan once', async () => {
  const world = await withOrphan()
  const noLease = (store: typeof world.store) => ({
    ...store,
    leases: { ...store.leases, take: async () => ({ fence: 1 }) },
  })
  const both = ['a', 'b'].map((holder) => world.collectorOf(holder, { store: noLease }))
  for (let scan = 0; scan < enough; scan += 1) {
    world.pass()
    await Promise.all(both.map((collector) => collector.cycle()))
  }
  expect(world.exists()).toBe(0)
  expect((await world.told()).slice(1)).toEqual(removed)
})

test('a new life that begins between the verdict and the delete wins', async () => {
  const world = await withOrphan()
  await world.scans(1)
  world.pass(100_000)
  let asked = 0
  const racing = (store: typeof world.store) => ({
    ...store,
    log: {
      ...store.log,
      append: async (request: Parameters<typeof store.log.append>[0]) => {
        const isDelete = request.events.some(({ event }) => event.type === 'ResourceDeleteIntended')
        if (isDelete && (asked += 1) === 1) await world.say(absent, over, requested, intended2)
        return store.log.append(request)
      },
    },
  })
  await world.collectorOf('racing', { store: racing }).cycle()
  expect(asked).toBe(1)
  expect(world.exists()).toBe(1)
  expect(await world.told()).not.toContain('gc ResourceDeleteIntended')
})

test('an epoch that lives again under the same key is never touched', async () => {
  const world = await withOrphan()
  await world.scans(1)
  await world.say(absent, over, requested, intended2)
  world.driver.provider.uproot(desired.marks.key)
  world.driver.provider.plant(epoch2)
  await world.scans(enough)
  expect(world.driver.provider.world()).toEqual([epoch2])
  expect(await world.told()).toContain('gc OrphanSpared')
})

test.each([1, 2])('a provider that says absent %s times too early is asked anew', async (times) => {
  let lies = times
  const early = (driver: Driver): Driver => ({
    ...driver,
    release: async (item) => ((lies -= 1) >= 0 ? { status: 'done' } : driver.release(item)),
  })
  const world = await withOrphan({ driver: early })
  const told = async () => (await world.told()).includes('gc OrphanRemoved')
  await world.scans(2 + times)
  expect([world.exists(), await told()]).toEqual([1, false])
  await world.scans(enough)
  expect([world.exists(), await told()]).toEqual([0, true])
})

test('two reads within the time between them are one', async () => {
  const world = await withOrphan()
  await world.scans(1)
  const collector = world.collectorOf('first')
  world.pass(60_000)
  for (let look = 0; look < 5; look += 1) {
    world.pass(3000)
    await collector.cycle()
  }
  expect(world.exists()).toBe(0)
  expect(await world.told()).not.toContain('gc OrphanRemoved')
})

describe('nothing is deleted or judged', () => {
  const broken: readonly [string, WorldOptions][] = [
    [
      'inventory-incomplete',
      {
        driver: (driver) => ({
          ...driver,
          inventory: async () => Promise.reject(new OperatingError('page 2 of 3 is missing')),
        }),
      },
    ],
    [
      'inventory-empty',
      {
        driver: (driver) => ({ ...driver, inventory: async () => ({ resources: [] }) }),
      },
    ],
    [
      'account',
      {
        driver: (driver) => ({
          ...driver,
          probe: async () => ({ status: 'refused', problem: 'another account' }),
        }),
      },
    ],
    ['schema', { store: (store) => ({ ...store, schemaProblem: async () => 'migrating' }) }],
  ]
  test.each(broken)('while %s', async (name, options) => {
    const world = await withOrphan()
    // Something else lives, so that an empty list contradicts the log.
    await world.scans(1)
    const live = broken.length > 0 && name === 'inventory-empty'
    if (live) await world.say(absent, over, requested, intended2)
    world.pass(200_000)
    const before = await world.told()
    const [cycle] = await world.collectorOf('hindered', options).cycle()
    expect(cycle?.report?.hindrances.map((each) => each.name)).toEqual([name])
    expect(cycle?.held[0]).toContain(name)
    expect([world.exists(), await world.told()]).toEqual([1, before])
  })

  test('while the log is of another installation', async () => {
    const world = await createWorld()
    const marks = { ...desired.marks, installation: 'theirs' as never }
    const theirs = { ...intended.data, desired: { ...desired, marks } }
    await world.say(requested, event('ResourceIntended', theirs), released)
    world.driver.provider.plant(desired)
    const [last] = (await world.scans(enough)).slice(-1)
    expect(last?.held.join()).toContain('installation')
    expect(world.exists()).toBe(1)
  })

  test('while the log ends before its head', async () => {
    const world = await withOrphan()
    const follower = (store: typeof world.store) => ({
      ...store,
      log: { ...store.log, after: async () => [] },
    })
    const { createLogFollower } = await import('@weir/drivers')
    expect(await createLogFollower(follower(world.store).log).catchUp()).toContain('was read to 0')
  })
})

test('many that lose their reason at once suspend cleanup, until somebody approves again', async () => {
  const world = await withOrphan({ rules: { breakerAtLeast: 0, breakerShare: 0.5 } })
  const cycles = await world.scans(enough)
  expect(world.exists()).toBe(1)
  const { platformTenant } = await import('@weir/contract')
  const story = await world.store.log.story(platformTenant, 'cleanup')
  expect(story.map(({ type }) => type)).toEqual(['CleanupApproved', 'CleanupSuspended'])
  expect(cycles.at(-1)?.held.join()).toContain('1 of 1 resources')
  await world.say(event('CleanupApproved', {}))
  await world.scans(3)
  expect(world.exists()).toBe(0)
})
