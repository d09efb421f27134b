// A whole life, with a crash before and after every call that leaves the provisioner: the end is the same.
import type { RecordedEvent } from '@weir/contract'
import { expect, test } from 'vitest'
import {
  allocated,
  changed,
  connected,
  createWorld,
  frontendsReleased,
  intentOf,
  releaseRequested,
  requested,
  type Fault,
  type World,
} from './sample-world.ts'

/** Each chapter is said, and then everything settles; the world is looked at after each. */
const chapters: readonly ((world: World) => Promise<void>)[] = [
  async (world) => {
    await world.say(connected)
    await world.seeNodes({ a: '127.0.0.11', b: '127.0.0.12' })
    await world.say(requested(), allocated())
  },
  (world) => world.say(allocated('TCP/80', 'UDP/53'), changed(twoPorts)),
  (world) => world.say(changed(local)),
  (world) => world.seeEndpoints({ a: 2 }),
  (world) => world.say(releaseRequested),
  (world) => world.say(frontendsReleased, requested(), allocated()),
  (world) => world.say(releaseRequested),
]

const ports = [
  { name: 'http', protocol: 'TCP', port: 80, nodePort: 30_080 },
  { name: 'dns', protocol: 'UDP', port: 53, nodePort: 30_053 },
] as never
const twoPorts = intentOf({ ports })
const local = intentOf({
  ports,
  externalTrafficPolicy: 'Local',
  healthCheckNodePort: 31_000 as never,
})

const shape = (world: World): unknown =>
  world.driver.provider.world().map(({ marks, frontends, targets, policy }) => ({
    epoch: marks.epoch,
    frontends: frontends.map(({ protocol, port }) => `${protocol}/${port}`),
    targets: targets.map(({ node, weight }) => `${node} ${weight}`),
    policy,
  }))

const live = async (fault: Fault | undefined) => {
  const world = createWorld(fault === undefined ? {} : { fault })
  const shapes: unknown[] = []
  for (const chapter of chapters) {
    await chapter(world)
    await world.settle()
    shapes.push(shape(world))
  }
  return { world, shapes, story: await world.story() }
}

/** What must be true of every story and of what the provider saw. */
const expectPromises = ({ world, story }: { world: World; story: readonly RecordedEvent[] }) => {
  const of = (type: string) => story.filter((said) => said.type === type)
  expect(of('ResourceAbsent').map(({ data }) => data)).toMatchObject([{ epoch: 1 }, { epoch: 2 }])
  expect(of('ResourceDeleteIntended')).toHaveLength(2)
  const intended = new Set(
    story.flatMap((said) =>
      said.type === 'ResourceIntended' || said.type === 'TargetsChanged'
        ? [`${said.data.epoch}/${said.data.generation}`]
        : [],
    ),
  )
  const applied = world.driver.provider.journal().filter((line) => line.startsWith('apply'))
  for (const line of applied) expect(intended).toContain(line.split(' ')[2])
  expect(new Set(applied).size, 'nothing is made twice').toBe(applied.length)
}

test('a life without a fault', async () => {
  const run = await live(undefined)
  expectPromises(run)
  expect(run.shapes).toMatchInlineSnapshot(`
    [
      [
        {
          "epoch": 1,
          "frontends": [
            "TCP/80",
          ],
          "policy": "Cluster",
          "targets": [
            "a 1",
            "b 1",
          ],
        },
      ],
      [
        {
          "epoch": 1,
          "frontends": [
            "TCP/80",
            "UDP/53",
          ],
          "policy": "Cluster",
          "targets": [
            "a 1",
            "b 1",
          ],
        },
      ],
      [
        {
          "epoch": 1,
          "frontends": [
            "TCP/80",
            "UDP/53",
          ],
          "policy": "Local",
          "targets": [
            "a 1",
            "b 1",
          ],
        },
      ],
      [
        {
          "epoch": 1,
          "frontends": [
            "TCP/80",
            "UDP/53",
          ],
          "policy": "Local",
          "targets": [
            "a 2",
            "b 0",
          ],
        },
      ],
      [],
      [
        {
          "epoch": 2,
          "frontends": [
            "TCP/80",
          ],
          "policy": "Cluster",
          "targets": [
            "a 1",
            "b 1",
          ],
        },
      ],
      [],
    ]
  `)
})

test('a life with a crash before or after any one call ends the same', async () => {
  const clean = await live(undefined)
  const calls = clean.world.calls()
  expect(calls).toBeGreaterThan(30)
  for (let at = 1; at <= calls; at += 1) {
    for (const when of ['before', 'after'] as const) {
      const run = await live({ at, when })
      expect(run.shapes, `crash ${when} call ${at}`).toEqual(clean.shapes)
      expectPromises(run)
    }
  }
}, 60_000)
