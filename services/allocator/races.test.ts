// Several allocators on one store, and deliveries in any order and more than once.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seeded } from '@weir/testing'
import {
  asking,
  connected,
  createWorld,
  intentOf,
  poolCreated,
  uid,
  type World,
} from './sample-world.ts'

const many = Array.from({ length: 40 }, (_, index) => uid(index + 1))

const expectSound = async (world: World): Promise<void> => {
  const held = await world.held()
  const holders = Object.values(held)
  expect(new Set(holders).size, 'no Service holds two').toBe(holders.length)
  const frontends = await world.frontends()
  expect(frontends).toHaveLength(holders.length)
  for (const service of many) {
    const story = await world.story(service)
    const allocated = story.filter(({ type }) => type === 'FrontendsAllocated')
    const wishes = story.filter(({ type }) => /Requested$|Changed$/.test(type))
    expect(allocated.length, service).toBeLessThanOrEqual(wishes.length)
  }
}

/** Many worlds in one test: how long they take is up to the machine. */
const patient = { timeout: 60_000 }

test('two allocators that choose the same address at once give it to one', patient, async () => {
  const { below } = seeded()
  for (let round = 0; round < 20; round += 1) {
    const world = await createWorld({ allocators: 2, turns: () => below(12) })
    await world.sayPool(poolCreated('198.51.100.0/26'))
    await world.sayCluster(connected())
    await world.deliver(...many.map((service) => world.observation(service)))
    await world.settle()
    await expectSound(world)
    expect(Object.keys(await world.held())).toHaveLength(many.length)
    for (const service of many) {
      expect(await world.told(service)).toEqual(['LoadBalancerRequested', 'FrontendsAllocated'])
    }
  }
})

test(
  'a pool that is too small is given out to the last address by two allocators',
  patient,
  async () => {
    const { below } = seeded()
    for (let round = 0; round < 10; round += 1) {
      const world = await createWorld({ allocators: 2, turns: () => below(12) })
      await world.sayPool(poolCreated('198.51.100.0/28', { quarantineSeconds: 0 }))
      await world.sayCluster(connected())
      await world.deliver(...many.map((service) => world.observation(service)))
      await world.settle()
      expect(Object.keys(await world.held())).toHaveLength(16)
      for (const service of new Set(Object.values(await world.held()))) {
        await world.see(service as (typeof many)[number], { phase: 'deleting' })
        await world.settle()
        await world.clear(service as (typeof many)[number])
      }
      await world.settle()
      world.advance(60_000)
      await world.settle()
      await expectSound(world)
      expect(Object.keys(await world.held())).toHaveLength(16)
    }
  },
)

test('two that ask for the same address: one has it, the other is told that it is taken', async () => {
  const { below } = seeded()
  for (let round = 0; round < 20; round += 1) {
    const world = await createWorld({ allocators: 2, turns: () => below(12) })
    await world.sayPool(poolCreated('198.51.100.0/28'))
    await world.sayCluster(connected())
    const intent = asking('198.51.100.5')
    const pair = [uid(1), uid(2)]
    await world.deliver(...pair.map((service) => world.observation(service, { intent })))
    await world.settle()
    const told = [await world.told(uid(1)), await world.told(uid(2))].map((each) => each[1])
    expect(new Set(told)).toEqual(new Set(['AddressTaken', 'FrontendsAllocated']))
  }
})

test('deliveries shuffled and doubled end the same', async () => {
  const moves = [
    {},
    { intent: asking('198.51.100.9') },
    { intent: intentOf({ sourceRanges: ['10.0.0.0/8' as never] }) },
    { phase: 'deleting' as const },
  ]
  const services = [uid(1), uid(2), uid(3)]
  const picks = fc.array(fc.nat({ max: services.length * moves.length - 1 }), {
    minLength: 12,
    maxLength: 40,
  })
  await fc.assert(
    fc.asyncProperty(picks, fc.integer(), async (order, seed) => {
      const world = await createWorld({ allocators: 2, turns: () => Math.abs(seed) % 7 })
      await world.sayPool(poolCreated('198.51.100.0/28'))
      await world.sayCluster(connected())
      const all = services.flatMap((service) =>
        moves.slice(0, service === uid(3) ? 4 : 3).map((move) => world.observation(service, move)),
      )
      const drawn = order.flatMap((index) => all.slice(index, index + 1))
      for (const [index, seen] of [...drawn, ...all.toReversed()].entries()) {
        await world.deliver(seen)
        if (index % 3 === 0) await world.workOnce()
      }
      await world.settle()
      await expectSound(world)
      const held = Object.values(await world.held())
      expect(held).toContain(uid(1))
      expect(held).toContain(uid(2))
      const last = (await world.told(uid(3))).at(-1)
      expect([undefined, 'ReleaseRequested']).toContain(last)
      for (const service of [uid(1), uid(2)]) {
        const story = await world.story(service)
        const wish = story.findLast(({ type }) => /Requested$|Changed$/.test(type))
        expect(wish?.data).toMatchObject({ intent: { sourceRanges: ['10.0.0.0/8'] } })
      }
    }),
    { numRuns: 100 },
  )
})
