// A Service from driver to driver, made before broken: the former one serves until the status shows the newest.
import { driverName } from '@weir/contract'
import { describe, expect, test } from 'vitest'
import {
  allocated,
  changed,
  frontendsReleased,
  granted,
  intentOf,
  movedTo,
  releaseRequested,
  requested,
  shown,
  type World,
} from './sample-world.ts'
import { dataOf, exists, open } from './sample-moves.ts'

const octavia = driverName.parse('octavia')

const served = async (): Promise<World> => {
  const world = await open()
  await world.say(requested(), allocated())
  await world.settle()
  await world.say(shown(1))
  return world
}

describe('a driver whose provider gives the address', () => {
  test('is told nothing before the allocator let it through, and then asks for an address', async () => {
    const world = await open()
    await world.say(requested(intentOf({ requestedAddress: '192.0.2.7' as never }), octavia))
    await world.settle()
    expect(await world.told()).toEqual([])
    await world.say(granted())
    await world.pass(5)
    const [desired] = world.clouds[0].memory.provider.world()
    expect(desired).toMatchObject({
      frontends: [{ ip: '0.0.0.0', protocol: 'TCP', port: 80, nodePort: 30_080 }],
      requestedAddress: '192.0.2.7',
    })
    const [programmed] = dataOf(await world.story(), 'ResourceProgrammed')
    expect(programmed).toMatchObject({
      ingress: [{ hostname: expect.stringMatching(/cloud\.example$/) as string }],
    })
  })

  test('works by itself: the operation is recorded once, and asked about by whoever comes next', async () => {
    const world = await open()
    world.clouds[0].takes(20_000)
    await world.say(requested(intentOf(), octavia), granted())
    await world.pass(4)
    world.crash()
    const before = world.calls()
    await world.pass(4)
    expect(await world.told()).toEqual(['ResourceIntended', 'OperationStarted'])
    const [started] = dataOf(await world.story(), 'OperationStarted')
    expect(started).toMatchObject({ epoch: 1, generation: 1, what: /^apply octavia-/ as never })
    // Each pass polls; after the crash the story is read once, with the facts of the cluster.
    expect(world.calls() - before).toBeLessThanOrEqual(4 + 3 + 6)
    await world.pass(20)
    expect(await world.told()).toEqual([
      'ResourceIntended',
      'OperationStarted',
      'ResourceProgrammed',
    ])
  })

  test('is told of after ten minutes, once, and waited for all the same', async () => {
    const world = await open()
    world.clouds[0].takes(700_000)
    await world.say(requested(intentOf(), octavia), granted())
    await world.pass(5)
    world.advance(600_000)
    await world.pass(20)
    const [parked] = dataOf(await world.story(), 'ReconcileParked')
    expect(parked).toMatchObject({ attempts: 0 })
    expect(JSON.stringify(parked)).toMatch(
      /the provider has worked on .*apply octavia-.* since 2026-/,
    )
    world.advance(100_000)
    await world.pass(5)
    expect((await world.told()).slice(2)).toEqual(['ReconcileParked', 'ResourceProgrammed'])
  })
})

test('what a cloud still shows of before is no drift of it', async () => {
  const world = await open()
  world.clouds[0].takes(500)
  world.clouds[0].lags(8000)
  await world.say(requested(intentOf(), octavia), granted())
  await world.pass(20)
  for (const range of ['10.0.0.0/8', '10.0.0.0/9', '10.0.0.0/10']) {
    await world.say(changed(intentOf({ sourceRanges: [range] as never })))
    for (const pods of [1, 2, 3, 4]) {
      await world.pass(2)
      await world.seeEndpoints({ a: pods })
    }
    await world.pass(45)
  }
  expect(dataOf(await world.story(), 'ResourceDrifted')).toEqual([])
  for (const { marks } of world.clouds[0].memory.provider.world()) {
    world.clouds[0].memory.provider.uproot(marks.key)
  }
  await world.pass(60)
  expect(dataOf(await world.story(), 'ResourceDrifted')).toMatchObject([{ found: 'absent' }])
  expect(world.clouds[0].memory.provider.world()).toHaveLength(1)
})

test('what a cloud denies to have is not absent before it was asked to go', async () => {
  const world = await open()
  const [cloud] = world.clouds
  cloud.takes(500)
  await world.say(requested(intentOf(), octavia), granted())
  await world.pass(10)
  cloud.denies(8000)
  await world.say(changed(intentOf({ sourceRanges: ['10.0.0.0/8'] as never })))
  await world.pass(2)
  cloud.takes(15_000)
  await world.say(releaseRequested)
  for (let second = 0; second < 60; second += 1) {
    await world.pass(1)
    const ended = dataOf(await world.story(), 'ResourceAbsent').length
    expect(ended === 0 || cloud.memory.provider.world().length === 0, `second ${second}`).toBe(true)
  }
  expect(dataOf(await world.story(), 'ResourceAbsent')).toHaveLength(1)
})

describe('a move', () => {
  test('makes the new resource, and ends the old one only when the status shows the new', async () => {
    const world = await served()
    await world.say(movedTo('octavia'), granted('TCP/80'))
    await world.pass(10)
    expect(exists(world)).toEqual(['memory 1 TCP/80 a', 'octavia 2 TCP/80 a'])
    await world.say(shown(2))
    await world.pass(5)
    expect(exists(world)).toEqual(['octavia 2 TCP/80 a'])
    const story = await world.story()
    const shownAt = story.findLast(({ type }) => type === 'StatusPublished')
    expect(dataOf(story, 'ResourceDeleteIntended')).toMatchObject([
      { epoch: 1, reason: 'moved', evidence: shownAt?.id },
    ])
    expect(dataOf(story, 'ResourceAbsent')).toMatchObject([{ epoch: 1, confirmedBy: ['memory'] }])
  })

  test('lets the old one follow nodes and wishes while the new one takes its time', async () => {
    const world = await served()
    world.clouds[0].takes(60_000)
    await world.say(movedTo('octavia'), granted('TCP/80'))
    await world.pass(3)
    await world.seeNodes({ a: '127.0.0.11', b: '127.0.0.12' })
    await world.pass(5)
    expect(exists(world)).toContain('memory 1 TCP/80 a,b')
    await world.say(changed(intentOf({ sourceRanges: ['10.0.0.0/8'] as never })))
    await world.pass(3)
    expect(world.driver.provider.world()[0]?.sourceRanges).toEqual(['10.0.0.0/8'])
  })

  test('that the new driver refuses leaves the old one serving, and says why, once', async () => {
    const dns = { name: 'dns', protocol: 'UDP', port: 53, nodePort: 30_053 }
    const world = await open()
    await world.say(requested(intentOf({ ports: [dns] as never })), allocated('UDP/53'))
    await world.settle()
    await world.say(shown(1), movedTo('aws-nlb'), granted('UDP/53'))
    await world.pass(60)
    expect(exists(world)).toEqual(['memory 1 UDP/53 a'])
    expect(dataOf(await world.story(), 'ResourceRefused')).toMatchObject([
      { driver: 'aws-nlb', capability: 'protocols' },
    ])
    await world.seeNodes({ b: '127.0.0.12' })
    await world.pass(45)
    expect(exists(world)).toEqual(['memory 1 UDP/53 b'])
  })

  test('goes on while the provider that is left cannot be reached', async () => {
    const world = await served()
    await world.say(movedTo('octavia'), granted('TCP/80'))
    await world.seeNodes({ a: '127.0.0.11', b: '127.0.0.12' })
    world.driver.meet(Array.from({ length: 200 }, () => 'fails' as const))
    await world.pass(12)
    expect(exists(world)).toContain('octavia 2 TCP/80 a,b')
    await world.say(shown(2))
    await world.pass(12)
    expect(dataOf(await world.story(), 'ResourceAbsent')).toEqual([])
    world.driver.meet([])
    await world.pass(30)
    expect(exists(world)).toEqual(['octavia 2 TCP/80 a,b'])
  })

  test('there and back makes a third incarnation, and ends the others', async () => {
    const world = await served()
    world.clouds[0].takes(60_000)
    await world.say(movedTo('octavia'), granted('TCP/80'))
    await world.pass(3)
    await world.say(movedTo('memory', 'octavia'), allocated())
    await world.pass(10)
    expect(exists(world)).toContain('memory 3 TCP/80 a')
    await world.say(shown(3))
    await world.pass(90)
    expect(exists(world)).toEqual(['memory 3 TCP/80 a'])
    expect(dataOf(await world.story(), 'ResourceDrifted')).toEqual([])
    const ends = dataOf(await world.story(), 'ResourceAbsent')
    expect(ends).toHaveLength(2)
  })

  test('there, back and away again leaves what took the place of the one that served', async () => {
    const world = await served()
    world.clouds[0].takes(30_000)
    await world.say(movedTo('octavia'), granted('TCP/80'))
    await world.pass(3)
    // It is made at the very place of the first, and nobody knows yet.
    world.driver.meet(['loses-reply'])
    await world.say(movedTo('memory', 'octavia'), allocated())
    await world.pass(1)
    expect(exists(world)).toContain('memory 3 TCP/80 a')
    await world.say(movedTo('octavia'), granted('TCP/80'))
    for (let second = 0; second < 90; second += 1) {
      await world.pass(1)
      expect(exists(world), `second ${second}`).toContain('memory 3 TCP/80 a')
    }
    expect(exists(world)).toEqual(['memory 3 TCP/80 a', 'octavia 4 TCP/80 a'])
    await world.say(shown(4))
    await world.pass(30)
    expect(exists(world)).toEqual(['octavia 4 TCP/80 a'])
  })

  test('back to a cloud before it was left waits until the one of before is gone there', async () => {
    const world = await served()
    await world.say(movedTo('octavia'), granted('TCP/80'), shown(2))
    await world.pass(10)
    world.clouds[0].takes(5000)
    world.clouds[0].denies(5000)
    await world.say(movedTo('memory', 'octavia'), movedTo('octavia', 'memory'), granted('TCP/80'))
    await world.pass(60)
    const order = (await world.story()).flatMap(({ type, data }) =>
      type === 'ResourceIntended' || type === 'ResourceAbsent' ? [`${type} ${data.epoch}`] : [],
    )
    expect(order.slice(-3)).toEqual(['ResourceAbsent 3', 'ResourceAbsent 2', 'ResourceIntended 4'])
    expect(exists(world)).toEqual(['octavia 4 TCP/80 a'])
  })

  test('back to a cloud that still deletes the one of before waits until that is gone', async () => {
    const world = await served()
    await world.say(movedTo('octavia'), granted('TCP/80'), shown(2))
    await world.pass(10)
    await world.say(movedTo('memory', 'octavia'), allocated(), shown(3))
    world.clouds[0].takes(60_000)
    await world.pass(10)
    await world.say(movedTo('octavia'), granted('TCP/80'))
    await world.pass(150)
    const story = await world.story()
    const order = story.flatMap(({ type, data }) =>
      type === 'ResourceIntended' || type === 'ResourceAbsent' ? [`${type} ${data.epoch}`] : [],
    )
    expect(order.slice(-2)).toEqual(['ResourceAbsent 2', 'ResourceIntended 4'])
    expect(exists(world)).toEqual(['memory 3 TCP/80 a', 'octavia 4 TCP/80 a'])
  })

  test('before anything was made leaves a word in the log, so that nobody makes it late', async () => {
    const world = await open()
    await world.say(requested(), movedTo('octavia'), granted())
    await world.pass(5)
    expect(dataOf(await world.story(), 'ResourceAbsent')).toMatchObject([
      { epoch: 1, confirmedBy: ['log'] },
    ])
    expect(exists(world)).toEqual(['octavia 2 TCP/80 a'])
  })

  test.for([0, 1, 3, 8])(
    'that is deleted %d seconds later removes both, the newest last',
    async (at) => {
      const world = await served()
      await world.say(movedTo('octavia'), granted('TCP/80'))
      await world.pass(at)
      await world.say(releaseRequested)
      await world.pass(30)
      expect(exists(world)).toEqual([])
      const ends = dataOf(await world.story(), 'ResourceAbsent')
      expect(ends).toMatchObject([{ epoch: 1 }, { epoch: at === 0 ? 0 : 2 }])
      await world.say(frontendsReleased)
      await world.pass(3)
      expect(dataOf(await world.story(), 'ResourceAbsent')).toHaveLength(2)
    },
  )
})
