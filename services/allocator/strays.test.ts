// Rows that are held although the life of their holder is over: nothing of ours leaves such, so tests write them.
import { platformTenant, strayWork, type HeldRow } from '@weir/contract'
import { silentLogger, systemClock } from '@weir/kernel'
import { describe, expect, test } from 'vitest'
import { openProjection } from './projection.ts'
import { acme, connected, createWorld, mail, poolCreated, web, type World } from './sample-world.ts'
import { createStrays } from './strays.ts'

const ip = '198.51.100.0'
const address: HeldRow = { scope: 'address', key: ip }
const frontend: HeldRow = { scope: 'frontend', key: `${ip}:80/TCP` }

const open = async (): Promise<World> => {
  const world = await createWorld()
  await world.sayPool(poolCreated('198.51.100.0/32'))
  await world.sayCluster(connected())
  return world
}
/** A life from its beginning to its end. */
const ended = async (): Promise<World> => {
  const world = await open()
  await world.see(web)
  await world.settle()
  await world.see(web, { phase: 'gone' })
  await world.settle()
  await world.clear(web)
  await world.settle()
  world.advance(120_000)
  return world
}
const take = async (world: World, ...rows: readonly HeldRow[]): Promise<void> => {
  await world.store.log.append({
    tenant: acme,
    commandId: `restored/${rows.length}`,
    events: [],
    claims: rows.map((row) => ({ change: 'take', ...row, holder: web })),
    actor: 'test',
    correlationId: web,
    causationId: 'test',
  })
}
const look = async (world: World, ...rows: readonly HeldRow[]): Promise<void> => {
  await world.store.work.mark('allocator', acme, rows.map(strayWork))
  await world.settle()
}

describe('what is held although its life is over', () => {
  test('is let go with a word in the story, rests, and is there for others then', async () => {
    const world = await ended()
    const before = (await world.told(web)).length
    await take(world, address, frontend)
    await world.see(mail)
    await world.settle()
    expect(await world.told(mail)).toEqual(['LoadBalancerRequested', 'PoolExhausted'])
    await look(world, address, frontend)
    expect(await world.held()).toEqual({})
    expect(await world.frontends()).toEqual([])
    const said = (await world.story(web)).filter(({ subject }) => subject === `lb-${web}`)
    expect(said.slice(before).map(({ type, data }) => [type, data])).toEqual([
      [
        'FrontendsReleased',
        {
          leases: [{ ip, pool: 'public' }],
          frontends: [],
          quarantineUntil: expect.any(String) as string,
        },
      ],
      [
        'FrontendsReleased',
        { leases: [], frontends: [{ ip, protocol: 'TCP', port: 80 }], quarantineUntil: null },
      ],
    ])
    world.advance(60_000)
    await world.settle()
    expect(await world.held()).toEqual({ [ip]: mail })
  })

  test('is let go once, however often it is looked at', async () => {
    const world = await ended()
    await take(world, address)
    await look(world, address, frontend)
    const told = await world.told(web)
    await look(world, address, frontend)
    expect(await world.told(web)).toEqual(told)
  })

  test('stays with a life that goes on', async () => {
    const world = await open()
    await world.see(web)
    await world.settle()
    const told = await world.told(web)
    await look(world, address, frontend)
    expect([await world.held(), await world.told(web)]).toEqual([{ [ip]: web }, told])
  })

  test('stays when its story never told of it, for people to look at', async () => {
    const world = await ended()
    const unheard: HeldRow = { scope: 'address', key: '198.51.100.9' }
    await take(world, unheard)
    await look(world, unheard)
    expect(await world.held()).toEqual({ [unheard.key]: web })
  })

  test('is nobody else’s to let go of', async () => {
    const world = await ended()
    await take(world, address)
    await world.store.work.mark('allocator', platformTenant, [strayWork(address)])
    await world.settle()
    expect(await world.held()).toEqual({ [ip]: web })
  })

  test('stays with a life that begins while it is looked at', async () => {
    const world = await ended()
    await take(world, address)
    const { log } = world.store
    const [first] = await world.story(web)
    let reads = 0
    const claims: typeof log.claims = async (...asked) => {
      const found = await log.claims(...asked)
      reads += 1
      // After the story was read, and before anything is recorded.
      if (reads === 2 && first !== undefined) await world.sayOf(web, first)
      return found
    }
    const store = { log: { ...log, claims } }
    const projection = await openProjection({ store: world.store, clock: systemClock })
    const own = { store, projection, clock: systemClock, log: silentLogger }
    const look = createStrays({ ...own, consumer: 'allocator' })
    expect(await look({ tenant: acme, key: strayWork(address) })).toBe(false)
    expect([reads, await world.held()]).toEqual([4, { [ip]: web }])
  })
})
