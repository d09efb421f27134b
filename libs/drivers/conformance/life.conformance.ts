// One life of a resource, from nothing to nothing, which may be disturbed at any one of its calls.
import type { DesiredResource, OwnershipMarks } from '@weir/contract'
import { OperatingError } from '@weir/kernel'
import { expect } from 'vitest'
import { carryOut, type CarriedOut } from '../carry-out.ts'
import type { Driver, Order, Outcome, Step } from '../driver.ts'
import type { DriverRig } from './rig.conformance.ts'
import { everything } from './wishes.conformance.ts'
import { expectNothing, expectServing, kindsAt } from './world.conformance.ts'

/** What comes of an order. */
type Answer = CarriedOut['outcome']

/** More rounds of asking and settling than any order takes. */
const mostRounds = 60

export const serving = (desired: DesiredResource): Order => ({ order: 'serve', desired })
export const removing = (marks: OwnershipMarks): Order => ({ order: 'remove', marks })

/** Asks as a worker does, again and again, until there is nothing left to ask or no use in asking. */
export const reach = async (
  rig: DriverRig,
  order: Order,
  driver: Driver = rig.driver,
): Promise<Answer> => {
  let last: Answer = { status: 'unknown' }
  for (let round = 0; round < mostRounds; round += 1) {
    last = await attempt(driver, order)
    if (['done', 'superseded', 'refused'].includes(last.status)) return last
    await rig.settle()
  }
  throw new Error(`to ${order.order} comes to no end: ${JSON.stringify(last)}`)
}

/** Asks once. The world failing is an answer like others; being wrong is not. */
export const attempt = async (driver: Driver, order: Order): Promise<Answer> => {
  try {
    return (await carryOut(driver, order)).outcome
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error
    return { status: 'retry', afterMs: 0, problem: error.message }
  }
}

export const bringUp = async (rig: DriverRig, desired: DesiredResource): Promise<void> => {
  expect(await reach(rig, serving(desired))).toEqual({ status: 'done' })
  await rig.settle()
}

export const takeDown = async (rig: DriverRig, marks: OwnershipMarks): Promise<void> => {
  expect(await reach(rig, removing(marks))).toEqual({ status: 'done' })
  await rig.settle()
}

/** The process ends here, whatever it was about to do. */
export class Crash extends Error {}

/** What happens instead of one plain call. */
export type Disturbance = (call: {
  readonly rig: DriverRig
  readonly driver: Driver
  readonly step: Step
  readonly order: Order
}) => Promise<Outcome>

/** The same driver, of which every call that changes something goes through `execute`. */
export const through = (driver: Driver, execute: (step: Step) => Promise<Outcome>): Driver => ({
  name: driver.name,
  capabilities: driver.capabilities,
  probe: () => driver.probe(),
  observe: (marks) => driver.observe(marks),
  plan: (order, seen) => driver.plan(order, seen),
  execute,
  poll: (token) => driver.poll(token),
  inventory: (cursor) => driver.inventory(cursor),
  release: (item) => driver.release(item),
  onChange: (handle, signal) => driver.onChange(handle, signal),
})

/** The chapters of a life; each is an order, and what is served after it. */
export const chapters = (rig: DriverRig): readonly (readonly [Order, ...DesiredResource[]])[] => {
  const born = rig.sample()
  const changed = rig.sample(1, { ...everything(rig), generation: 2 })
  const again = rig.sample(1, { epoch: 2 })
  return [
    [serving(born), born],
    [serving(changed), changed],
    [removing(born.marks)],
    [serving(again), again],
    [removing(again.marks)],
  ]
}

export interface Life {
  /** Titles of the calls made, in order. */
  readonly calls: readonly string[]
  /** The kinds of all things after each chapter. */
  readonly kinds: readonly (readonly string[])[]
}

/**
 * Lives a whole life, with one call disturbed, and looks at the world after every chapter. Whoever crashes
 * is followed by another process.
 */
export const live = async (
  rig: DriverRig,
  disturbed?: { readonly at: number; readonly how: Disturbance },
): Promise<Life> => {
  const calls: string[] = []
  const kinds: (readonly string[])[] = []
  let driver = rig.driver
  for (const [order, ...served] of chapters(rig)) {
    const execute = (step: Step): Promise<Outcome> => {
      calls.push(step.title)
      const mine = disturbed?.at === calls.length - 1
      return mine ? disturbed.how({ rig, driver, step, order }) : driver.execute(step)
    }
    const ask = (): Promise<Answer> => reach(rig, order, through(driver, execute))
    const outcome = await ask().catch((error: unknown) => {
      if (!(error instanceof Crash)) throw error
      driver = rig.another()
      return ask()
    })
    expect(outcome).toEqual({ status: 'done' })
    await rig.settle()
    await expectServing(rig, ...served)
    kinds.push(await kindsAt(rig))
  }
  await expectNothing(rig)
  return { calls, kinds }
}
