// Tokens and floating IPs: octavia-api is real, Keystone and Neutron are fakes (rig/fake-openstack.ts).
import { systemClock } from '@weir/kernel'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { remove, serve, type CarriedOut } from '../carry-out.ts'
import {
  startOctaviaRig,
  type OctaviaRig,
  type OctaviaWorld,
  type WorldOver,
} from './rig/octavia-rig.ts'
import { missingPrograms } from './rig/servers.ts'

let rig: OctaviaRig
const worlds: OctaviaWorld[] = []
const inWorld = async (over: WorldOver = {}): Promise<OctaviaWorld> => {
  const world = await rig.world({ openstack: true, ...over })
  worlds.push(world)
  return world
}
const reach = async (
  world: OctaviaWorld,
  ask: () => Promise<CarriedOut['outcome']>,
): Promise<CarriedOut['outcome']> => {
  for (let round = 0; round < 40; round += 1) {
    const outcome = await ask()
    if (outcome.status === 'done' || outcome.status === 'refused') return outcome
    await world.settle()
  }
  throw new Error('comes to no end')
}
const up = (world: OctaviaWorld, desired = world.sample()): Promise<CarriedOut['outcome']> =>
  reach(world, () => serve(world.driver, desired))
const down = (world: OctaviaWorld): Promise<CarriedOut['outcome']> =>
  reach(world, () => remove(world.driver, world.sample().marks))

const tokens = (): void => {
  test('one token serves all calls, and callers at once ask for one', async () => {
    const world = await inWorld()
    await Promise.all([1, 2, 3].map(() => world.driver.inventory()))
    await up(world)
    expect(world.openstack().issued).toHaveLength(1)
    const used = new Set(world.front.seen.map(({ token }) => token))
    expect([...used]).toEqual(world.openstack().issued)
  })

  test('a token is replaced before it ends', async () => {
    let later = 0
    const clock = { ...systemClock, now: () => Date.now() + later }
    const world = await inWorld({ options: { clock } })
    await world.driver.inventory()
    later = 54 * 60_000
    await world.driver.inventory()
    expect(world.openstack().issued).toHaveLength(1)
    later = 56 * 60_000
    await world.driver.inventory()
    expect(world.openstack().issued).toHaveLength(2)
  })

  test('after a 401 a new token is taken, once for all who met it', async () => {
    const world = await inWorld()
    await up(world)
    world.openstack().revokeAll()
    const { marks } = world.sample()
    const seen = await Promise.all([1, 2, 3].map(() => world.driver.observe(marks)))
    for (const each of seen) expect(each.status).toBe('present')
    expect(world.openstack().issued).toHaveLength(2)
  })

  test('wrong credentials are refused, and said without the secret', async () => {
    const world = await inWorld()
    const credentials = { ...world.openstack().credentials, applicationCredentialSecret: 'guessed' }
    const wrong = await inWorld({ options: { credentials } })
    const probe = await wrong.driver.probe()
    expect(probe).toMatchObject({ status: 'refused' })
    expect(JSON.stringify(probe)).not.toContain('guessed')
    await expect(wrong.driver.inventory()).rejects.toThrow(/application credential/)
  })

  test('credentials of another project are refused, and nothing is asked in its name', async () => {
    const world = await inWorld({ settings: { projectId: 'f'.repeat(32) } })
    expect(await world.driver.probe()).toMatchObject({
      status: 'refused',
      problem: expect.stringContaining(world.project),
    })
    await expect(world.driver.inventory()).rejects.toThrow(/belong to project/)
    await expect(serve(world.driver, world.sample())).rejects.toThrow(/belong to project/)
    expect(world.front.seen).toEqual([])
  })

  test('an endpoint that the catalog lacks is named', async () => {
    const world = await inWorld({ settings: { region: 'elsewhere' } })
    expect(await world.driver.probe()).toEqual({
      status: 'refused',
      problem:
        "Keystone's catalog has no public endpoint of type load-balancer in region elsewhere",
    })
  })
}

const floatingIps = (): void => {
  const list = (world: OctaviaWorld) => [...world.openstack().floatingIps.values()]

  test('a floating IP is what clients meet; it comes and goes with the load balancer', async () => {
    const world = await inWorld()
    expect(await up(world)).toEqual({ status: 'done' })
    const [floating] = list(world)
    const [balancer] = await world.balancers()
    expect(floating?.port_id).toBe(balancer?.vip_port_id)
    const seen = await world.driver.observe(world.sample().marks)
    expect(seen).toMatchObject({ ready: true, ingress: [{ ip: floating?.floating_ip_address }] })
    expect(await down(world)).toEqual({ status: 'done' })
    expect(await world.things()).toEqual([])
  })

  test('it outlives a load balancer that had to be replaced', async () => {
    const world = await inWorld()
    await up(world)
    const [before] = list(world)
    const [balancer] = await world.balancers()
    await world.flipper.say({
      loadbalancers: [{ id: balancer!.id, provisioning_status: 'ERROR' }],
    })
    expect(await up(world)).toEqual({ status: 'done' })
    const [after] = list(world)
    expect(after?.floating_ip_address).toBe(before?.floating_ip_address)
    expect(after?.port_id).not.toBe(before?.port_id)
    expect(list(world)).toHaveLength(1)
  })

  test('an address asked for is the floating one, and may change without a new load balancer', async () => {
    const world = await inWorld()
    await up(world, world.sample(1, { requestedAddress: '203.0.113.50' as never }))
    const [balancer] = await world.balancers()
    await up(world, world.sample(1, { requestedAddress: '203.0.113.51' as never, generation: 2 }))
    expect(list(world).map(({ floating_ip_address: ip }) => ip)).toEqual(['203.0.113.51'])
    expect((await world.balancers()).map(({ id }) => id)).toEqual([balancer?.id])
  })

  test('it has its marks from the call that makes it, and is listed with them', async () => {
    const world = await inWorld()
    await up(world)
    world.openstack().floatingIps.set('by-hand', {
      ...list(world)[0]!,
      id: 'by-hand',
      floating_ip_address: '203.0.113.200',
      port_id: null,
      description: 'for the printer',
    })
    const items = []
    for (let next: string | undefined, page = 0; page < 10; page += 1) {
      const found = await world.driver.inventory(next)
      items.push(...found.resources)
      next = found.next
      if (next === undefined) break
    }
    const { marks } = world.sample()
    expect(items.filter(({ kind }) => kind === 'floating IP')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ marks }),
        expect.objectContaining({ ref: 'by-hand', marks: null }),
      ]),
    )
    const byHand = { kind: 'floating IP', ref: 'by-hand', marks }
    expect(await world.driver.release(byHand)).toMatchObject({ capability: 'ownership' })
    await down(world)
    expect(list(world).map(({ id }) => id)).toEqual(['by-hand'])
  })

  test.each(['before', 'after'] as const)(
    'a call that breaks off %s its effect leaves nothing behind',
    async (when) => {
      const world = await inWorld()
      world.openstack().failNext(when)
      expect(await up(world)).toEqual({ status: 'done' })
      expect(list(world)).toHaveLength(1)
      world.openstack().failNext(when)
      expect(await down(world)).toEqual({ status: 'done' })
      expect(await world.things()).toEqual([])
    },
  )

  test('what an inventory lists can be released, and is done when it is gone', async () => {
    const world = await inWorld()
    await up(world)
    const { marks } = world.sample()
    const [floating] = list(world)
    const item = { kind: 'floating IP', ref: floating!.id, marks }
    const other = { ...item, marks: { ...marks, epoch: 2 } }
    expect(await world.driver.release(other)).toMatchObject({ capability: 'ownership' })
    expect(await world.driver.release(item)).toMatchObject({ status: 'pending' })
    expect(await world.driver.release(item)).toEqual({ status: 'done' })
  })
}

const missing = missingPrograms()
if (missing === null) {
  describe('octavia with Keystone and Neutron', { timeout: 120_000 }, () => {
    beforeAll(async () => {
      rig = await startOctaviaRig()
    }, 120_000)
    afterEach(async () => {
      for (const world of worlds.splice(0)) await world.stop()
    })
    afterAll(() => rig.stop())
    describe('tokens', () => {
      tokens()
    })
    describe('floating IPs', () => {
      floatingIps()
    })
  })
} else {
  test(`octavia is left out where octavia-api is not installed: ${missing}`, () => {
    expect(process.env['CI']).toBeUndefined()
  })
}
