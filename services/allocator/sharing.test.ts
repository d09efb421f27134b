// Services that share an address: who may join, what each holds, and when the address goes.
import {
  desiredResource,
  driverName,
  event,
  resourceKey,
  sharingGroupOf,
  type LoadBalancerIntent,
  type ServiceUid,
} from '@weir/contract'
import { seeded } from '@weir/testing'
import { describe, expect, test } from 'vitest'
import {
  acme,
  asking,
  connected,
  createWorld,
  end,
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
const key = 'dns' as never
const group = sharingGroupOf({ cluster: home, namespace: 'default', key })

const open = async (options?: WorldOptions): Promise<World> => {
  const world = await createWorld(options)
  await world.sayPool(poolCreated('198.51.100.0/29'))
  await world.sayCluster(connected())
  return world
}
const at = (port: number, more: Partial<LoadBalancerIntent> = {}): LoadBalancerIntent =>
  intentOf({
    ports: [{ name: '', protocol: 'TCP', port, nodePort: 30_000 + port } as never],
    sharingKey: key,
    ...more,
  })
const alone = (port: number): LoadBalancerIntent => {
  const { sharingKey: _, ...intent } = at(port)
  return intent
}
const refusalOf = async (world: World, service: ServiceUid) =>
  (await world.story(service)).findLast(({ type }) => /Taken|Invalid/.test(type))?.data

/** What provisioner and watcher say of a resource with these frontends. */
const served = async (
  world: World,
  service: ServiceUid,
  { generation, ip, port }: { generation: number; ip: string; port: number },
): Promise<void> => {
  const marks = { installation: 'i', tenant: acme, cluster: home, service, epoch: 1 }
  const position = { key: resourceKey.parse(`edge-${service}`), epoch: 1, generation }
  const desired = desiredResource.parse({
    marks: { ...marks, key: position.key },
    driver: 'edge',
    generation,
    frontends: [{ ip, protocol: 'TCP', port, nodePort: 30_000 + port }],
    targets: [],
    policy: 'Cluster',
    health: { port: 10_256, path: '/healthz', weightFromHeader: false },
    sourceRanges: [],
    affinity: { kind: 'None' },
    proxyProtocol: 'none',
  })
  const ingress = [{ ip: desired.frontends[0]!.ip, ipMode: 'VIP' as const }]
  const { driver } = desired
  await world.sayOf(
    service,
    event('ResourceIntended', { ...position, driver, externalName: 'x', desired }),
  )
  await world.settle()
  await world.sayOf(
    service,
    event('ResourceProgrammed', { ...position, ingress, confirmedBy: ['e1'] }),
  )
  if (generation === 1) {
    await world.sayOf(service, event('StatusPublished', { epoch: 1, generation, ingress }))
  }
  await world.settle()
}

describe('Services of one namespace with one key', () => {
  test('have one address, each its own ports, until the last of them goes', async () => {
    const world = await open()
    await sees(world, web, { intent: at(80) })
    await sees(world, mail, { intent: at(25) })
    expect(await world.held()).toEqual({ [one]: group })
    expect(await world.frontends()).toEqual([`${one}:25/TCP 2`, `${one}:80/TCP 1`])
    await end(world, web)
    expect(await world.held()).toEqual({ [one]: group })
    expect(await world.frontends()).toEqual([`${one}:25/TCP 2`])
    await end(world, mail)
    expect(await world.held()).toEqual({})
    await sees(world, uid(3), { intent: alone(80) })
    expect(Object.keys(await world.held()), 'it rests').toEqual([two])
    await sees(world, uid(4), { intent: at(80) })
    expect(await world.held(), 'but not for its group').toMatchObject({ [one]: group })
  })

  test('never have the same port: the second waits, is told why, and has it when it comes free', async () => {
    const world = await open()
    await sees(world, web, { intent: at(80) })
    await sees(world, mail, { intent: at(80) })
    expect(await world.told(mail)).toEqual(['LoadBalancerRequested', 'FrontendTaken'])
    expect(await refusalOf(world, mail)).toMatchObject({
      frontend: { ip: one, protocol: 'TCP', port: 80 },
      holder: web,
    })
    await end(world, web)
    expect(await world.frontends()).toEqual([`${one}:80/TCP 2`])
  })

  test('wait for a port that was closed until nothing serves it any more', async () => {
    const world = await open()
    await sees(world, web, { intent: at(80) })
    await served(world, web, { generation: 1, ip: one, port: 80 })
    await sees(world, web, { intent: at(443) })
    await sees(world, mail, { intent: at(80) })
    expect(await world.frontends()).toEqual([`${one}:443/TCP 1`, `${one}:80/TCP 1`])
    await served(world, web, { generation: 2, ip: one, port: 443 })
    expect(await world.frontends()).toEqual([`${one}:443/TCP 1`, `${one}:80/TCP 2`])
  })

  test('are alone with what they ask beside it: another address is refused by name', async () => {
    const world = await open()
    await sees(world, web, { intent: at(80) })
    const { requestedAddress } = asking(two)
    await sees(world, mail, { intent: at(25, { requestedAddress }) })
    expect(await refusalOf(world, mail)).toMatchObject({
      problems: [{ field: 'the address', problem: expect.stringContaining(`have ${one}`) }],
    })
    const same = asking(one).requestedAddress
    await sees(world, mail, { intent: at(25, { requestedAddress: same }) })
    expect(await world.frontends()).toEqual([`${one}:25/TCP 2`, `${one}:80/TCP 1`])
  })
})

test('a group whose address of one family rests has none of that family for a Service of the other', async () => {
  const world = await createWorld()
  const ranges = ['198.51.100.0/29', '2001:db8::/126'].map((block) => ({ block }))
  await world.sayPool(poolCreated('', { ranges }))
  await world.sayCluster(connected())
  await sees(world, web, { intent: at(80) })
  await end(world, web)
  await sees(world, mail, { intent: at(80, { ipFamilies: ['IPv6'] }) })
  expect(await world.held()).toEqual({ '2001:db8::': group })
  await sees(world, uid(3), { intent: at(25) })
  expect(await world.held()).toEqual({ [one]: group, '2001:db8::': group })
})

test('a Service that names another driver has another address', async () => {
  const world = await open()
  await sees(world, web, { intent: at(80) })
  await sees(world, mail, { intent: at(25, { requestedDriver: driverName.parse('edge') }) })
  expect(Object.keys(await world.held())).toEqual([one, two])
})

test('a namesake of the key in another namespace, or a stranger to it, has another address', async () => {
  const world = await open()
  await sees(world, web, { intent: at(80) })
  await sees(world, mail, { intent: at(25), namespace: 'other' })
  await sees(world, uid(3), {
    intent: intentOf({ requestedAddress: asking(one).requestedAddress }),
  })
  expect(Object.keys(await world.held())).toEqual([one, two])
  expect(await world.told(uid(3))).toContain('AddressTaken')
})

describe('a Service that', () => {
  test('begins to share keeps its address, and so it does when it ends to, alone', async () => {
    const world = await open()
    await sees(world, web, { intent: alone(80) })
    expect(await world.held()).toEqual({ [one]: web })
    await sees(world, web, { intent: at(80) })
    expect(await world.held()).toEqual({ [one]: group })
    await sees(world, web, { intent: alone(80) })
    expect(await world.held()).toEqual({ [one]: web })
    await sees(world, mail, { intent: at(25) })
    expect(await world.held()).toEqual({ [one]: web, [two]: group })
  })

  test('joins others gives up its own address, once it is out of use', async () => {
    const world = await open()
    await sees(world, web, { intent: at(80) })
    await sees(world, mail, { intent: alone(25) })
    await served(world, mail, { generation: 1, ip: two, port: 25 })
    await sees(world, mail, { intent: at(25) })
    expect(await world.held()).toEqual({ [one]: group, [two]: mail })
    await served(world, mail, { generation: 2, ip: one, port: 25 })
    expect(await world.held(), 'what it shows is not known to be the new one').toMatchObject({
      [two]: mail,
    })
    const ingress = [{ ip: one as never, ipMode: 'VIP' as const }]
    await world.sayOf(mail, event('StatusPublished', { epoch: 1, generation: 2, ingress }))
    await world.settle()
    expect(await world.held()).toEqual({ [one]: group })
  })

  test('leaves others goes to an address of its own, and its ports stay its own until then', async () => {
    const world = await open()
    await sees(world, web, { intent: at(80) })
    await sees(world, mail, { intent: at(25) })
    await served(world, mail, { generation: 1, ip: one, port: 25 })
    await sees(world, mail, { intent: alone(25) })
    expect(await world.held()).toEqual({ [one]: group, [two]: mail })
    expect(await world.frontends()).toEqual([
      `${one}:25/TCP 2`,
      `${one}:80/TCP 1`,
      `${two}:25/TCP 2`,
    ])
  })
})

/** Many worlds in one test: how long they take is up to the machine. */
const patient = { timeout: 60_000 }

test(
  'of many that come and go at once at several allocators none loses its address or its port',
  patient,
  async () => {
    const { below } = seeded()
    for (let round = 0; round < 20; round += 1) {
      const world = await open({ allocators: 2, turns: () => below(12) })
      const all = Array.from({ length: 8 }, (_, index) => uid(index + 1))
      const ask = (service: ServiceUid, index: number) =>
        world.observation(service, { intent: at(80 + (index % 6)) })
      await world.deliver(...all.map(ask))
      await world.settle()
      const [ip, ...more] = Object.entries(await world.held())
      expect([ip?.[1], more]).toEqual([group, []])
      const ports = (await world.frontends()).map((each) => each.split(' ')[0] ?? '')
      expect(ports).toEqual([80, 81, 82, 83, 84, 85].map((port) => `${ip?.[0]}:${port}/TCP`))
      const leaving = all.slice(0, 6)
      await world.deliver(...leaving.map((each) => world.observation(each, { phase: 'deleting' })))
      await world.settle()
      for (const service of leaving) await world.clear(service)
      await world.settle()
      world.advance(31_000)
      await world.settle()
      expect(Object.values(await world.held())).toEqual([group])
      const last = (await world.frontends()).map((each) => each.split(':')[1])
      expect(last).toEqual(['80/TCP 7', '81/TCP 8'])
      for (const service of all.slice(6)) await end(world, service)
      expect(await world.held()).toEqual({})
    }
  },
)
