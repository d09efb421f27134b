// A Service's life over three drivers, in which any one call is the last before a crash.
import type { RecordedEvent } from '@weir/contract'
import { expect, test } from 'vitest'
import { dataOf, exists, open } from './sample-moves.ts'
import {
  allocated,
  frontendsReleased,
  granted,
  movedTo,
  releaseRequested,
  requested,
  shown,
  type Fault,
  type World,
} from './sample-world.ts'

/** Each chapter is said, and then time passes; the world is looked at after each. */
const chapters: readonly ((world: World) => Promise<void>)[] = [
  (world) => world.say(requested(), allocated()),
  (world) => world.say(shown(1)),
  (world) => world.say(movedTo('octavia'), granted('TCP/80')),
  (world) => world.say(shown(2)),
  (world) => world.say(granted()),
  (world) => world.seeNodes({ a: '127.0.0.11', b: '127.0.0.12' }),
  (world) => world.say(movedTo('aws-nlb', 'octavia'), granted()),
  (world) => world.say(shown(3)),
  (world) => world.say(movedTo('memory', 'aws-nlb'), allocated()),
  (world) => world.say(releaseRequested),
  (world) => world.say(frontendsReleased),
]

const live = async (fault?: Fault) => {
  const world = await open(fault)
  const shapes: unknown[] = []
  for (const chapter of chapters) {
    await chapter(world)
    // Long enough for every wait, and for a routine look, which is what finds new nodes here.
    await world.pass(45)
    shapes.push(exists(world))
  }
  return { world, shapes, story: await world.story() }
}

const expectPromises = (story: readonly RecordedEvent[]): void => {
  const ends = dataOf(story, 'ResourceAbsent') as { epoch: number }[]
  expect(ends.map(({ epoch }) => epoch).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4])
  expect(ends.at(-1)?.epoch, 'the newest is the last').toBe(4)
  const tokens = dataOf(story, 'OperationStarted').map((data) => (data as { token: string }).token)
  expect(new Set(tokens).size, 'no operation is told of twice').toBe(tokens.length)
  story.forEach((said, at) => {
    if (said.type !== 'ResourceDeleteIntended' || said.data.reason !== 'moved') return
    const before = story.slice(0, at)
    const next = said.data.epoch + 1
    const isShown = before.some(
      (each) => each.type === 'StatusPublished' && each.data.epoch === next,
    )
    expect(isShown, `epoch ${said.data.epoch} is ended once ${next} is shown`).toBe(true)
  })
}

const shards = 8

test('a life over three drivers, without a fault', async () => {
  const { world, shapes, story } = await live()
  expect(shapes).toEqual([
    ['memory 1 TCP/80 a'],
    ['memory 1 TCP/80 a'],
    ['memory 1 TCP/80 a', 'octavia 2 TCP/80 a'],
    ['octavia 2 TCP/80 a'],
    ['octavia 2 TCP/80 a'],
    ['octavia 2 TCP/80 a,b'],
    ['octavia 2 TCP/80 a,b', 'aws-nlb 3 TCP/80 a,b'],
    ['aws-nlb 3 TCP/80 a,b'],
    ['memory 4 TCP/80 a,b', 'aws-nlb 3 TCP/80 a,b'],
    [],
    [],
  ])
  expectPromises(story)
  expect(world.calls(), 'each of them is failed below').toBeGreaterThan(100)
})

test.for(Array.from({ length: shards }, (_, shard) => shard))(
  'a life over three drivers with a crash before or after any one call ends the same, part %d',
  { timeout: 60_000 },
  async (shard) => {
    const clean = await live()
    for (let at = 1 + shard; at <= clean.world.calls(); at += shards) {
      for (const when of ['before', 'after'] as const) {
        const run = await live({ at, when })
        expect(run.shapes, `crash ${when} call ${at}`).toEqual(clean.shapes)
        expectPromises(run.story)
      }
    }
  },
)
