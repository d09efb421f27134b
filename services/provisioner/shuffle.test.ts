// Deliveries are hints: doubled, late, lost to a crash or overtaken by one another, they end the same.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { consumer } from './handle.ts'
import {
  allocated,
  changed,
  connected,
  createWorld,
  frontendsReleased,
  intentOf,
  releaseRequested,
  requested,
  tenant,
  web,
  type World,
} from './sample-world.ts'

const said = [
  [requested(), allocated()],
  [changed(intentOf({ sourceRanges: ['10.0.0.0/8' as never] }))],
  [changed(intentOf({ sourceRanges: ['10.1.0.0/16' as never] }))],
  [releaseRequested],
  [frontendsReleased, requested(), allocated()],
] as const

/** What may happen between any two facts. */
const noises: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
  'the key is marked again': (world) => world.store.work.mark(consumer, tenant, [web]),
  'the process ends': async (world) => Promise.resolve(world.crash()),
  'the provider gives a hint': (world) => world.provisioner().changed({ tenant, service: web }),
  'the provider gets on': async (world) => Promise.resolve(world.driver.provider.settle()),
  'the bus is made anew': (world) => world.provisioner().tellAgain(),
  'everything is worked off': (world) => world.settle(),
  'a minute passes': async (world) => Promise.resolve(world.advance(60_000)),
}

const end = async (noise: readonly (readonly string[])[], slow: boolean) => {
  const world = createWorld({ driver: { slow } })
  await world.say(connected)
  await world.seeNodes({ a: '127.0.0.11' })
  for (const [index, facts] of said.entries()) {
    // The next life is only asked for once the last one is over, as the allocator does.
    if (index === said.length - 1) await calm(world)
    await world.say(...facts)
    for (const name of noise[index] ?? []) await noises[name]?.(world)
  }
  await calm(world)
  const absent = (await world.told()).filter((type) => type === 'ResourceAbsent')
  return {
    absent: absent.length,
    last: (await world.told()).at(-1),
    world: world.driver.provider.world().map(({ marks, sourceRanges, targets, frontends }) => ({
      epoch: marks.epoch,
      sourceRanges,
      targets,
      frontends,
    })),
  }
}

const calm = async (world: World): Promise<void> => {
  for (let round = 0; round < 4; round += 1) {
    world.driver.provider.settle()
    world.advance(60_000)
    await world.settle()
  }
}

/** Many worlds in one test: how long they take is up to the machine. */
const patient = { timeout: 60_000 }

test('whatever happens between the facts, the end is the same', patient, async () => {
  const noise = fc.array(fc.array(fc.constantFrom(...Object.keys(noises)), { maxLength: 4 }), {
    minLength: said.length,
    maxLength: said.length,
  })
  await fc.assert(
    fc.asyncProperty(noise, fc.boolean(), async (between, slow) => {
      const { absent, last, world } = await end(between, slow)
      expect(world).toMatchObject([{ epoch: 2, sourceRanges: [] }])
      expect({ absent, last }).toEqual({ absent: 1, last: 'ResourceProgrammed' })
    }),
    { numRuns: 200 },
  )
})
