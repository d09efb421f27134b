// Create, change every field, delete; and what a driver cannot do is refused, and nothing comes of it.
import { desiredHash, type DesiredResource } from '@weir/contract'
import { expect } from 'vitest'
import type { CarriedOut } from '../carry-out.ts'
import type { Driver, Observed } from '../driver.ts'
import { bringUp, live, reach, serving, takeDown, through } from './life.conformance.ts'
import type { DriverRig } from './rig.conformance.ts'
import type { Suite } from './suite.conformance.ts'
import { wishes, type Wish } from './wishes.conformance.ts'
import { expectNothing, expectServing } from './world.conformance.ts'

export const changes = (suite: Suite): void => {
  const { capabilities } = suite.options
  for (const wish of wishes.filter(({ needs }) => needs?.(capabilities) !== false)) {
    if (wish.can?.(capabilities) === false) refuses(suite, wish)
    else serves(suite, wish)
  }
  reads(suite)
  plans(suite)
  promises(suite)
}

const serves = ({ test, inRig }: Suite, { what, over }: Wish): void => {
  test(`changes to ${what} and back`, (count) =>
    inRig(async (rig) => {
      const before = rig.sample()
      const after = rig.sample(1, { ...over(rig), generation: 2 })
      const back = rig.sample(1, { generation: 3 })
      for (const desired of [before, after, back]) {
        await bringUp(rig, desired)
        await expectServing(rig, desired)
        expectIsThere(await rig.driver.observe(desired.marks), desired, rig.driver)
      }
      await takeDown(rig, before.marks)
      await expectNothing(rig)
      count(2)
    }))

  test(`is made with ${what}, and goes`, () =>
    inRig(async (rig) => {
      const desired = rig.sample(1, over(rig))
      await bringUp(rig, desired)
      await expectServing(rig, desired)
      await takeDown(rig, desired.marks)
      await expectNothing(rig)
    }))
}

const refuses = ({ test, inRig }: Suite, { what, over, capability }: Wish): void => {
  const expectRefused = (outcome: CarriedOut['outcome']): void => {
    expect(outcome).toMatchObject({ status: 'refused', capability })
    expect(outcome.status === 'refused' && outcome.problem.length).toBeGreaterThan(10)
  }
  const wished = (rig: DriverRig, generation: number): DesiredResource => {
    const { epoch: _epoch, installation, driver: _driver, ...wish } = over(rig)
    const sample = rig.sample(1, installation === undefined ? {} : { installation })
    return { ...sample, ...wish, generation }
  }
  test(`refuses ${what} by name, and nothing is made`, () =>
    inRig(async (rig) => {
      expectRefused(await reach(rig, serving(wished(rig, 1))))
      await rig.settle()
      await expectNothing(rig)
    }))

  test(`refuses to change to ${what}, and what serves goes on`, () =>
    inRig(async (rig) => {
      const desired = rig.sample()
      await bringUp(rig, desired)
      expectRefused(await reach(rig, serving(wished(rig, 2))))
      await rig.settle()
      await expectServing(rig, desired)
    }))
}

const expectIsThere = (seen: Observed, desired: DesiredResource, driver: Driver): void => {
  expect(seen).toMatchObject({
    status: 'present',
    ready: true,
    marks: desired.marks,
    generation: desired.generation,
    hash: desiredHash(desired),
  })
  if (seen.status !== 'present') return
  const { addresses, ipMode } = driver.capabilities
  expect(seen.ingress.length).toBeGreaterThan(0)
  for (const ingress of seen.ingress) if ('ip' in ingress) expect(ingress.ipMode).toBe(ipMode)
  if (addresses === 'provider') return
  const asked = new Set(desired.frontends.map(({ ip }) => ip))
  expect(new Set(seen.ingress.map((one) => ('ip' in one ? one.ip : one.hostname)))).toEqual(asked)
}

const reads = ({ options, test, inRig }: Suite): void => {
  test('what is there is read alike by a process that has just begun', () =>
    inRig(async (rig) => {
      const desired = rig.sample()
      await bringUp(rig, desired)
      expectIsThere(await rig.another().observe(desired.marks), desired, rig.driver)
      await takeDown(rig, desired.marks)
      const gone = await rig.another().observe(desired.marks)
      expect(gone).toMatchObject({ status: 'absent' })
    }))

  test('a probe says who we are and what can be done here', () =>
    inRig(async (rig) => {
      const probe = await rig.driver.probe()
      expect(probe.status).toBe('ready')
      if (probe.status !== 'ready') return
      expect(probe.account).not.toBe('')
      expect(probe.found).not.toBe('')
      for (const protocol of probe.capabilities.protocols) {
        expect(options.capabilities.protocols).toContain(protocol)
      }
    }))

  test('says of changes what it declares', () =>
    inRig(async (rig) => {
      const heard: string[] = []
      const listening = new AbortController()
      rig.driver.onChange(({ service }) => heard.push(service), listening.signal)
      const desired = rig.sample()
      await bringUp(rig, desired)
      expect(heard.includes(desired.marks.service)).toBe(options.tellsOfChanges)
      listening.abort()
      const before = heard.length
      await takeDown(rig, desired.marks)
      expect(heard).toHaveLength(before)
    }))
}

const plans = ({ test, inRig }: Suite): void => {
  test('planning is pure, and its steps are data that name the tenant', (count) =>
    inRig(async (rig) => {
      let planned = 0
      const { driver } = rig
      const checked: Driver = {
        ...through(driver, (step) => driver.execute(step)),
        plan: (order, seen) => {
          const before = structuredClone(order)
          const plan = driver.plan(order, seen)
          expect(driver.plan(order, seen)).toEqual(plan)
          expect(order).toEqual(before)
          planned += 1
          if (plan.status !== 'steps') return plan
          for (const step of plan.steps) {
            expect(JSON.parse(JSON.stringify(step))).toEqual(step)
            expect(step.tenant).toBe(rig.sample().marks.tenant)
            expect(step.title).not.toBe('')
          }
          return plan
        },
      }
      await live({ ...rig, driver: checked })
      count(planned)
    }))
}

const promises = ({ options, test, inRig }: Suite): void => {
  test('a token can be asked about in another process', (count) =>
    inRig(async (rig) => {
      const tokens: string[] = []
      const { driver } = rig
      const noting = through(driver, async (step) => {
        const outcome = await driver.execute(step)
        if (outcome.status !== 'pending' || outcome.token === undefined) return outcome
        tokens.push(outcome.token)
        expect(['pending', 'done']).toContain((await rig.another().poll(outcome.token)).status)
        await rig.settle()
        expect(await rig.another().poll(outcome.token)).toEqual({ status: 'done' })
        return outcome
      })
      await live({ ...rig, driver: noting })
      expect(tokens.length > 0).toBe(options.tokens)
      count(Math.max(1, tokens.length))
    }))

  test('an order that is older than what is there changes nothing', (count) =>
    inRig(async (rig) => {
      const newest = rig.sample(1, { epoch: 2, generation: 3 })
      await bringUp(rig, newest)
      const older = rig.sample(1, { epoch: 2, generation: 2, targets: [] })
      expect(await reach(rig, serving(older))).toEqual({
        status: 'superseded',
        epoch: 2,
        generation: 3,
      })
      const earlier = rig.sample(1, { epoch: 1, generation: 9 })
      expect(await reach(rig, serving(earlier))).toEqual({
        status: 'superseded',
        epoch: 2,
        generation: 3,
      })
      await rig.settle()
      await expectServing(rig, newest)
      count(2)
    }))

  test('leaves its argument as it was', () =>
    inRig(async (rig) => {
      const desired = rig.sample()
      const before = structuredClone(desired)
      await bringUp(rig, desired)
      expect(desired).toEqual(before)
    }))
}
