// What is Octavia's own, on the real octavia-api; the promises of every driver are in the conformance suite.
import type { DesiredResource } from '@weir/contract'
import { eventually } from '@weir/testing'
import { OperatingError, systemClock } from '@weir/kernel'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createBudget } from '../budget.ts'
import { carryOut, remove, serve, type CarriedOut } from '../carry-out.ts'
import type { SampleOver } from '../sample-desired.ts'
import {
  changesSeen,
  startOctaviaRig,
  type OctaviaRig,
  type OctaviaWorld,
  type WorldOver,
} from './rig/octavia-rig.ts'
import type { Trouble } from './rig/front.ts'
import { missingPrograms } from './rig/servers.ts'

let rig: OctaviaRig
const worlds: OctaviaWorld[] = []
const inWorld = async (over?: WorldOver): Promise<OctaviaWorld> => {
  const world = await rig.world(over)
  worlds.push(world)
  return world
}

/** Asks until there is nothing left to ask, as a worker does. */
const bring = async (
  world: OctaviaWorld,
  desired: DesiredResource,
  driver = world.driver,
): Promise<CarriedOut['outcome']> => {
  for (let round = 0; round < 40; round += 1) {
    const outcome = await serve(driver, desired)
    if (['done', 'refused', 'superseded'].includes(outcome.status)) return outcome
    await world.settle()
  }
  throw new Error('comes to no end')
}
const up = async (world: OctaviaWorld, over: SampleOver = {}): Promise<DesiredResource> => {
  const desired = world.sample(1, over)
  expect(await bring(world, desired)).toEqual({ status: 'done' })
  return desired
}
const frontends = (world: OctaviaWorld, ...given: readonly object[]): SampleOver => ({
  frontends: given.map((each) => ({ ...world.sample().frontends[0], ...each })) as never,
})

const lives = (): void => {
  test('is made by one call that has everything in it', async () => {
    const world = await inWorld()
    const desired = world.sample(1, {
      ...frontends(world, {}, { protocol: 'UDP', nodePort: 30_081 }),
      sourceRanges: ['10.0.0.0/8'] as never,
    })
    expect(await serve(world.driver, desired)).toMatchObject({ status: 'pending' })
    expect(changesSeen(world.front.seen)).toEqual(['POST /v2/lbaas/loadbalancers'])
    await world.settle()
    expect(await serve(world.driver, desired)).toEqual({ status: 'done' })
    const seen = await world.driver.observe(desired.marks)
    expect(seen).toMatchObject({
      ready: true,
      ingress: [{ ip: expect.any(String), ipMode: 'Proxy' }],
      targets: [
        { node: 'a', state: 'healthy' },
        { node: 'b', state: 'healthy' },
      ],
    })
  })

  const newPool = [
    'POST /v2/lbaas/pools',
    'PUT /v2/lbaas/pools/ID/members',
    'POST /v2/lbaas/healthmonitors',
  ]
  const mark = 'PUT /v2/lbaas/loadbalancers/ID'
  test.each<[string, SampleOver | ((world: OctaviaWorld) => SampleOver), readonly string[]]>([
    ['targets', { targets: [] }, ['PUT /v2/lbaas/pools/ID/members', mark]],
    [
      'a nodePort',
      (world) => frontends(world, { nodePort: 30_099 }),
      ['PUT /v2/lbaas/pools/ID/members', mark],
    ],
    [
      'source ranges',
      { sourceRanges: ['10.0.0.0/8'] as never },
      ['PUT /v2/lbaas/listeners/ID', mark],
    ],
    [
      'affinity',
      { affinity: { kind: 'ClientIP', timeoutSeconds: 60 } },
      ['PUT /v2/lbaas/pools/ID', mark],
    ],
    [
      'the health path',
      { health: { port: 10_256 as never, path: '/ready', weightFromHeader: false } },
      ['PUT /v2/lbaas/healthmonitors/ID', mark],
    ],
    [
      'the PROXY protocol, which needs a new pool that is complete before traffic turns to it',
      { proxyProtocol: 'v2' },
      [...newPool, 'PUT /v2/lbaas/listeners/ID', 'DELETE /v2/lbaas/pools/ID', mark],
    ],
    [
      'a port',
      (world) => frontends(world, { port: 81 }),
      [
        ...newPool,
        'POST /v2/lbaas/listeners',
        'DELETE /v2/lbaas/listeners/ID',
        'DELETE /v2/lbaas/pools/ID',
        mark,
      ],
    ],
  ])('a change of %s takes just these calls', async (_what, over, calls) => {
    const world = await inWorld()
    await up(world)
    world.front.clear()
    await up(world, { ...(typeof over === 'function' ? over(world) : over), generation: 2 })
    expect(changesSeen(world.front.seen)).toEqual(calls)
  })

  test('under Local nodes are asked at the healthCheckNodePort, without a PROXY header', async () => {
    const world = await inWorld()
    const health = { port: 31_001 as never, path: '/healthz', weightFromHeader: true }
    await up(world, { policy: 'Local', proxyProtocol: 'v2', health })
    const [served] = await world.serving()
    expect(served).toMatchObject({ health: { port: 31_001 }, proxyProtocol: 'v2' })
  })

  test('an address asked for is the load balancer’s own; another one takes another', async () => {
    const world = await inWorld()
    await up(world, { requestedAddress: '198.51.100.77' as never })
    const [first] = await world.balancers()
    expect(first?.vip_address).toBe('198.51.100.77')
    await up(world, { requestedAddress: '198.51.100.78' as never, generation: 2 })
    const now = await world.balancers()
    expect(now.map(({ vip_address: ip }) => ip)).toEqual(['198.51.100.78'])
    expect(now[0]?.id).not.toBe(first?.id)
  })

  test('an idle time-out is set where settings have one', async () => {
    const world = await inWorld({ settings: { idleTimeoutSeconds: 900 } })
    await up(world)
    const [listener] = await listenersOf(world)
    expect(listener).toMatchObject({ timeout_client_data: 900_000, timeout_member_data: 900_000 })
  })
}

const listenersOf = async (world: OctaviaWorld) => {
  const answer = await world.ask('GET', `/v2/lbaas/listeners?project_id=${world.project}`)
  return (answer as { listeners: { id: string; protocol_port: number; default_pool_id: string }[] })
    .listeners
}

const states = (): void => {
  test('what fails is deleted and made anew', async () => {
    const world = await inWorld()
    const desired = world.sample()
    await serve(world.driver, desired)
    await world.flipper.flip({ project: world.project, fateOf: () => 'fail' })
    expect(await bring(world, desired)).toEqual({ status: 'done' })
    expect(changesSeen(world.front.seen)).toEqual([
      'POST /v2/lbaas/loadbalancers',
      'DELETE /v2/lbaas/loadbalancers/ID?cascade=true',
      'POST /v2/lbaas/loadbalancers',
    ])
    expect(await world.balancers()).toMatchObject([{ provisioning_status: 'ACTIVE' }])
  })

  test('a cloud in which everything fails is not asked for ever', async () => {
    const world = await inWorld({ options: { errorRestMs: 60_000 } })
    const desired = world.sample()
    await serve(world.driver, desired)
    await world.flipper.flip({ project: world.project, fateOf: () => 'fail' })
    const outcome = await serve(world.driver, desired)
    expect(outcome).toMatchObject({ status: 'locked' })
    expect(outcome.status === 'locked' && outcome.retryMs).toBeGreaterThan(30_000)
    expect(changesSeen(world.front.seen)).toHaveLength(1)
  })

  test('what never finishes is waited for, and nothing is asked of it', async () => {
    const world = await inWorld()
    const desired = world.sample()
    const created = await serve(world.driver, desired)
    const token = created.status === 'pending' ? (created.token ?? '') : ''
    for (let time = 0; time < 3; time += 1) {
      expect(await serve(world.driver, desired)).toMatchObject({ status: 'pending' })
      expect(await world.another().poll(token)).toMatchObject({ status: 'pending', token })
    }
    const changed = world.sample(1, { targets: [], generation: 2 })
    expect(await serve(world.driver, changed)).toMatchObject({ status: 'locked' })
    expect(await remove(world.driver, desired.marks)).toMatchObject({ status: 'locked' })
    expect(changesSeen(world.front.seen)).toEqual(['POST /v2/lbaas/loadbalancers'])
    await world.settle()
    expect(await world.another().poll(token)).toEqual({ status: 'done' })
    expect(await bring(world, changed)).toEqual({ status: 'done' })
  })

  test('what hangs long is looked at ever more rarely', async () => {
    let later = 0
    const clock = { now: () => Date.now() + later, sleep: async () => Promise.resolve() }
    const world = await inWorld({ options: { clock } })
    const created = await serve(world.driver, world.sample())
    const token = created.status === 'pending' ? (created.token ?? '') : ''
    const waits: number[] = []
    for (const minutes of [0, 1, 60]) {
      later = minutes * 60_000
      const outcome = await world.driver.poll(token)
      waits.push(outcome.status === 'pending' ? outcome.lookAgainMs : -1)
    }
    expect(waits[0]).toBeLessThan(3000)
    expect(waits[1]).toBeGreaterThan(10_000)
    expect(waits[2]).toBe(60_000)
  })

  test('of two with the same marks the older one stays', async () => {
    const world = await inWorld()
    const desired = await up(world)
    const [first] = await world.balancers()
    // The cloud's times are whole seconds: of two made within one, neither is the older.
    const made = Math.floor(systemClock.now() / 1000)
    await eventually(() => Math.floor(systemClock.now() / 1000) > made)
    await world.plant(desired, 'whole')
    expect(await world.balancers()).toHaveLength(2)
    expect(await bring(world, desired)).toEqual({ status: 'done' })
    await world.settle()
    expect((await world.balancers()).map(({ id }) => id)).toEqual([first?.id])
  })

  test('a listener that failed is deleted and made anew', async () => {
    const world = await inWorld()
    const desired = await up(world)
    const [listener] = await listenersOf(world)
    await world.flipper.say({ listeners: [{ id: listener!.id, provisioning_status: 'ERROR' }] })
    await bring(world, desired)
    const [anew] = await listenersOf(world)
    expect(anew).toMatchObject({ provisioning_status: 'ACTIVE', protocol_port: 80 })
    expect(anew?.id).not.toBe(listener?.id)
  })
}

const troubles = (): void => {
  const answer = (status: number, words: string, headers = {}): Trouble => ({
    meets: 'answer',
    status,
    headers,
    body: JSON.stringify({ faultcode: 'Client', faultstring: words }),
  })
  test.each<[string, Trouble, CarriedOut['outcome']]>([
    [
      '409 for a lock',
      answer(409, 'Load Balancer x is immutable and cannot be updated.'),
      { status: 'locked', retryMs: 2000 },
    ],
    [
      '409 for what is there',
      answer(409, 'Already an entity with that specified id.'),
      { status: 'unknown' },
    ],
    [
      '503',
      answer(503, 'Project busy.'),
      { status: 'retry', afterMs: 2000, problem: expect.stringContaining('Project busy') },
    ],
    [
      '429 with Retry-After',
      answer(429, 'slow', { 'retry-after': '7' }),
      { status: 'retry', afterMs: 7000, problem: expect.any(String) },
    ],
    [
      'a quota',
      answer(403, 'Quota has been met for resources: Load Balancer'),
      { status: 'retry', afterMs: 60_000, problem: expect.stringContaining('Quota') },
    ],
    [
      '400',
      answer(400, `Validation failure: ${'x'.repeat(5000)}`),
      { status: 'refused', capability: 'provider', problem: expect.stringMatching(/^.{20,400}$/) },
    ],
    ['500', answer(500, 'boom'), { status: 'unknown' }],
    [
      '502 in HTML',
      { meets: 'answer', status: 502, body: '<html>bad gateway</html>' },
      { status: 'unknown' },
    ],
    [
      '201 in HTML',
      { meets: 'answer', status: 201, body: '<html>welcome</html>' },
      { status: 'unknown' },
    ],
    [
      '201 without an id',
      { meets: 'answer', status: 201, body: '{"loadbalancer":{}}' },
      { status: 'unknown' },
    ],
    ['a broken connection', { meets: 'lost-reply' }, { status: 'unknown' }],
  ])('a create that meets %s', async (_what, trouble, outcome) => {
    const world = await inWorld()
    world.front.meet(trouble)
    expect(await serve(world.driver, world.sample())).toEqual(outcome)
    // Another driver, for this one keeps to the pause that a 429 asked for.
    const other = world.another()
    expect(await bring(world, world.sample(), other)).toEqual({ status: 'done' })
    expect(await world.balancers()).toHaveLength(1)
  })

  const isRead = ({ method }: { method: string }): boolean => method === 'GET'
  test.each<[string, Trouble]>([
    ['HTML', { meets: 'answer', status: 200, body: '<html>login</html>' }],
    ['another shape', { meets: 'answer', status: 200, body: '{"loadbalancers":[{"id":7}]}' }],
    ['no list', { meets: 'answer', status: 200, body: '{}' }],
    [
      '10 MB',
      { meets: 'answer', status: 200, body: `{"loadbalancers":"${'x'.repeat(10_000_000)}"}` },
    ],
    [
      'a redirect',
      { meets: 'answer', status: 302, body: '', headers: { location: 'http://127.0.0.1:9/' } },
    ],
    ['404', { meets: 'answer', status: 404, body: '{}' }],
    ['a broken connection', { meets: 'no-effect' }],
  ])('a listing that meets %s fails, and proves no absence', async (_what, trouble) => {
    const world = await inWorld()
    const desired = await up(world)
    world.front.meet(trouble, isRead)
    await expect(world.driver.observe(desired.marks)).rejects.toThrow(OperatingError)
    world.front.meet(trouble, isRead)
    await expect(world.driver.inventory()).rejects.toThrow(OperatingError)
    expect(await world.balancers()).toHaveLength(1)
  })

  test('an operation that began is read to its end, however little rate is left', async () => {
    const many = { perSecond: 1000, burst: 1000 }
    const [world, clock] = [await inWorld(), systemClock]
    const desired = await up(world)
    const budget = createBudget({ clock, read: { perSecond: 0.01, burst: 2 }, write: many })
    const slow = await inWorld({
      options: { budget, settings: world.settings },
    })
    expect(await slow.driver.observe(desired.marks)).toMatchObject({ ready: true })
    const again = slow.driver.observe(desired.marks)
    await expect(again).rejects.toMatchObject({ retry: { afterMs: expect.any(Number) } })
  })

  test('with the rate used up nothing is asked', async () => {
    const rate = { perSecond: 0.01, burst: 1 }
    const many = { perSecond: 1000, burst: 1000 }
    const budget = createBudget({ clock: systemClock, read: many, write: rate })
    const world = await inWorld({ options: { budget } })
    await serve(world.driver, world.sample(1))
    expect(await serve(world.driver, world.sample(2))).toMatchObject({ status: 'retry' })
    expect(await world.balancers()).toHaveLength(1)
  })
}

const strangers = (): void => {
  test('what somebody changed by hand is seen, and put right', async () => {
    const world = await inWorld()
    const desired = await up(world)
    const [listener] = await listenersOf(world)
    const body = { listener: { allowed_cidrs: ['192.0.2.0/24'] } }
    await world.ask('PUT', `/v2/lbaas/listeners/${listener?.id ?? ''}`, body)
    await world.settle()
    const seen = await world.driver.observe(desired.marks)
    expect(seen.status === 'present' && seen.hash).toMatch(/^changed-/)
    await bring(world, desired)
    expect(await world.serving()).toMatchObject([{ sourceRanges: [] }])
  })

  test('what somebody switched off is switched on again', async () => {
    const world = await inWorld()
    const desired = await up(world)
    const [ours] = await world.balancers()
    const off = { loadbalancer: { admin_state_up: false } }
    await world.ask('PUT', `/v2/lbaas/loadbalancers/${ours?.id ?? ''}`, off)
    await world.settle()
    expect(await world.driver.observe(desired.marks)).toMatchObject({ ready: false })
    await bring(world, desired)
    expect(await world.balancers()).toMatchObject([{ id: ours?.id, admin_state_up: true }])
  })

  test('a listener of others in our load balancer is left alone, and goes with it', async () => {
    const world = await inWorld()
    await up(world)
    const [ours] = await world.balancers()
    const listener = { protocol: 'TCP', protocol_port: 9999, loadbalancer_id: ours?.id }
    await world.ask('POST', '/v2/lbaas/listeners', { listener })
    await world.settle()
    const desired = await up(world, { targets: [], generation: 2 })
    const ports = (await listenersOf(world)).map(({ protocol_port: port }) => port)
    expect(ports.toSorted((one, other) => one - other)).toEqual([80, 9999])
    await remove(world.driver, desired.marks)
    await world.settle()
    expect(await remove(world.driver, desired.marks)).toEqual({ status: 'done' })
  })

  test('a load balancer whose marks were changed meanwhile is not deleted', async () => {
    const world = await inWorld()
    const desired = await up(world)
    const order = { order: 'remove', marks: desired.marks } as const
    const planned = world.driver.plan(order, await world.driver.observe(desired.marks))
    const [ours] = await world.balancers()
    const tags = ours?.tags.map((tag) => tag.replace('weir-inst=ours', 'weir-inst=theirs'))
    await world.ask('PUT', `/v2/lbaas/loadbalancers/${ours?.id ?? ''}`, { loadbalancer: { tags } })
    await world.settle()
    const [step] = planned.status === 'steps' ? planned.steps : []
    expect(await world.driver.execute(step!)).toMatchObject({ capability: 'ownership' })
    expect(await world.balancers()).toHaveLength(1)
  })

  test('another project’s load balancers are neither listed nor found', async () => {
    const [one, other] = [await inWorld(), await inWorld()]
    const desired = await up(one)
    expect((await other.driver.inventory()).resources).toEqual([])
    expect(await other.driver.observe(desired.marks)).toMatchObject({ status: 'absent' })
  })
}

const missing = missingPrograms()
if (missing === null) {
  describe('octavia on octavia-api', { timeout: 120_000 }, () => {
    beforeAll(async () => {
      rig = await startOctaviaRig()
    }, 120_000)
    afterEach(async () => {
      for (const world of worlds.splice(0)) await world.stop()
    })
    afterAll(() => rig.stop())
    describe('lives', () => {
      lives()
    })
    describe('states of the cloud', () => {
      states()
    })
    describe('troubles', () => {
      troubles()
    })
    describe('other people', () => {
      strangers()
    })

    test('a probe finds the version and what it can do', async () => {
      const world = await inWorld()
      expect(await world.driver.probe()).toEqual({
        status: 'ready',
        account: world.project,
        found: 'Octavia v2.26: tags, allowed_cidrs, HTTP health checks for UDP, PROXYV2, SCTP',
        capabilities: world.driver.capabilities,
      })
      const old = '{"versions":[{"id":"v2.4","status":"CURRENT"}]}'
      world.front.meet({ meets: 'answer', status: 200, body: old }, () => true)
      expect(await world.driver.probe()).toMatchObject({ status: 'refused' })
    })

    test('everything that serve does, carryOut shows', async () => {
      const world = await inWorld()
      const desired = await up(world)
      const { outcome, seen } = await carryOut(world.driver, { order: 'serve', desired })
      expect(outcome).toEqual({ status: 'done' })
      expect(seen).toMatchObject({ status: 'present', ready: true })
    })
  })
} else {
  test(`octavia is left out where octavia-api is not installed: ${missing}`, () => {
    expect(process.env['CI']).toBeUndefined()
  })
}
