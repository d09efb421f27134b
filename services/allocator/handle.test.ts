import { clusterId, event, intentHash, type DomainEvent } from '@weir/contract'
import { describe, expect, test } from 'vitest'
import {
  acme,
  asking,
  connected,
  createWorld,
  end,
  deregistered,
  home,
  intentOf,
  mail,
  poolCreated,
  sees,
  uid,
  web,
  type World,
  type WorldOptions,
} from './sample-world.ts'

const one = '198.51.100.0'
const two = '198.51.100.1'

const open = async (block: string, options?: WorldOptions): Promise<World> => {
  const world = await createWorld(options)
  await world.sayPool(poolCreated(block))
  await world.sayCluster(connected())
  return world
}

test('a whole life, and the same address when it comes back', async () => {
  const world = await open('198.51.100.0/30')
  await sees(world, web)
  expect(await world.held()).toEqual({ [one]: web })
  await end(world)
  expect(await world.held()).toEqual({})
  expect(await world.frontends()).toEqual([])
  await sees(world, mail)
  await world.sayOf(web, event('FinalizerAdded', { resourceVersion: '1' }))
  await sees(world, web)
  expect(await world.held()).toEqual({ [one]: web, [two]: mail })
  const life = ['LoadBalancerRequested', 'FrontendsAllocated']
  expect(await world.told(web)).toEqual([...life, 'ReleaseRequested', 'FrontendsReleased', ...life])
})

test('a change of ports keeps the address and closes what is no longer named', async () => {
  const world = await open('198.51.100.0/30')
  await sees(world, web)
  const [http] = intentOf().ports
  const ports = [{ ...http, port: 443 }] as (typeof http)[] as never
  await sees(world, web, { intent: intentOf({ ports }) })
  expect(await world.frontends()).toEqual([`${one}:443/TCP 1`])
})

test('a requested address is moved to: made before broken, in one append', async () => {
  const world = await open('198.51.100.0/30')
  await sees(world, web)
  await sees(world, web, { intent: asking(two) })
  expect(await world.held()).toEqual({ [two]: web })
  const [changed, allocated] = (await world.story(web)).slice(-2)
  expect([changed?.type, allocated?.type]).toEqual(['LoadBalancerChanged', 'FrontendsAllocated'])
  expect(changed?.recordedtime).toBe(allocated?.recordedtime)
  await sees(world, mail, { intent: asking(one) })
  expect(await world.told(mail), 'the old address rests').toContain('AddressTaken')
})

describe('a refused Service', () => {
  test('heals when a pool is created', async () => {
    const world = await createWorld()
    await world.sayCluster(connected())
    await sees(world, web)
    expect(await world.told(web)).toEqual(['LoadBalancerRequested', 'PoolMissing'])
    await world.sayPool(poolCreated('198.51.100.0/30'))
    await world.settle()
    expect(await world.held()).toEqual({ [one]: web })
  })

  test('heals when an address is released and has rested, without waiting longer', async () => {
    const world = await open('198.51.100.0/32')
    await sees(world, web)
    await sees(world, mail)
    await end(world)
    expect(await world.held()).toEqual({})
    world.advance(54_000)
    await world.workOnce()
    expect(await world.held()).toEqual({})
    world.advance(3_001)
    await world.workOnce()
    expect(await world.held()).toEqual({ [one]: mail })
  })

  test('heals by itself after a restart, which forgets who waits', async () => {
    const world = await createWorld()
    await world.sayCluster(connected())
    await sees(world, web)
    await world.crash()
    await world.sayPool(poolCreated('198.51.100.0/30'))
    await world.settle()
    world.advance(30_000)
    await world.settle()
    expect(await world.held()).toEqual({ [one]: web })
  })

  test('heals though another allocator released the address', async () => {
    const world = await open('198.51.100.0/32', { allocators: 2 })
    await sees(world, web)
    await sees(world, mail)
    await end(world)
    world.advance(100_000)
    await world.settle()
    expect(await world.held()).toEqual({ [one]: mail })
  })

  test('is told again when the promised time has passed in vain, and not at each attempt', async () => {
    const world = await open('198.51.100.0/32')
    await sees(world, web)
    await end(world)
    await sees(world, mail)
    expect(await world.told(mail)).toEqual(['LoadBalancerRequested', 'PoolExhausted'])
    await world.sayOf(web, event('FinalizerAdded', { resourceVersion: '1' }))
    await sees(world, web)
    expect(await world.held()).toEqual({ [one]: web })
    for (let minute = 0; minute < 5; minute += 1) {
      world.advance(60_000)
      await world.settle()
    }
    expect(await world.told(mail)).toEqual([
      'LoadBalancerRequested',
      'PoolExhausted',
      'PoolExhausted',
    ])
  })

  test('serves on with the old wish, and is no longer refused once it asks for that again', async () => {
    const world = await open('198.51.100.0/30')
    await sees(world, web)
    await sees(world, web, { intent: asking('203.0.113.1') })
    expect((await world.told(web)).at(-1)).toBe('AddressNotInPool')
    await sees(world, web)
    const last = (await world.story(web)).at(-1)
    expect(last?.type).toBe('FrontendsAllocated')
    expect(last?.data).toMatchObject({ leases: [{ ip: one }], choice: 'sticky' })
    await world.store.work.mark('allocator', acme, [web])
    await world.settle()
    expect(await world.told(web)).toHaveLength(4)
  })
})

test('an address that rests by the log alone, since clocks differ, is waited for', async () => {
  const world = await open('198.51.100.0/32', { aheadMs: 30_000 })
  await sees(world, web)
  await end(world)
  await world.crash() // the next process knows only what the rows say
  world.advance(40_000)
  await world.see(mail)
  await world.workOnce()
  expect(await world.told(mail)).toEqual(['LoadBalancerRequested', 'PoolExhausted'])
  expect(await world.store.work.stuck('allocator', 1)).toEqual([])
  world.advance(30_000)
  await world.settle()
  expect(await world.held()).toEqual({ [one]: mail })
})

describe('a cluster', () => {
  test('that is deregistered loses everything, without waiting for its finalizers', async () => {
    const world = await open('198.51.100.0/28')
    for (const n of [1, 2, 3]) await sees(world, uid(n))
    await world.sayCluster(deregistered)
    await world.settle()
    for (const n of [1, 2, 3]) {
      expect((await world.told(uid(n))).at(-1)).toBe('ReleaseRequested')
      await world.sayOf(uid(n), absent())
    }
    await world.settle()
    expect(await world.held()).toEqual({})
    expect(await world.frontends()).toEqual([])
  })

  test('that leaves while a deleted Service waits for its finalizers keeps no address', async () => {
    const world = await open('198.51.100.0/28')
    await sees(world, web)
    await sees(world, web, { phase: 'deleting' })
    await world.sayOf(web, absent(1))
    await world.settle()
    expect(await world.held()).toEqual({ [one]: web })
    await world.sayCluster(deregistered)
    await world.settle()
    expect(await world.held()).toEqual({})
  })

  test('that left ends the life which a process began that paused meanwhile', async () => {
    const earlier = await open('198.51.100.0/28')
    await sees(earlier, web)
    const [began] = await earlier.story(web)
    if (began?.type !== 'LoadBalancerRequested') throw new Error('no life began')
    const world = await open('198.51.100.0/28')
    await world.sayCluster(deregistered)
    await sees(world, web)
    expect(await world.told(web)).toEqual([])
    await world.sayOf(web, event('LoadBalancerRequested', began.data))
    await world.settle()
    expect((await world.told(web)).slice(0, 2)).toEqual([
      'LoadBalancerRequested',
      'ReleaseRequested',
    ])
  })

  test('that comes back has its Services served again, though nothing about them is new', async () => {
    const world = await open('198.51.100.0/28')
    await sees(world, web)
    await world.sayCluster(deregistered)
    await world.settle()
    await world.sayCluster(connected())
    await world.settle()
    await world.sayOf(web, absent(1))
    await world.settle()
    expect(await world.held()).toEqual({ [one]: web })
    await world.sayCluster(deregistered)
    await world.settle()
    await world.sayOf(web, absent(2))
    await world.settle()
    expect(await world.held()).toEqual({})
    await world.sayCluster(connected())
    await world.settle()
    expect(await world.held()).toEqual({ [one]: web })
  })

  test('that was never connected is not served', async () => {
    const world = await createWorld()
    await world.sayPool(poolCreated('198.51.100.0/28'))
    await sees(world, web)
    expect(await world.told(web)).toEqual([])
    await world.sayCluster(connected())
    await world.settle()
    expect(await world.held()).toEqual({ [one]: web })
  })

  test('is found again for a Service that was seen before a restart', async () => {
    const world = await open('198.51.100.0/28')
    await world.see(web)
    await world.crash()
    await world.settle()
    expect(await world.held()).toEqual({ [one]: web })
  })

  test('keeps the lives that began in it, whatever another shows under the same UID', async () => {
    const world = await open('198.51.100.0/28')
    const other = clusterId.parse('22222222-2222-4222-8222-222222222222')
    await world.sayCluster(connected(other), other)
    await sees(world, web)
    await sees(world, web, { cluster: other, phase: 'gone' })
    expect(await world.told(web)).toEqual(['LoadBalancerRequested', 'FrontendsAllocated'])
    await sees(world, web, { cluster: home, phase: 'deleting' })
    expect((await world.told(web)).at(-1)).toBe('ReleaseRequested')
  })
})

test('every decision names the wish it answers', async () => {
  const world = await open('198.51.100.0/30')
  await sees(world, web)
  const requested = (await world.story(web))[0]
  expect(requested?.data).toMatchObject({ intentHash: intentHash(intentOf()) })
})

const absent = (epoch = 1): DomainEvent =>
  event('ResourceAbsent', { key: `edge-${web}` as never, epoch, confirmedBy: ['test'] })
