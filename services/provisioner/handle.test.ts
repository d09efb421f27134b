import { event } from '@weir/contract'
import {
  kernelCapabilities,
  RateUsedUp,
  userspaceCapabilities,
  type Driver,
  type Step,
} from '@weir/drivers'
import type { EventLog } from '@weir/eventlog'
import { describe, expect, test } from 'vitest'
import { foldStory } from './domain/fold.ts'
import {
  allocated,
  changed,
  connected,
  createWorld,
  frontendsReleased,
  intentOf,
  releaseRequested,
  requested,
  tenant,
  web,
  type World,
} from './sample-world.ts'

const born = async (world: World): Promise<World> => {
  await world.say(connected)
  await world.seeNodes({ a: '127.0.0.11', b: '127.0.0.12' })
  await world.say(requested(), allocated())
  await world.settle()
  return world
}

const targets = (world: World) =>
  world.driver.provider.world()[0]?.targets.map(({ node, ip, weight }) => `${node} ${ip} ${weight}`)

/** A Service that is released, at a provider which takes its time to remove what it had. */
const releasing = async (): Promise<World> => {
  const world = createWorld({ driver: { slow: true } })
  await world.say(connected, requested(), allocated())
  await world.settle()
  world.driver.provider.settle()
  await world.say(releaseRequested)
  await world.settle()
  return world
}

describe('one life', () => {
  test('is intended before it is made, and programmed after it was read back', async () => {
    const world = await born(createWorld())
    expect(await world.told()).toEqual(['ResourceIntended', 'ResourceProgrammed'])
    expect(targets(world)).toEqual(['a 127.0.0.11 1', 'b 127.0.0.12 1'])
    expect(world.driver.provider.journal()).toHaveLength(1)
  })

  test('ends with one confirmed absence', async () => {
    const world = await born(createWorld())
    await world.say(releaseRequested)
    await world.settle()
    expect((await world.told()).slice(2)).toEqual(['ResourceDeleteIntended', 'ResourceAbsent'])
    expect(world.driver.provider.world()).toEqual([])
  })

  test('that made nothing ends with an absence of epoch 0', async () => {
    const world = createWorld()
    await world.say(requested(), releaseRequested)
    await world.settle()
    const story = await world.story()
    expect(story.at(-1)).toMatchObject({ type: 'ResourceAbsent', data: { epoch: 0 } })
    expect(await world.told()).toEqual(['ResourceAbsent'])
  })

  test('is followed by one with the next epoch', async () => {
    const world = await born(createWorld())
    await world.say(releaseRequested)
    await world.settle()
    await world.say(frontendsReleased, requested(), allocated())
    await world.settle()
    expect(world.driver.provider.world()[0]?.marks.epoch).toBe(2)
    expect((await world.told()).slice(4)).toEqual(['ResourceIntended', 'ResourceProgrammed'])
  })

  test('costs one story read, two appends and one call that changes something', async () => {
    const world = createWorld()
    await world.say(connected)
    await world.seeNodes({ a: '127.0.0.11' })
    await world.settle()
    const before = world.calls()
    await world.say(requested(), allocated())
    await world.settle()
    // story, cluster story, nodes, append, observe, execute, observe, append
    expect(world.calls() - before).toBe(8)
  })
})

describe('a slow provider', () => {
  test('is confirmed when it says so, without another look at the story', async () => {
    const world = createWorld({ driver: { slow: true } })
    await world.say(connected, requested(), allocated())
    await world.settle()
    expect(await world.told()).toEqual(['ResourceIntended'])
    world.driver.provider.settle()
    const before = world.calls()
    await world.provisioner().changed({ tenant, service: web })
    expect(world.calls() - before).toBe(2)
    expect(await world.told()).toEqual(['ResourceIntended', 'ResourceProgrammed'])
  })

  test('keeps a delete pending until the absence is read', async () => {
    const world = await releasing()
    expect((await world.told()).at(-1)).toBe('ResourceDeleteIntended')
    world.driver.provider.settle()
    await world.settle()
    expect((await world.told()).at(-1)).toBe('ResourceAbsent')
  })
})

test('a release stays one when gc, too, orders the removal of what takes its time to go', async () => {
  const world = await releasing()
  const story = await world.story()
  const ordered = story.at(-1)
  if (ordered?.type !== 'ResourceDeleteIntended') throw new Error('no delete was intended')
  const { key, epoch } = ordered.data
  const streamversion = ordered.streamversion + 1
  const byGc = { ...ordered, streamversion, data: { ...ordered.data, reason: 'orphan' } as const }
  const absent = event('ResourceAbsent', { key, epoch, confirmedBy: ['memory'] })
  const gone = { ...ordered, ...absent, streamversion: streamversion + 1 }
  expect(foldStory([...story, byGc]).state).toMatchObject({ status: 'Removing', released: true })
  expect(foldStory([...story, byGc, gone]).state.status).toBe('Absent')
})

describe('a change', () => {
  test('of the wish is intended with the next generation', async () => {
    const world = await born(createWorld())
    await world.say(changed(intentOf({ sourceRanges: ['10.0.0.0/8' as never] })))
    await world.settle()
    const [there] = world.driver.provider.world()
    expect(there).toMatchObject({ generation: 2, sourceRanges: ['10.0.0.0/8'] })
    expect((await world.told()).slice(2)).toEqual(['ResourceIntended', 'ResourceProgrammed'])
  })

  test('of the nodes is recorded with what was before and why', async () => {
    const world = await born(createWorld())
    await seeService(world)
    await world.seeNodes({ a: '127.0.0.11', b: 'excluded-by-label', c: '127.0.0.13' })
    await world.settle()
    expect(targets(world)).toEqual(['a 127.0.0.11 1', 'c 127.0.0.13 1'])
    const moved = (await world.story()).find(({ type }) => type === 'TargetsChanged')
    expect(moved?.data).toMatchObject({ cause: 'nodes', generation: 2 })
  })

  test('of the nodes shortly after another is not missed for what was read between the two', async () => {
    const world = await born(createWorld())
    await seeService(world)
    const { work } = world.store
    const workOnce = async (): Promise<void> => {
      const at = { consumer: 'provisioner', worker: 'w', limit: 10, leaseMs: 30_000 }
      for (const item of await work.claim(at)) {
        await work.done(item, (await world.provisioner().reconcile(item)).againInMs)
      }
    }
    await world.seeNodes({ a: '127.0.0.11', b: '127.0.0.12', c: '127.0.0.13' })
    await workOnce()
    world.advance(400)
    await work.mark('provisioner', tenant, [web])
    await workOnce()
    world.advance(50)
    await world.seeNodes({ a: '127.0.0.11' })
    await workOnce()
    world.advance(60)
    await workOnce()
    await workOnce()
    await world.settle()
    expect(targets(world)).toEqual(['a 127.0.0.11 1'])
  })

  test('of the pods moves the weights under Local', async () => {
    const world = createWorld()
    const local = { externalTrafficPolicy: 'Local', healthCheckNodePort: 31_000 as never } as const
    await world.say(connected)
    await world.seeNodes({ a: '127.0.0.11', b: '127.0.0.12' })
    await world.seeEndpoints({ a: 3 })
    await world.say(requested(intentOf(local)), allocated())
    await world.settle()
    expect(targets(world)).toEqual(['a 127.0.0.11 3', 'b 127.0.0.12 0'])
    await world.seeEndpoints({ a: 3, b: 1 })
    await world.settle()
    expect(targets(world)).toEqual(['a 127.0.0.11 3', 'b 127.0.0.12 1'])
  })

  test('to an empty node list takes no target away', async () => {
    const world = await born(createWorld())
    await seeService(world)
    await world.seeNodes({})
    await world.settle()
    expect(targets(world)).toHaveLength(2)
    expect(await world.told()).toHaveLength(2)
  })

  test('that the driver cannot meet is refused once, and what serves goes on', async () => {
    const world = await born(createWorld({ driver: { capabilities: noRanges } }))
    await world.say(changed(intentOf({ sourceRanges: ['10.0.0.0/8' as never] })))
    await world.settle()
    world.advance(60_000)
    await world.settle()
    expect((await world.told()).slice(2)).toEqual(['ResourceRefused'])
    expect(world.driver.provider.world()).toHaveLength(1)
  })
})

test('a wish that is refused, taken back and made again is refused again', async () => {
  const world = await born(createWorld({ driver: { capabilities: noRanges } }))
  const ranged = intentOf({ sourceRanges: ['10.0.0.0/8' as never] })
  const other = intentOf({ externalTrafficPolicy: 'Local', healthCheckNodePort: 31_000 as never })
  for (const intent of [ranged, other, ranged]) {
    await world.say(changed(intent))
    await world.settle()
  }
  expect((await world.told()).slice(2)).toEqual([
    'ResourceRefused',
    'ResourceIntended',
    'ResourceProgrammed',
    'ResourceRefused',
  ])
})

describe('what a data plane lacks', () => {
  const port = { name: 'http', protocol: 'TCP', port: 80, nodePort: null }
  const portless = intentOf({ ports: [port] as never })
  const planes = { userspace: userspaceCapabilities, kernel: kernelCapabilities }
  const at = (plane: keyof typeof planes): World =>
    createWorld({ driver: { capabilities: planes[plane] } })

  test.each([
    ['userspace', 'needsNodePort', portless, 'allocateLoadBalancerNodePorts: true'],
    ['kernel', 'proxyProtocol', intentOf({ proxyProtocol: 'v2' }), 'the PROXY protocol'],
  ] as const)('is refused of %s by its name: %s', async (plane, capability, intent, words) => {
    const world = at(plane)
    await world.say(connected, requested(intent), allocated())
    await world.settle()
    const [refusal, ...more] = (await world.story()).filter(({ type }) =>
      type.startsWith('Resource'),
    )
    expect(more).toEqual([])
    expect(refusal).toMatchObject({ type: 'ResourceRefused', data: { capability } })
    expect(JSON.stringify(refusal)).toContain(words)
    expect(world.driver.provider.world()).toEqual([])

    await world.say(changed(intentOf()))
    await world.settle()
    expect(await world.told()).toEqual([
      'ResourceRefused',
      'ResourceIntended',
      'ResourceProgrammed',
    ])
  })

  test('may be lacked by a Service that never needed it', async () => {
    const world = at('kernel')
    await world.say(connected, requested(portless), allocated())
    await world.settle()
    expect(await world.told()).toEqual(['ResourceIntended', 'ResourceProgrammed'])
    expect(world.driver.provider.world()[0]?.frontends).toEqual([
      { ip: '127.1.0.1', protocol: 'TCP', port: 80 },
    ])
  })
})

describe('drift', () => {
  test('is found by the routine look, told and repaired', async () => {
    const world = await born(createWorld())
    for (const { marks } of world.driver.provider.world()) world.driver.provider.uproot(marks.key)
    world.advance(60_000)
    await world.settle()
    expect((await world.told()).slice(2)).toEqual([
      'ResourceDrifted',
      'ResourceIntended',
      'ResourceProgrammed',
    ])
    expect(world.driver.provider.world()[0]?.generation).toBe(2)
  })

  test('of a provider ahead of the log is overtaken', async () => {
    const world = await born(createWorld())
    const [there] = world.driver.provider.world()
    if (there !== undefined) world.driver.provider.plant({ ...there, generation: 7 })
    world.advance(60_000)
    await world.settle()
    world.crash()
    world.advance(60_000)
    await world.settle()
    expect(world.driver.provider.world()[0]?.generation).toBeGreaterThan(7)
    expect((await world.told()).at(-1)).toBe('ResourceProgrammed')
  })

  test('does not exist after a restart: nothing is changed and nothing recorded', async () => {
    const world = await born(createWorld())
    world.crash()
    world.advance(60_000)
    await world.settle()
    expect(await world.told()).toHaveLength(2)
    expect(world.driver.provider.journal()).toHaveLength(1)
  })
})

test('a process that slept on the answer of its append makes nothing for what was released meanwhile', async () => {
  const world = createWorld()
  const log = world.store.log as { -readonly [Part in 'append']: EventLog[Part] }
  const { append } = world.store.log
  let slept = false
  log.append = async (command) => {
    const outcome = await append(command)
    if (command.actor !== 'provisioner' || slept) return outcome
    slept = true
    await world.say(releaseRequested)
    world.advance(60_000)
    return outcome
  }
  await born(world)
  await world.settle()
  expect(slept).toBe(true)
  expect(await world.told()).toContain('ResourceAbsent')
  expect(world.driver.provider.journal()).toEqual([])
})

test('what the driver gets rid of under a wish that lives is told before, once', async () => {
  const world = createWorld()
  const driver = world.driver as { -readonly [Part in 'plan' | 'execute']: Driver[Part] }
  const { plan, execute } = world.driver as Driver
  const discards = { ref: 'lb-2', why: 'one of two made at once' }
  const twin: Step = { title: 'delete the twin', tenant, call: {}, discards }
  const toldBefore: (readonly string[])[] = []
  driver.plan = (order, seen) =>
    seen.status === 'present' && toldBefore.length === 0
      ? { status: 'steps', steps: [twin] }
      : plan(order, seen)
  driver.execute = async (step) => {
    if (step !== twin) return execute(step)
    toldBefore.push(await world.told())
    return { status: 'done' }
  }
  await born(world)
  const told = ['ResourceIntended', 'ResourceDiscarded']
  expect(toldBefore).toEqual([told])
  expect(await world.told()).toEqual([...told, 'ResourceProgrammed'])
})

test('ten failures park a key, once, and a working provider heals it', async () => {
  const world = createWorld()
  world.driver.meet(Array.from({ length: 14 }, () => 'fails'))
  await world.say(connected, requested(), allocated())
  await world.settle()
  for (let hour = 0; hour < 8; hour += 1) {
    world.advance(3_600_000)
    await world.settle()
  }
  expect(await world.told()).toEqual(['ResourceIntended', 'ReconcileParked', 'ResourceProgrammed'])
})

test('a share of the rate that is used up parks nothing, however often it is met', async () => {
  const world = createWorld()
  const { observe } = world.driver
  let denied = 0
  const observeWithin: typeof observe = async (marks) => {
    denied += 1
    if (denied <= 40) throw new RateUsedUp('acme', 'read', 40)
    return observe(marks)
  }
  Object.assign(world.driver, { observe: observeWithin })
  await world.say(connected, requested(), allocated())
  for (let look = 0; look < 50; look += 1) {
    await world.settle()
    world.advance(100)
  }
  expect(denied).toBeGreaterThan(40)
  expect(await world.told()).toEqual(['ResourceIntended', 'ResourceProgrammed'])
})

const noRanges = {
  protocols: ['TCP', 'UDP'],
  ipFamilies: ['IPv4'],
  addresses: 'pool',
  sourceRanges: false,
  clientIpAffinity: true,
  proxyProtocol: true,
  weights: true,
  preservesClientAddress: 'always',
  samePortTcpUdp: 'always',
  needsNodePort: true,
  targetsByProviderId: null,
  maxFrontends: 500,
  ipMode: 'VIP',
} as const

/** The allocator's own copy of the Service, from which a cluster's Services are known. */
const seeService = async (world: World): Promise<void> => {
  const seen = {
    kind: 'service',
    tenant,
    cluster: (await world.story()).flatMap((said) =>
      said.type === 'LoadBalancerRequested' ? [said.data.cluster] : [],
    )[0]!,
    watcherEpoch: 1,
    order: 1,
    seenAt: '2026-01-01T00:00:00Z',
    serviceUid: web,
    namespace: 'default',
    name: 'web',
    phase: 'present',
    intent: intentOf(),
  } as const
  await world.store.observed.store('allocator', [{ seen, keys: [] }])
}
