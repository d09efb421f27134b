// AWS at its worst, and what the driver makes of it. Only the fake can be made to behave so.
import type { DesiredResource } from '@weir/contract'
import { OperatingError, silentLogger } from '@weir/kernel'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createBudget } from '../budget.ts'
import { carryOut } from '../carry-out.ts'
import type { CarriedOut } from '../carry-out.ts'
import type { Driver } from '../driver.ts'
import { ourInstallation, type SampleOver } from '../sample-desired.ts'
import { createAwsNlbDriver } from './aws-nlb-driver.ts'
import { credentialsOf, settingsFor } from './rig/account.ts'
import { createFakeRig, driverOn, fakeInstances, type FakeRig } from './rig/driver-rig.ts'
import { providerIdOf } from './rig/truth.ts'
import { tagKey } from './tags.ts'

let rig: FakeRig
beforeEach(async () => {
  rig = await createFakeRig()
})
afterEach(() => rig.stop())

const once = async (
  over: SampleOver = {},
  driver: Driver = rig.driver,
): Promise<CarriedOut['outcome']> => {
  const desired = rig.sample(1, over)
  return (await carryOut(driver, { order: 'serve', desired })).outcome
}
const serve = async (over: SampleOver = {}, driver: Driver = rig.driver): Promise<void> => {
  for (let round = 0; round < 20; round += 1) {
    if ((await once(over, driver)).status === 'done') return
    await rig.settle()
  }
  throw new Error('not served after twenty rounds')
}
const removeOnce = async (driver: Driver = rig.driver): Promise<CarriedOut['outcome']> =>
  (await carryOut(driver, { order: 'remove', marks: rig.sample().marks })).outcome
const remove = async (driver: Driver = rig.driver): Promise<void> => {
  for (let round = 0; round < 20; round += 1) {
    if ((await removeOnce(driver)).status === 'done') return
    await rig.settle()
  }
  throw new Error('not removed after twenty rounds')
}
const counted = (action: string): number =>
  rig.fake.journal.filter((entry) => entry.action === action).length
const seen = async () => {
  const observed = await rig.driver.observe(rig.sample().marks)
  if (observed.status !== 'present') throw new Error(`it is ${observed.status}`)
  return observed
}

test('what AWS still holds is locked, and goes when AWS lets go', async () => {
  await serve()
  expect(await removeOnce()).toEqual({ status: 'locked', retryMs: 5000 })
  expect(counted('DeleteLoadBalancer')).toBe(1)
  expect(counted('DeleteTargetGroup')).toBe(0)
  rig.clock.advance(61_000)
  expect(await removeOnce()).toEqual({ status: 'done' })
  expect(await rig.things()).toEqual([])
})

test.each(['CreateTargetGroup', 'CreateSecurityGroup', 'RegisterTargets', 'AddTags'])(
  'a throttled %s is tried later, and the account is left in peace for a while',
  async (action) => {
    rig.fake.meet([{ action, kind: 'throttle' }])
    expect(await once()).toMatchObject({
      status: 'retry',
      problem: expect.stringContaining(action),
    })
    expect(await once()).toMatchObject({ status: 'retry' })
    await serve()
  },
)

const whole = { read: { perSecond: 50, burst: 200 }, write: { perSecond: 3, burst: 20 } }
const third = { read: { perSecond: 16, burst: 66 }, write: { perSecond: 1, burst: 6 } }

test.each([
  { what: 'an account throttled at its rate', rates: whole, throttled: whole },
  { what: 'a third of its rate', rates: third, throttled: null },
])('$what stops everybody in time, and all get through at that rate', async (given) => {
  const { rates, throttled } = given
  rig.fake.throttle(throttled)
  const driver = createAwsNlbDriver({
    name: 'aws-nlb',
    installation: ourInstallation,
    clock: rig.clock,
    logger: silentLogger,
    settings: settingsFor(rig.account),
    credentials: credentialsOf('AKIADRIVER'),
    budget: createBudget({ clock: rig.clock, ...rates }),
  })
  rig.fake.behaviour.provisioningMs = 0
  const numbers = Array.from({ length: 12 }, (_, index) => index + 1)
  const begunAt = rig.clock.now()
  const due = new Map(numbers.map((number) => [number, begunAt]))
  const stopped: string[] = []
  for (let turn = 0; turn < 2000 && due.size > 0; turn += 1) {
    for (const [number, at] of due) {
      if (at > rig.clock.now()) continue
      const outcome = await attempt(driver, rig.sample(number))
      stopped.push(outcome.status)
      if (outcome.status === 'done') due.delete(number)
      else due.set(number, rig.clock.now() + waitOf(outcome))
    }
    rig.clock.advance(100)
  }
  rig.fake.throttle(null)
  expect([...due.keys()]).toEqual([])
  expect(new Set(stopped)).toEqual(new Set(['done', 'retry']))
  expect(counted('CreateLoadBalancer')).toBe(numbers.length)
  // Each takes nine changes; half as many again may be lost to looks in vain and to the throttle.
  const leastMs = (numbers.length * 9 * 1000) / rates.write.perSecond
  expect(rig.clock.now() - begunAt).toBeLessThan(1.5 * leastMs)
})

/** Asks once; a read that the rate does not allow is a world to try again. */
const attempt = async (
  driver: Driver,
  desired: DesiredResource,
): Promise<CarriedOut['outcome']> => {
  try {
    return (await carryOut(driver, { order: 'serve', desired })).outcome
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error
    return { status: 'retry', afterMs: error.retry?.afterMs ?? 1000, problem: error.message }
  }
}
const waitOf = (outcome: CarriedOut['outcome']): number =>
  'afterMs' in outcome ? outcome.afterMs : 1000

test('a list that does not show yet what was just made leads to no second one', async () => {
  await rig.stop()
  rig = await createFakeRig({ settings: { elasticIps: true } })
  rig.fake.behaviour.readLagMs = 10_000
  expect(await once()).toMatchObject({ status: 'locked' })
  expect(await once()).toMatchObject({ status: 'locked' })
  expect(counted('AllocateAddress')).toBe(2)
  expect(counted('CreateTargetGroup')).toBe(1)
  expect(await removeOnce()).toMatchObject({ status: 'locked' })
  for (let round = 0; round < 20 && (await once()).status !== 'done'; round += 1) {
    rig.clock.advance(11_000)
  }
  expect(counted('AllocateAddress')).toBe(2)
  expect((await rig.things()).map(({ kind }) => kind).toSorted()).toEqual([
    'elastic IP',
    'elastic IP',
    'load balancer',
    'security group',
    'target group',
  ])
})

test('a name that is taken already means to look again', async () => {
  rig.fake.freezeReads(true)
  expect(await once({}, rig.another())).toMatchObject({ status: 'locked' })
  rig.fake.freezeReads(true)
  await once({}, rig.another())
  await once({ generation: 2 }, rig.another())
  expect(await once({ generation: 3 }, rig.another())).toMatchObject({ status: 'unknown' })
  rig.fake.freezeReads(false)
  await serve({ generation: 3 })
  expect((await rig.things()).length).toBe(3)
})

describe('elastic IPs', () => {
  beforeEach(async () => {
    await rig.stop()
    rig = await createFakeRig({ settings: { elasticIps: true } })
  })

  test('come one per subnet, marked, and go with the load balancer', async () => {
    await serve()
    const [balancer] = rig.fake.state.balancers.values()
    expect(balancer?.subnets.map(({ allocationId }) => allocationId)).toEqual(
      [...rig.fake.state.addresses.keys()].sort(),
    )
    expect(await removeOnce()).toMatchObject({ status: 'locked' })
    expect(counted('ReleaseAddress')).toBe(0)
    await remove()
    expect(await rig.things()).toEqual([])
  })

  test('one whose allocation got no answer is found, and none is left over', async () => {
    rig.fake.meet([{ action: 'AllocateAddress', kind: 'after' }])
    expect(await once()).toEqual({ status: 'unknown' })
    await serve()
    expect(rig.fake.state.addresses.size).toBe(2)
  })

  test('two workers that both allocate keep what the load balancer has', async () => {
    const workers = [rig.driver, rig.another()]
    await Promise.all(workers.map((driver) => once({}, driver)))
    await serve()
    await serve()
    expect(rig.fake.state.addresses.size).toBe(2)
    await remove()
    expect(await rig.things()).toEqual([])
  })

  test('a life is the same after any one lost reply or failure', async () => {
    await serve()
    await remove()
    const calls = rig.fake.journal.length
    for (const kind of ['before', 'after'] as const) {
      for (let at = 0; at < calls; at += 1) {
        await rig.stop()
        rig = await createFakeRig({ settings: { elasticIps: true } })
        let left = at
        const execute = rig.driver.execute
        const driver: Driver = {
          ...rig.driver,
          execute: (step) => {
            if (left === 0) rig.fake.meet([{ kind }])
            left -= 1
            return execute(step)
          },
        }
        await serve({}, driver)
        await serve({}, driver)
        expect(rig.fake.state.addresses.size, `call ${at} ${kind}`).toBe(2)
        await remove(driver)
        expect(await rig.things(), `call ${at} ${kind}`).toEqual([])
      }
    }
  }, 600_000)
})

test('one instance that AWS does not take keeps no other out, and is told', async () => {
  const gone = 'i-0dead00000000000a'
  const [one] = rig.sample().targets
  if (one === undefined) throw new Error('a sample has targets')
  const targets = [one, { ...one, node: 'x', providerId: providerIdOf(gone) }]
  await once({ targets })
  await once({ targets })
  const { targets: told } = await seen()
  expect(told.find(({ node }) => node === fakeInstances[0])).toBeDefined()
  expect(told.find(({ node }) => node === gone)).toMatchObject({ state: 'unhealthy', weight: 0 })
  expect((await rig.serving())[0]?.targets).toHaveLength(1)
})

test("a node that names somebody else's instance is no target, until it is the one", async () => {
  const [one, two] = rig.sample().targets
  if (one === undefined || two === undefined) throw new Error('a sample has two targets')
  const victim = 'i-0bad000000000000a'
  rig.fake.premises.instances.set(victim, '10.9.9.9')
  const targets = [one, { ...two, node: 'evil', providerId: providerIdOf(victim) }]
  await once({ targets })
  await once({ targets })
  expect((await seen()).targets.find(({ node }) => node === victim)).toMatchObject({
    weight: 0,
    problem: expect.stringContaining(`no instance ${victim} with the address ${two.ip}`),
  })
  expect((await rig.serving())[0]?.targets.map(({ at }) => at)).toEqual([one.providerId])
  rig.fake.premises.instances.set(victim, two.ip)
  await rig.settle()
  await once({ targets })
  expect((await rig.serving())[0]?.targets).toHaveLength(2)
})

test('a node without an AWS providerID is left out by name, and the others serve', async () => {
  const [one] = rig.sample().targets
  if (one === undefined) throw new Error('a sample has targets')
  const { providerId: _providerId, ...bare } = one
  await serve({ targets: [one, { ...bare, node: 'other-cloud' }] })
  const { targets } = await seen()
  expect(targets.find(({ node }) => node === 'other-cloud')?.problem).toContain('providerID')
  await serve({ generation: 2 })
  expect((await seen()).targets.map(({ node }) => node)).toEqual(fakeInstances.slice(0, 2))
})

test('a load balancer that AWS cannot set up is told, taken away and made again', async () => {
  rig.fake.failNextBalancer()
  const outcome = await once()
  const token = outcome.status === 'pending' ? (outcome.token ?? '') : ''
  await rig.settle()
  // Over is over: whoever went on waiting would never see that it failed.
  expect(await rig.driver.poll(token)).toEqual({ status: 'done' })
  const [arn = ''] = rig.fake.state.balancers.keys()
  const order = { order: 'serve', desired: rig.sample() } as const
  const held = await carryOut(rig.driver, order, () => false)
  expect(held.outcome).toEqual({
    status: 'discards',
    ref: arn,
    why: expect.stringContaining('failed'),
  })
  expect(counted('DeleteLoadBalancer')).toBe(0)
  await serve()
  expect(counted('CreateLoadBalancer')).toBe(2)
  expect(rig.fake.state.balancers.size).toBe(1)
})

test('what was changed by hand shows as drift and is put right', async () => {
  await serve()
  const { hash } = await seen()
  const [listener] = rig.fake.state.listeners.keys()
  rig.fake.call(
    { Version: '2015-12-01', Action: 'DeleteListener', ListenerArn: listener ?? '' },
    'AKIAHAND',
  )
  expect((await seen()).hash).not.toBe(hash)
  await serve()
  expect((await seen()).hash).toBe(hash)
})

test('health: a Service is ready without a healthy target, and tells of each', async () => {
  rig.fake.premises.unhealthy.add(fakeInstances[0] ?? '')
  expect(await once()).toMatchObject({ status: 'pending' })
  expect(await seen()).toMatchObject({ ready: false, targets: [{ state: 'unknown' }, {}] })
  await rig.settle()
  const { ready, targets } = await seen()
  expect(ready).toBe(true)
  expect(targets.map(({ state }) => state)).toEqual(['unhealthy', 'healthy'])
  expect(targets[0]?.problem).toContain('503')
})

test('tags are read 20 at a time, and what vanishes meanwhile fails no page', async () => {
  rig.fake.behaviour.limits.balancers = 100
  for (let number = 0; number < 45; number += 1) {
    const [one = ''] = rig.fake.premises.subnets.keys()
    const params = { Version: '2015-12-01', Action: 'CreateLoadBalancer', Type: 'network' }
    rig.fake.call({ ...params, Name: `by-hand-${number}`, Subnets: [one] }, 'AKIAHAND')
  }
  const before = rig.fake.calls.get('DescribeTags') ?? 0
  const { resources } = await rig.driver.inventory()
  expect(resources).toHaveLength(45)
  expect(resources.every(({ marks }) => marks === null)).toBe(true)
  expect((rig.fake.calls.get('DescribeTags') ?? 0) - before).toBe(3)
  rig.fake.meet([{ action: 'DescribeTags', kind: 'refuse', code: 'LoadBalancerNotFound' }])
  expect((await rig.driver.inventory()).resources).toHaveLength(45)
})

describe('hostile or broken answers', () => {
  test('a reply that is no XML after a change is unknown, and leads to no second one', async () => {
    rig.fake.meet([{ action: 'CreateLoadBalancer', kind: 'garbage' }])
    expect(await once()).toEqual({ status: 'unknown' })
    await serve()
    expect(rig.fake.state.balancers.size).toBe(1)
  })

  test.each(['DescribeLoadBalancers', 'DescribeTags', 'DescribeTargetHealth', 'DescribeAddresses'])(
    'a %s that is no XML, or breaks, is a failing world and never an absence',
    async (action) => {
      await serve()
      const { marks } = rig.sample()
      for (const kind of ['garbage', 'before', 'throttle'] as const) {
        rig.fake.meet([{ action, kind }])
        await expect(rig.driver.observe(marks)).rejects.toThrow(OperatingError)
        rig.clock.advance(5000)
      }
      rig.fake.meet([{ action, kind: 'refuse', code: 'AccessDenied' }])
      await expect(rig.driver.observe(marks)).rejects.toThrow(/cannot .* at AWS/)
    },
  )

  test('an inventory that cannot be completed rejects', async () => {
    await serve()
    rig.fake.meet([{ action: 'DescribeTags', kind: 'before' }])
    await expect(rig.driver.inventory()).rejects.toThrow(OperatingError)
    await expect(rig.driver.inventory('no cursor of ours')).rejects.toThrow(OperatingError)
  })

  test('a thing with our name and no marks of ours is in the way, and stays', async () => {
    await serve()
    const [group] = rig.fake.state.securityGroups.values()
    group?.tags.clear()
    expect(await once({ generation: 2 })).toMatchObject({ capability: 'ownership' })
    for (const balancer of rig.fake.state.balancers.values()) balancer.tags.clear()
    expect(await once({ generation: 2 })).toMatchObject({ capability: 'ownership' })
    expect(await removeOnce()).toMatchObject({ status: 'locked' })
    await rig.settle()
    expect(await removeOnce()).toMatchObject({ status: 'locked' })
    expect((await rig.things()).map(({ kind }) => kind).toSorted()).toEqual([
      'load balancer',
      'security group',
      'target group',
    ])
  })
})

describe('a probe', () => {
  test('refuses credentials that AWS refuses, or that are of another account', async () => {
    const wrong = driverOn(rig.account, rig.clock, { accessKeyId: 'AKIAREFUSED1' })
    expect(await wrong.probe()).toMatchObject({ status: 'refused' })
    const other = driverOn(rig.account, rig.clock, { settings: { account: '999999999999' } })
    expect(await other.probe()).toEqual({
      status: 'refused',
      problem: "the credentials are account 123456789012's, not 999999999999's",
    })
  })

  test('refuses subnets that are not there', async () => {
    const settings = { subnetIds: ['subnet-0fa4e0000000000ff'] }
    expect(await driverOn(rig.account, rig.clock, { settings }).probe()).toMatchObject({
      status: 'refused',
      problem: expect.stringContaining('subnet-0fa4e0000000000ff'),
    })
  })
})

test('an order that AWS will never carry out is refused with its words', async () => {
  const ranges = Array.from({ length: 70 }, (_, index) => `10.${index}.0.0/16`)
  expect(await once({ sourceRanges: ranges as never })).toMatchObject({
    status: 'refused',
    capability: 'sourceRanges',
  })
  expect(await once({ requestedAddress: '198.51.100.7' as never })).toMatchObject({
    status: 'refused',
    capability: 'addresses',
  })
})

test('every mark is a tag, and the stamp is the order and what is there', async () => {
  await serve()
  const [balancer] = rig.fake.state.balancers.values()
  expect([...(balancer?.tags.keys() ?? [])].toSorted()).toEqual(
    Object.values(tagKey)
      .filter((key) => key !== tagKey.leftOut)
      .toSorted(),
  )
})
