// A worker that slept through a newer order wakes up and makes the one call it was about to make. Providers
// take it, for they know no order; the next look must put right whatever it did.
import { OperatingError } from '@weir/kernel'
import type { Order, Step } from '../driver.ts'
import { bringUp, Crash, live, reach, removing, serving, through } from './life.conformance.ts'
import type { DriverRig } from './rig.conformance.ts'
import type { Suite } from './suite.conformance.ts'
import { everything } from './wishes.conformance.ts'
import { expectNothing, expectServing, kindsAt } from './world.conformance.ts'
import { expect } from 'vitest'

/** The call that an order comes to after `most` others, not made; undefined when it has none. */
const asleepAt = async (rig: DriverRig, order: Order, most: number): Promise<Step | undefined> => {
  let made = 0
  let asleep: Step | undefined
  const sleepy = through(rig.driver, (step) => {
    if (made === most) {
      asleep = step
      throw new Crash()
    }
    made += 1
    return rig.driver.execute(step)
  })
  await reach(rig, order, sleepy).catch((error: unknown) => {
    if (!(error instanceof Crash)) throw error
  })
  return asleep
}

const wakeUp = async (rig: DriverRig, step: Step): Promise<void> => {
  await rig.driver.execute(step).catch((error: unknown) => {
    if (!(error instanceof OperatingError)) throw error
  })
  await rig.settle()
}

/** A bound on the calls of one order. */
const mostCalls = 200

export const late = ({ test, inRig }: Suite): void => {
  test('a call of an old order that comes after a newer one is put right', async (count) => {
    const plain = await inRig(live)
    let goesOn = true
    let most = 0
    for (; goesOn && most < mostCalls; most += 1) {
      goesOn = await inRig(async (rig) => {
        const older = rig.sample()
        const newer = rig.sample(1, { ...everything(rig), generation: 2 })
        const step = await asleepAt(rig, serving(older), most)
        expect(await reach(rig, serving(newer), rig.another())).toEqual({ status: 'done' })
        if (step !== undefined) await wakeUp(rig, step)
        await bringUp(rig, newer)
        await expectServing(rig, newer)
        expect(await kindsAt(rig), step?.title).toEqual(plain.kinds[1])
        return step !== undefined
      })
    }
    count(most)
  })

  test('a call to serve that comes after the removal is found and goes', async (count) => {
    let goesOn = true
    let most = 0
    for (; goesOn && most < mostCalls; most += 1) {
      goesOn = await inRig(async (rig) => {
        const { marks } = rig.sample()
        const step = await asleepAt(rig, serving(rig.sample()), most)
        expect(await reach(rig, removing(marks), rig.another())).toEqual({ status: 'done' })
        if (step !== undefined) await wakeUp(rig, step)
        expect(await reach(rig, removing(marks))).toEqual({ status: 'done' })
        await rig.settle()
        await expectNothing(rig)
        return step !== undefined
      })
    }
    count(most)
  })
}
