// What there is goes, from whatever state, by whoever asks, and however often; and only that.
import { expect } from 'vitest'
import type { Driver, Order } from '../driver.ts'
import {
  attempt,
  bringUp,
  Crash,
  live,
  reach,
  removing,
  serving,
  takeDown,
  through,
} from './life.conformance.ts'
import type { DriverRig } from './rig.conformance.ts'
import type { Suite } from './suite.conformance.ts'
import { everything } from './wishes.conformance.ts'
import { expectNothing, expectServing, kindsAt, listOurs, sweep } from './world.conformance.ts'

export const removals = (suite: Suite): void => {
  anywhere(suite)
  leftovers(suite)
  incarnations(suite)
  lagging(suite)
}

/** Carries an order out until `most` calls were made, and crashes. True when it crashed before its end. */
const breakOff = async (rig: DriverRig, order: Order, most: number): Promise<boolean> => {
  let made = 0
  const { driver } = rig
  const breaking: Driver = through(driver, (step) => {
    if (made === most) throw new Crash()
    made += 1
    return driver.execute(step)
  })
  try {
    await reach(rig, order, breaking)
    return false
  } catch (error) {
    if (!(error instanceof Crash)) throw error
    return true
  }
}

type End = (rig: DriverRig) => Promise<void>
const ends: readonly (readonly [string, End])[] = [
  [
    'is removed at once',
    async (rig) => {
      const { marks } = rig.sample()
      expect(await reach(rig, removing(marks), rig.another())).toEqual({ status: 'done' })
    },
  ],
  [
    'is found by the inventory and released',
    async (rig) => {
      await rig.settle()
      await sweep(rig)
      const { marks } = rig.sample()
      expect(await rig.another().observe(marks)).toMatchObject({ status: 'absent' })
    },
  ],
]

/** A bound on the calls of one order. */
const mostCalls = 200

const anywhere = ({ test, inRig }: Suite): void => {
  const begun = (rig: DriverRig): Promise<void> => bringUp(rig, rig.sample())
  const nothing = async (): Promise<void> => Promise.resolve()
  const changed = (rig: DriverRig) => rig.sample(1, { ...everything(rig), generation: 2 })
  const middles: readonly (readonly [string, End, (rig: DriverRig) => Order])[] = [
    ['a half-made', nothing, (rig) => serving(rig.sample())],
    ['a half-changed', begun, (rig) => serving(changed(rig))],
    ['a half-removed', begun, (rig) => removing(rig.sample().marks)],
  ]
  for (const [what, first, order] of middles) {
    for (const [how, end] of ends) {
      test(`${what} resource ${how}, wherever it was left`, async (count) => {
        let goesOn = true
        let most = 0
        for (; goesOn && most < mostCalls; most += 1) {
          goesOn = await inRig(async (rig) => {
            await first(rig)
            const crashed = await breakOff(rig, order(rig), most)
            await end(rig)
            await rig.settle()
            await expectNothing(rig)
            return crashed
          })
        }
        count(most)
      })
    }
  }

  test('removing what is absent is done, each time', () =>
    inRig(async (rig) => {
      const { marks } = rig.sample()
      for (let time = 0; time < 3; time += 1) await takeDown(rig, marks)
      await bringUp(rig, rig.sample())
      for (let time = 0; time < 3; time += 1) await takeDown(rig, marks)
      await expectNothing(rig)
    }))
}

const leftovers = ({ test, inRig }: Suite): void => {
  for (const how of ['whole', 'half'] as const) {
    test(`what an earlier process left ${how} is found, and goes when it is released`, () =>
      inRig(async (rig) => {
        const left = rig.sample(2)
        await rig.plant(left, how)
        const found = await listOurs(rig.driver)
        expect(found.length).toBeGreaterThan(0)
        for (const { marks } of found) expect(marks).toEqual(left.marks)
        await sweep(rig)
        await expectNothing(rig)
      }))

    test(`what an earlier process left ${how} goes when it is removed`, () =>
      inRig(async (rig) => {
        const left = rig.sample(2)
        await rig.plant(left, how)
        await takeDown(rig, left.marks)
        await expectNothing(rig)
      }))

    test(`what an earlier process left ${how} is taken over and completed`, async () => {
      const plain = await inRig(live)
      await inRig(async (rig) => {
        const left = rig.sample()
        await rig.plant(left, how)
        await bringUp(rig, left)
        await expectServing(rig, left)
        expect(await kindsAt(rig)).toEqual(plain.kinds[0])
      })
    })
  }

  test('a release is done only when a read found nothing', () =>
    inRig(async (rig) => {
      await bringUp(rig, rig.sample())
      const items = await listOurs(rig.driver)
      for (const item of items) {
        const { status } = await rig.driver.release(item)
        const there = (await rig.things()).some(({ ref }) => ref === item.ref)
        if (there) expect(status).not.toBe('done')
      }
      await rig.settle()
      await sweep(rig)
      for (const item of items) {
        expect(await rig.another().release(item)).toEqual({ status: 'done' })
      }
    }))
}

const incarnations = ({ test, inRig }: Suite): void => {
  test('a late removal of one incarnation leaves the next alone', () =>
    inRig(async (rig) => {
      const next = rig.sample(1, { epoch: 2 })
      await bringUp(rig, next)
      await takeDown(rig, rig.sample().marks)
      await expectServing(rig, next)
      expect(await rig.driver.observe(next.marks)).toMatchObject({ ready: true, generation: 1 })
    }))

  test('what an old list shows of one incarnation does no harm to the next', () =>
    inRig(async (rig) => {
      const born = rig.sample()
      await bringUp(rig, born)
      const old = await listOurs(rig.driver)
      await takeDown(rig, born.marks)
      const next = rig.sample(1, { epoch: 2 })
      await bringUp(rig, next)
      const kinds = await kindsAt(rig)
      for (const item of old) await rig.driver.release(item)
      await rig.settle()
      await expectServing(rig, next)
      expect(await kindsAt(rig)).toEqual(kinds)
    }))
}

const lagging = ({ options, test, inRig }: Suite): void => {
  if (!options.lags) return
  const frozen = async (rig: DriverRig, work: () => Promise<void>): Promise<void> => {
    if (rig.freezeReads === undefined)
      throw new Error('a rig whose provider lags freezes its reads')
    rig.freezeReads(true)
    await work()
    rig.freezeReads(false)
    await rig.settle()
  }
  const thrice = async (rig: DriverRig, order: Order): Promise<void> => {
    for (let time = 0; time < 3; time += 1) {
      await attempt(rig.driver, order)
      await rig.settle()
    }
  }

  test('reads that lag make nothing twice', async () => {
    const plain = await inRig(live)
    await inRig(async (rig) => {
      const desired = rig.sample()
      await frozen(rig, () => thrice(rig, serving(desired)))
      await bringUp(rig, desired)
      await expectServing(rig, desired)
      expect(await kindsAt(rig)).toEqual(plain.kinds[0])
    })
  })

  test('reads that lag keep nothing, and say of nothing that it is gone', () =>
    inRig(async (rig) => {
      const desired = rig.sample()
      await bringUp(rig, desired)
      await frozen(rig, () => thrice(rig, removing(desired.marks)))
      await takeDown(rig, desired.marks)
      await expectNothing(rig)
    }))
}
