// A move told in any rhythm, to one process or two at once, doubled or cut short: the end is the same.
import { OperatingError } from '@weir/kernel'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { consumer } from './handle.ts'
import {
  allocated,
  connected,
  createWorld,
  frontendsReleased,
  granted,
  movedTo,
  releaseRequested,
  requested,
  shown,
  tenant,
  web,
  type World,
} from './sample-world.ts'

/** Each is said by somebody who waits for `after` first, as allocator and watcher do. */
const said = [
  { facts: [requested(), allocated()] },
  { after: 'ResourceProgrammed 1', facts: [shown(1)] },
  { facts: [movedTo('octavia'), granted('TCP/80')] },
  { after: 'ResourceProgrammed 2', facts: [shown(2)] },
  { after: 'ResourceAbsent 1', facts: [granted()] },
  { facts: [movedTo('memory', 'octavia'), allocated()] },
  { facts: [movedTo('aws-nlb'), granted('TCP/80')] },
  { after: 'ResourceProgrammed 4', facts: [shown(4)] },
  { facts: [releaseRequested] },
  { after: 'ResourceAbsent 4', facts: [frontendsReleased, requested(), allocated()] },
] as const

const item = { consumer, tenant, key: web, mark: 0, fence: 0, attempts: 0 } as never

const atOnce = async (world: World): Promise<void> => {
  const one = world.provisioner()
  world.crash()
  // Of two that decide on one version, one is told that it lost, and reads again; a call may be lost too.
  const both = await Promise.allSettled([one, world.provisioner()].map((at) => at.reconcile(item)))
  for (const one of both) {
    if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(OperatingError)
  }
}

/** What may happen between any two facts. */
const noises: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
  'the key is marked again': (world) => world.store.work.mark(consumer, tenant, [web]),
  'the process ends': async (world) => Promise.resolve(world.crash()),
  'two processes work at once': atOnce,
  'a provider gives a hint': (world) => world.provisioner().changed({ tenant, service: web }),
  'a second passes': (world) => world.pass(1),
  'some seconds pass': (world) => world.pass(5),
  'a call is lost': async (world) => Promise.resolve(world.driver.meet(['loses-reply'])),
  'the bus is made anew': (world) => world.provisioner().tellAgain(),
}

const heard = async (world: World, fact: string | undefined): Promise<boolean> => {
  if (fact === undefined) return true
  const [type, epoch] = fact.split(' ')
  return (await world.story()).some(
    (event) => event.type === type && 'epoch' in event.data && event.data.epoch === Number(epoch),
  )
}

const end = async (noise: readonly (readonly string[])[]) => {
  const world = createWorld()
  await world.say(connected)
  await world.seeNodes({ a: '127.0.0.11' })
  for (const [index, { facts, ...when }] of said.entries()) {
    const after = 'after' in when ? when.after : undefined
    for (let left = 30; left > 0 && !(await heard(world, after)); left -= 1) await world.pass(5)
    await world.say(...facts)
    for (const name of noise[index] ?? []) await noises[name]?.(world)
  }
  await world.pass(90)
  const story = await world.story()
  return {
    ends: story.flatMap(({ type, data }) => (type === 'ResourceAbsent' ? [data.epoch] : [])),
    exists: [world.driver, ...world.clouds.map(({ memory }) => memory)].flatMap((driver) =>
      driver.provider.world().map(({ marks }) => `${driver.name} ${marks.epoch}`),
    ),
    last: story.at(-1)?.type,
  }
}

test('whatever happens between the facts of a move, the end is the same', async () => {
  const noise = fc.array(fc.array(fc.constantFrom(...Object.keys(noises)), { maxLength: 3 }), {
    minLength: said.length,
    maxLength: said.length,
  })
  await fc.assert(
    fc.asyncProperty(noise, async (between) => {
      const { ends, exists, last } = await end(between)
      expect(ends.at(-1), 'the newest of a life is the last').toBe(4)
      expect(ends.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4])
      expect(exists).toEqual(['memory 5'])
      expect(last).toBe('ResourceProgrammed')
    }),
    { numRuns: 60 },
  )
}, 60_000)
