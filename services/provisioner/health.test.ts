import type { RecordedEvent } from '@weir/contract'
import type { Flows } from '@weir/drivers'
import { describe, expect, test } from 'vitest'
import { allocated, connected, createWorld, requested, type World } from './sample-world.ts'

const born = async (): Promise<World> => {
  const world = createWorld()
  await world.say(connected)
  await world.seeNodes({ a: '127.0.0.11', b: '127.0.0.12' })
  await world.say(requested(), allocated())
  await world.settle()
  return world
}
/** Each node with its weight; what takes none has a problem. */
const flowsOf = (weights: Readonly<Record<string, number>>, since: number): Flows => ({
  since: new Date(since).toISOString(),
  nodes: new Map(
    Object.entries(weights).map(([node, weight]) => [
      node,
      { weight, problem: weight === 0 ? 'answered 503' : null },
    ]),
  ),
})
const longAgo = Date.parse('2025-12-31T00:00:00Z')
const healthEvents = async (
  world: World,
): Promise<readonly Extract<RecordedEvent, { type: 'TargetHealthChanged' }>[]> =>
  (await world.story()).filter((event) => event.type === 'TargetHealthChanged')

describe('where new flows go by health', () => {
  test('is told once, with the reason, and orders nothing', async () => {
    const world = await born()
    const calls = world.driver.provider.journal().length
    world.driver.direct(flowsOf({ a: 1, b: 0 }, longAgo))
    await world.pass(120)
    const told = await healthEvents(world)
    expect(told.map(({ data }) => data)).toEqual([
      {
        key: expect.stringContaining('memory-'),
        epoch: 1,
        generation: 1,
        since: '2025-12-31T00:00:00.000Z',
        changes: [{ node: 'b', before: 1, after: 0, problem: 'answered 503' }],
        serving: 1,
        reportedBy: ['memory'],
      },
    ])
    expect(world.driver.provider.journal()).toHaveLength(calls)
    expect((await world.told()).slice(-1)).toEqual(['TargetHealthChanged'])
  })

  test('is told again when it changes back', async () => {
    const world = await born()
    world.driver.direct(flowsOf({ a: 1, b: 0 }, longAgo))
    await world.pass(60)
    world.driver.direct(flowsOf({ a: 1, b: 1 }, longAgo))
    await world.pass(60)
    const told = await healthEvents(world)
    expect(told.map(({ data }) => data.changes)).toEqual([
      [{ node: 'b', before: 1, after: 0, problem: 'answered 503' }],
      [{ node: 'b', before: 0, after: 1, problem: null }],
    ])
  })

  test('is not told while it goes as ordered, nor where nothing is told', async () => {
    const world = await born()
    await world.pass(60)
    world.driver.direct(flowsOf({ a: 1, b: 1 }, longAgo))
    await world.pass(60)
    expect(await healthEvents(world)).toEqual([])
  })

  test('is not told before it lasted for some seconds', async () => {
    const world = await born()
    for (let second = 0; second < 90; second += 1) {
      world.driver.direct(flowsOf({ a: 1, b: second % 2 }, world.now()))
      await world.pass(1)
    }
    expect(await healthEvents(world)).toEqual([])
  })

  test('is told ever more rarely of a Service that flaps', async () => {
    const world = await born()
    for (let round = 0; round < 180; round += 1) {
      world.driver.direct(flowsOf({ a: 1, b: round % 2 }, world.now() - 10_000))
      await world.pass(20)
    }
    const count = (await healthEvents(world)).length
    expect(count).toBeGreaterThan(4)
    expect(count).toBeLessThan(12)
  })

  test('is not told once more by the next process', async () => {
    const world = await born()
    world.driver.direct(flowsOf({ a: 1, b: 0 }, longAgo))
    await world.pass(60)
    world.crash()
    await world.pass(60)
    expect(await healthEvents(world)).toHaveLength(1)
  })

  test('stays told over another order, for nodes that are out', async () => {
    const world = await born()
    world.driver.direct(flowsOf({ a: 1, b: 0 }, longAgo))
    await world.pass(60)
    world.driver.direct(flowsOf({ a: 1, b: 0, c: 1 }, longAgo))
    await world.seeNodes({ a: '127.0.0.11', b: '127.0.0.12', c: '127.0.0.13' })
    await world.pass(120)
    expect(await healthEvents(world)).toHaveLength(1)
    world.driver.direct(flowsOf({ a: 1, b: 1, c: 1 }, longAgo))
    await world.pass(60)
    const [, back] = await healthEvents(world)
    expect(back?.data).toMatchObject({
      generation: 2,
      serving: 3,
      changes: [{ node: 'b', after: 1 }],
    })
  })
})
