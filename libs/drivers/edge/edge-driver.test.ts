import {
  desiredHash,
  edgeHeartbeatSubject,
  edgeId,
  edgeLifetimes,
  edgeOrderSubject,
  fleetName,
  type DesiredResource,
} from '@weir/contract'
import type { Clock } from '@weir/kernel'
import { describe, expect, test } from 'vitest'
import { remove, serve } from '../carry-out.ts'
import { desiredOf, ourInstallation } from '../sample-desired.ts'
import { createEdgeDriver } from './edge-driver.ts'
import { createStandinBus, createStandinEdge, type StandinBus } from './fleet-standin.ts'

const fleet = fleetName.parse('local')
const order = (desired: DesiredResource) => ({ order: 'serve', fleet, desired }) as const

/** A driver and a fleet of stand-in edges; `reading` feeds the driver's view from the bus. */
const createFleet = async (names: readonly string[], reading = true) => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const clock: Clock = { now: () => now, sleep: async () => undefined }
  const bus = createStandinBus()
  const edges = names.map((name) => createStandinEdge(bus, clock, { fleet, name }))
  for (const edge of edges) edge.beat()
  const driver = createEdgeDriver({ bus, clock, fleet, installation: ourInstallation })
  if (reading) void driver.run(AbortSignal.timeout(60_000))
  await Promise.resolve()
  return {
    bus,
    edges,
    driver,
    /** The driver of a process that has seen nothing yet. */
    anew: () => createEdgeDriver({ bus, clock, fleet, installation: ourInstallation }),
    advance: (ms: number) => (now += ms),
    work: async () => {
      now += 10
      for (const edge of edges) await edge.work()
    },
  }
}

const ready = async (
  { driver }: Awaited<ReturnType<typeof createFleet>>,
  desired: DesiredResource,
) => {
  const seen = await driver.observe(desired.marks)
  return seen.status === 'present' && seen.ready
}

describe('a fleet', () => {
  test('is ready with a majority of its live edges', async () => {
    const world = await createFleet(['one', 'two', 'three'])
    await serve(world.driver, desiredOf())
    await world.edges[0]?.work()
    expect(await ready(world, desiredOf())).toBe(false)
    await world.edges[1]?.work()
    expect(await ready(world, desiredOf())).toBe(true)
  })

  test('answers from the bus alone when nobody feeds the view', async () => {
    const world = await createFleet(['one'], false)
    await serve(world.driver, desiredOf())
    await world.work()
    const later = createEdgeDriver({
      bus: world.bus,
      clock: { now: () => Date.parse('2026-01-01T00:00:01Z'), sleep: async () => undefined },
      fleet,
      installation: ourInstallation,
    })
    expect(await later.observe(desiredOf().marks)).toMatchObject({ ready: true })
  })

  test('tells where its edges send new flows, once all that serve tell it', async () => {
    const world = await createFleet(['one', 'two'])
    await serve(world.driver, desiredOf())
    world.edges[0]?.steer({ b: 0 })
    await world.work()
    const before = await world.driver.observe(desiredOf().marks)
    expect(before.status === 'present' && before.flows).toBeUndefined()
    world.edges[1]?.steer({ a: 0, b: 0 })
    await world.work()
    const seen = await world.driver.observe(desiredOf().marks)
    const flows = seen.status === 'present' ? seen.flows : undefined
    expect([...(flows?.nodes ?? [])].map(([node, { weight }]) => `${node} ${weight}`)).toEqual([
      'a 1',
      'b 0',
    ])
  })

  test('has nothing absent until every edge said so', async () => {
    const world = await createFleet(['one', 'two'])
    await serve(world.driver, desiredOf())
    await world.work()
    await remove(world.driver, desiredOf().marks)
    await world.edges[0]?.work()
    expect((await world.driver.observe(desiredOf().marks)).status).not.toBe('absent')
    await world.edges[1]?.work()
    expect(await world.driver.observe(desiredOf().marks)).toMatchObject({
      status: 'absent',
      confirmedBy: ['one', 'two'],
    })
  })

  test('waits for a silent edge until it counts as gone', async () => {
    const world = await createFleet(['one', 'two'])
    await serve(world.driver, desiredOf())
    await world.edges[0]?.work()
    await remove(world.driver, desiredOf().marks)
    for (const [seconds, status] of [
      [60, 'unknown'],
      [400, 'absent'],
    ] as const) {
      world.advance(seconds * 1000)
      await world.edges[0]?.work()
      await world.edges[0]?.work()
      expect((await world.driver.observe(desiredOf().marks)).status).toBe(status)
    }
  })

  test('shows in its inventory what an edge serves that came back from the dead', async () => {
    const world = await createFleet(['one'])
    world.edges[0]?.plant(order(desiredOf(7)))
    world.edges[0]?.beat()
    const { resources } = await world.driver.inventory()
    expect(resources.map(({ marks }) => marks)).toEqual([desiredOf(7).marks])
  })

  test('of which an edge told only a part has no inventory, and nothing is absent', async () => {
    const world = await createFleet(['one', 'two'])
    const part = { number: 1, count: 2, revision: 'a' }
    const beat = await world.bus.last('EDGE', edgeHeartbeatSubject(fleet, edgeId.parse('two')))
    const three = { ...JSON.parse(beat!.body), edge: 'three', part }
    const subject = edgeHeartbeatSubject(fleet, edgeId.parse('three'), 1)
    world.bus.tell({ subject, body: JSON.stringify(three) })
    for (const driver of [world.driver, world.anew()]) {
      expect(await driver.observe(desiredOf().marks)).toMatchObject({ status: 'unknown' })
      await expect(driver.inventory()).rejects.toThrow('three has not told all yet')
    }
  })

  test('without any edge has no inventory', async () => {
    const world = await createFleet([])
    await expect(world.driver.inventory()).rejects.toThrow('no edge')
  })

  test('is told again after the bus lost everything, and serves on meanwhile', async () => {
    const world = await createFleet(['one'])
    await serve(world.driver, desiredOf())
    await world.work()
    world.bus.wipe()
    world.edges[0]?.beat()
    const before = world.bus.published()
    await serve(world.driver, desiredOf())
    expect(world.bus.published()).toBe(before + 1)
    await world.work()
    expect(await ready(world, desiredOf())).toBe(true)
  })

  test('forgets tombstones and their answers after a day, and nothing else', async () => {
    const world = await createFleet(['one', 'two'])
    await serve(world.driver, desiredOf(1))
    await serve(world.driver, desiredOf(2))
    await world.work()
    await remove(world.driver, desiredOf(1).marks)
    await world.work()
    world.bus.endAfter(edgeLifetimes.tombstoneMs)
    world.edges.forEach((edge) => edge.beat())
    const subjects: string[] = []
    for await (const { subject } of world.bus.lastOfEach('EDGE', `weir.edge.${fleet}.>`)) {
      subjects.push(subject)
    }
    expect(subjects.toSorted()).toEqual([
      edgeHeartbeatSubject(fleet, edgeId.parse('one')),
      edgeHeartbeatSubject(fleet, edgeId.parse('two')),
      edgeOrderSubject(fleet, desiredOf(2).marks.key),
    ])
  })

  test.each([
    ['ended', (bus: StandinBus) => bus.endAfter(edgeLifetimes.tombstoneMs)],
    ['were lost with all else', (bus: StandinBus) => bus.wipe()],
  ])('has absent what it removed after tombstone and answers %s', async (_how, loseThem) => {
    const world = await createFleet(['one', 'two'])
    await serve(world.driver, desiredOf())
    await world.work()
    await remove(world.driver, desiredOf().marks)
    await world.work()
    loseThem(world.bus)
    world.edges.forEach((edge) => edge.beat())
    for (const driver of [world.driver, world.anew()]) {
      const seen = await driver.observe(desiredOf().marks)
      expect(seen).toMatchObject({ status: 'absent', confirmedBy: ['one', 'two'] })
    }
  })

  test('answers anew to a removal that finds no tombstone, however absent all looks', async () => {
    const world = await createFleet(['one'])
    const driver = world.anew()
    expect(await remove(driver, desiredOf().marks)).toMatchObject({ status: 'pending' })
    await world.work()
    expect(await remove(world.anew(), desiredOf().marks)).toEqual({ status: 'done' })
  })

  test.each(['the process that told the tombstone', 'a later one'])(
    'of which an edge slept longer than tombstones live: %s ends what it serves',
    async (process) => {
      const world = await createFleet(['one', 'two'])
      await serve(world.driver, desiredOf())
      await world.work()
      await remove(world.driver, desiredOf().marks)
      for (let minute = 0; minute < 10; minute += 1) {
        world.advance(60_000)
        await world.edges[0]?.work()
      }
      expect(await world.driver.observe(desiredOf().marks)).toMatchObject({ status: 'absent' })
      world.advance(edgeLifetimes.tombstoneMs)
      world.bus.endAfter(edgeLifetimes.tombstoneMs)
      world.edges.forEach((edge) => edge.beat())

      const driver = process === 'a later one' ? world.anew() : world.driver
      const { resources } = await driver.inventory()
      expect(resources.map(({ marks }) => marks)).toEqual([desiredOf().marks])
      const left = { ...resources[0]!, marks: desiredOf().marks }
      expect(await driver.release(left)).toMatchObject({ status: 'pending' })
      await world.work()
      expect(world.edges[1]?.serving()).toEqual([])
      expect(await driver.release(left)).toEqual({ status: 'done' })
      expect((await driver.inventory()).resources).toEqual([])
    },
  )

  test('is told once, however often it is asked', async () => {
    const world = await createFleet(['one'])
    for (let time = 0; time < 5; time += 1) await serve(world.driver, desiredOf())
    expect(world.bus.published()).toBe(1)
    world.advance(6000)
    await serve(world.driver, desiredOf())
    expect(world.bus.published()).toBe(2)
  })

  test('that refuses says which edge and why', async () => {
    const world = await createFleet(['one'])
    world.edges[0]?.refuse('port 80 of 127.1.0.1 is held by another program')
    await serve(world.driver, desiredOf())
    await world.work()
    expect(await serve(world.driver, desiredOf())).toEqual({
      status: 'refused',
      capability: 'edge',
      problem: 'one: port 80 of 127.1.0.1 is held by another program',
    })
  })

  test('keeps going past a message that is none', async () => {
    const world = await createFleet(['one'])
    world.bus.tell({ subject: `weir.edge.${fleet}.report.one.x`, body: '{' })
    world.bus.tell({ subject: `weir.edge.${fleet}.heartbeat.one`, body: '{"edge":"two"}' })
    await serve(world.driver, desiredOf())
    await world.work()
    const seen = await world.driver.observe(desiredOf().marks)
    expect(seen).toMatchObject({ ready: true, hash: desiredHash(desiredOf()) })
  })
})
