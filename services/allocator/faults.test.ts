// A whole life of two Services that want one address, with a crash before and after every call that leaves
// the allocator: the end is the same.
import { event, type RecordedEvent } from '@weir/contract'
import { expect, test } from 'vitest'
import {
  asking,
  connected,
  createWorld,
  mail,
  poolCreated,
  web,
  type Fault,
  type World,
} from './sample-world.ts'

const finalizer = event('FinalizerAdded', { resourceVersion: '1' })

/** Each chapter is said, and then everything settles; the world is looked at after each. */
const chapters: readonly ((world: World) => Promise<void>)[] = [
  (world) => world.see(web),
  (world) => world.sayPool(poolCreated('198.51.100.0/31')),
  (world) => world.see(mail, { intent: asking('198.51.100.1') }),
  (world) => world.see(web, { intent: asking('198.51.100.1') }),
  (world) => world.see(web),
  (world) => world.see(mail, { phase: 'unwanted' }),
  (world) => world.clear(mail),
  (world) => world.see(web, { intent: asking('198.51.100.1') }),
  async (world) => {
    world.advance(120_000)
    await world.sayOf(mail, finalizer)
    await world.see(mail)
  },
  (world) => world.see(web, { phase: 'gone' }),
  (world) => world.clear(web),
]

const live = async (fault?: Fault) => {
  const world = await createWorld(fault === undefined ? {} : { fault })
  await world.sayCluster(connected())
  const shapes: unknown[] = []
  for (const chapter of chapters) {
    await chapter(world)
    await world.settle()
    // A restart forgets who waits; then who was refused comes back by itself.
    world.advance(30_000)
    await world.settle()
    shapes.push([await world.held(), await world.frontends()])
  }
  return { world, shapes, story: [...(await world.story(web)), ...(await world.story(mail))] }
}

const types = (story: readonly RecordedEvent[]): readonly string[] =>
  story.filter(({ actor }) => actor === 'allocator').map(({ type }) => type)

test('a life with a crash before or after any one call ends the same', async () => {
  const clean = await live()
  expect(types(clean.story)).toMatchInlineSnapshot(`
    [
      "LoadBalancerRequested",
      "PoolMissing",
      "FrontendsAllocated",
      "AddressTaken",
      "FrontendsAllocated",
      "AddressTaken",
      "LoadBalancerChanged",
      "FrontendsAllocated",
      "ReleaseRequested",
      "FrontendsReleased",
      "LoadBalancerRequested",
      "FrontendsAllocated",
      "ReleaseRequested",
      "FrontendsReleased",
      "LoadBalancerRequested",
      "FrontendsAllocated",
    ]
  `)
  const calls = clean.world.calls()
  expect(calls).toBeGreaterThan(30)
  for (let at = 1; at <= calls; at += 1) {
    for (const when of ['before', 'after'] as const) {
      const run = await live({ at, when })
      expect(run.shapes, `crash ${when} call ${at}`).toEqual(clean.shapes)
      expect(types(run.story), `crash ${when} call ${at}`).toEqual(types(clean.story))
    }
  }
}, 60_000)
