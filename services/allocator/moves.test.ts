// A Service from one driver to another: an address of ours is let go when, and only when, no resource that
// may use it is left, with a crash before and after every call that leaves the allocator.
import { driverName, event, resourceKeyOf, type RecordedEvent } from '@weir/contract'
import { describe, expect, test } from 'vitest'
import {
  connected,
  createWorld,
  defaultOf,
  driverOf,
  home,
  intentOf,
  mail,
  poolCreated,
  web,
  type Fault,
  type World,
} from './sample-world.ts'

const one = '198.51.100.0'
const octavia = driverName.parse('octavia')
const edge = driverName.parse('edge')

const open = async (fault?: Fault): Promise<World> => {
  const world = await createWorld(fault === undefined ? {} : { fault })
  await world.sayPool(poolCreated('198.51.100.0/30'))
  await world.sayDriver(driverOf('octavia'), 'octavia')
  await world.sayCluster(connected())
  return world
}
const absent = (driver: typeof edge, epoch: number) =>
  event('ResourceAbsent', { key: resourceKeyOf(driver, web), epoch, confirmedBy: ['test'] })
const of = (story: readonly RecordedEvent[], type: string) =>
  story.filter((said) => said.type === type).map(({ data }) => data)
const classed = (name: string) => intentOf({ requestedDriver: driverName.parse(name) })

const failed = (driver: string) =>
  event('DirectReturnFailed', {
    id: home,
    driver: driverName.parse(driver),
    pool: null,
    nodes: ['n1'],
    service: web,
    frontend: `${one}:80/TCP`,
  })
const proxies = (more: object = {}) =>
  driverOf('proxies', {
    kind: 'fleet',
    account: 'proxies',
    settings: { dataPlane: 'envoy' },
    ...more,
  })

const life = ['LoadBalancerRequested', 'FrontendsAllocated']

describe('nodes that cannot answer clients directly', () => {
  const driversOf = async (world: World) =>
    of(await world.story(web), 'DriverChanged').map((data) => data)

  test('are served by a fleet of proxies, at the same address, until somebody says anew who serves', async () => {
    const world = await open()
    await world.sayDriver(proxies(), 'proxies')
    await world.see(web)
    await world.settle()
    await world.sayCluster(failed('edge'))
    await world.settle()
    const there = { from: 'edge', to: 'proxies', cause: 'direct-return' }
    expect(await driversOf(world)).toEqual([there])
    expect(of(await world.story(web), 'FrontendsAllocated').at(-1)).toMatchObject({
      leases: [{ ip: one }],
    })
    await world.see(mail)
    await world.settle()
    expect((await world.story(mail))[0]?.data).toMatchObject({ driver: 'proxies' })

    await world.sayCluster(defaultOf('edge'))
    await world.settle()
    const back = { from: 'proxies', to: 'edge', cause: 'cluster-default' }
    expect(await driversOf(world)).toEqual([there, back])
  })

  test.each([
    ['no fleet', undefined],
    ['a fleet of kernels', proxies({ settings: { dataPlane: 'kernel' } })],
    ['a cloud', driverOf('proxies', { kind: 'octavia' })],
    ['a fleet of somebody else', proxies({ tenant: 'other' })],
  ])('stay where they are with %s beside', async (_, driver) => {
    const world = await open()
    if (driver !== undefined) await world.sayDriver(driver, 'proxies')
    await world.see(web)
    await world.settle()
    await world.sayCluster(failed('edge'))
    await world.settle()
    expect(await world.told(web)).toEqual(life)
  })

  test('move no Service that names its driver, and none of a cluster with another default', async () => {
    const world = await open()
    await world.sayDriver(proxies(), 'proxies')
    await world.see(web, { intent: classed('edge') })
    await world.sayCluster(defaultOf('octavia'))
    await world.see(mail)
    await world.settle()
    await world.sayCluster(failed('edge'))
    await world.settle()
    expect(await driversOf(world)).toEqual([])
    expect(of(await world.story(mail), 'DriverChanged')).toEqual([])
  })
})

describe('a driver', () => {
  test('is the one that the class names, and needs no pool where its provider gives addresses', async () => {
    const world = await open()
    await world.see(web, { intent: classed('octavia') })
    await world.settle()
    const [requested, allocated] = await world.story(web)
    expect(requested?.data).toMatchObject({ driver: 'octavia' })
    const nothing = { leases: [], frontends: [], choice: 'provider', considered: [] }
    expect(allocated?.data).toEqual(nothing)
    expect(await world.held()).toEqual({})
    await world.see(web, { phase: 'deleting', intent: classed('octavia') })
    await world.settle()
    await world.sayOf(web, absent(octavia, 1))
    await world.sayOf(web, event('FinalizerRemoved', { objectGone: false }))
    await world.settle()
    expect(of(await world.story(web), 'FrontendsReleased')).toEqual([
      { leases: [], frontends: [], quarantineUntil: null },
    ])
  })

  test.for([
    ['that nobody configured', 'clouds'],
    ['of another tenant', 'theirs'],
  ])('%s is refused by name, and nothing tells the two apart', async ([, name = '']) => {
    const world = await open()
    const account = { kind: 'octavia', tenant: 'other' }
    await world.sayDriver(driverOf('theirs', account), 'theirs')
    await world.see(web, { intent: classed(name) })
    await world.settle()
    expect(of(await world.story(web), 'IntentInvalid')).toMatchObject([
      {
        problems: [
          {
            field: 'spec.loadBalancerClass',
            problem: `names the driver "${name}", which is not open to this tenant; open are edge, octavia`,
          },
        ],
      },
    ])
  })

  test('that is configured later heals the Service at once, and one that is removed refuses new ones', async () => {
    const world = await open()
    await world.see(web, { intent: classed('aws-nlb') })
    await world.settle()
    await world.sayDriver(driverOf('aws-nlb'), 'aws-nlb')
    await world.workOnce()
    await world.workOnce()
    expect(await world.told(web)).toEqual([
      'LoadBalancerRequested',
      'IntentInvalid',
      'FrontendsAllocated',
    ])
    const name = driverName.parse('aws-nlb')
    await world.sayDriver(event('DriverRemoved', { name }), 'aws-nlb')
    await world.see(mail, { intent: classed('aws-nlb') })
    const ports = [{ name: '', protocol: 'TCP', port: 81, nodePort: 30_080 }] as never
    await world.see(web, { intent: { ...classed('aws-nlb'), ports } })
    await world.settle()
    expect(await world.told(mail)).toEqual(['LoadBalancerRequested', 'IntentInvalid'])
    expect((await world.told(web)).slice(3), 'what it serves goes on').toEqual([
      'LoadBalancerChanged',
      'FrontendsAllocated',
    ])
  })

  test('of another fleet serves the address that the Service has, and nothing of it is let go', async () => {
    const world = await open()
    await world.sayDriver(driverOf('proxies', { kind: 'fleet', account: 'proxies' }), 'proxies')
    await world.see(web)
    await world.settle()
    await world.sayCluster(defaultOf('proxies'))
    await world.settle()
    await world.sayOf(web, absent(edge, 1))
    await world.settle()
    expect(await world.told(web)).toEqual([...life, 'DriverChanged', 'FrontendsAllocated'])
    expect(of(await world.story(web), 'FrontendsAllocated').at(-1)).toMatchObject({
      leases: [{ ip: one }],
      choice: 'sticky',
    })
    expect(Object.keys(await world.held())).toContain(one)
  })

  test('with addresses of its own cannot use a pool, and says so', async () => {
    const world = await open()
    await world.see(web, { intent: { ...classed('octavia'), requestedPool: 'public' as never } })
    await world.settle()
    expect(of(await world.story(web), 'IntentInvalid')).toMatchObject([
      { problems: [{ field: 'the pool' }] },
    ])
  })
})

describe('a move', () => {
  test('by the default of the cluster leaves Services alone that name their driver', async () => {
    const world = await open()
    await world.see(web, { intent: classed('edge') })
    await world.settle()
    await world.sayCluster(defaultOf('octavia'))
    await world.settle()
    expect(await world.told(web)).toEqual(life)
  })

  test('by the class says so', async () => {
    const world = await open()
    await world.see(web)
    await world.settle()
    await world.see(web, { intent: classed('octavia') })
    await world.settle()
    const story = await world.story(web)
    expect(of(story, 'LoadBalancerChanged')).toMatchObject([{ fields: ['requestedDriver'] }])
    expect(of(story, 'DriverChanged')).toEqual([
      { from: 'edge', to: 'octavia', cause: 'load-balancer-class' },
    ])
  })

  test('to a driver that is not open changes nothing but the reason, until the default is taken back', async () => {
    const world = await open()
    await world.see(web)
    await world.settle()
    await world.sayCluster(defaultOf('clouds'))
    await world.settle()
    expect(await world.told(web)).toEqual([...life, 'IntentInvalid'])
    expect(await world.held()).toEqual({ [one]: web })
    await world.sayCluster(defaultOf('edge'))
    await world.settle()
    expect((await world.told(web)).slice(3)).toEqual(['FrontendsAllocated'])
    expect(await world.held()).toEqual({ [one]: web })
  })

  test('to a pool without an address is refused, and nothing moves', async () => {
    const world = await open()
    await world.sayPool(poolCreated('198.51.100.0/32'), 'public')
    await world.sayCluster(defaultOf('octavia'))
    await world.see(web)
    await world.see(mail, { intent: classed('edge') })
    await world.settle()
    await world.sayCluster(defaultOf('edge'))
    await world.settle()
    expect(await world.told(web)).toEqual([...life, 'PoolExhausted'])
  })

  test('there and back before anything was made keeps the address all the time', async () => {
    const world = await open()
    await world.see(web)
    await world.settle()
    await world.sayCluster(defaultOf('octavia'))
    await world.settle()
    await world.sayCluster(defaultOf('edge'))
    await world.settle()
    await world.sayOf(web, absent(octavia, 2))
    await world.sayOf(web, absent(edge, 1))
    await world.settle()
    expect(of(await world.story(web), 'FrontendsAllocated').at(-1)).toMatchObject({
      leases: [{ ip: one }],
      choice: 'sticky',
    })
    expect(await world.held()).toEqual({ [one]: web })
  })
})

/** Each chapter is said, and then everything settles; the world is looked at after each. */
const chapters: readonly ((world: World) => Promise<void>)[] = [
  (world) => world.see(web),
  (world) => world.sayCluster(defaultOf('octavia')),
  // The old resource serves until the new one does; only its absence frees the address.
  (world) => world.sayOf(web, absent(octavia, 7)),
  (world) => world.sayOf(web, absent(edge, 1)),
  (world) => world.sayCluster(defaultOf('edge')),
  (world) => world.see(web, { phase: 'deleting' }),
  // What the move left behind goes first, and ends nothing.
  (world) => world.sayOf(web, absent(octavia, 2)),
  async (world) => {
    await world.sayOf(web, absent(edge, 3))
    await world.sayOf(web, event('FinalizerRemoved', { objectGone: false }))
  },
]

const live = async (fault?: Fault) => {
  const world = await open(fault)
  const shapes: unknown[] = []
  for (const chapter of chapters) {
    await chapter(world)
    await world.settle()
    shapes.push([Object.keys(await world.held()), await world.frontends()])
  }
  return { world, shapes, told: await world.told(web) }
}

test('a life with two moves, with a crash before or after any one call, ends the same', async () => {
  const clean = await live()
  const frontend = [`${one}:80/TCP 1`]
  expect(clean.shapes).toEqual([
    [[one], frontend],
    [[one], frontend],
    [[one], frontend],
    [[], []],
    [[one], frontend],
    [[one], frontend],
    [[one], frontend],
    [[], []],
  ])
  expect(clean.told).toEqual([
    ...life,
    'DriverChanged',
    'FrontendsAllocated',
    'FrontendsAllocated',
    'DriverChanged',
    'FrontendsAllocated',
    'ReleaseRequested',
    'FrontendsReleased',
  ])
  const calls = clean.world.calls()
  for (let at = 1; at <= calls; at += 1) {
    for (const when of ['before', 'after'] as const) {
      const run = await live({ at, when })
      expect(run.shapes, `crash ${when} call ${at}`).toEqual(clean.shapes)
      expect(run.told, `crash ${when} call ${at}`).toEqual(clean.told)
    }
  }
}, 60_000)
