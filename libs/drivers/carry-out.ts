import { desiredHash, type DesiredResource, type OwnershipMarks } from '@weir/contract'
import type { Discard, Driver, Observed, Order, Outcome, Plan } from './driver.ts'

/** What came of an order, and what the driver saw last. */
export interface CarriedOut {
  readonly outcome: Outcome | ({ readonly status: 'discards' } & Discard)
  /** A read made after the last step; null when a step's outcome left none. */
  readonly seen: Observed | null
}

/** The part of a driver that carries an order out. */
type Hands = Pick<Driver, 'observe' | 'plan' | 'execute'>

/** More rounds than any way from nothing to serving; an order that needs more comes back later. */
const maxRounds = 12

/**
 * Brings a provider up to an order: observes, plans, takes the steps, and looks again, until nothing is
 * left to ask or something has to be waited for. Nothing is kept: called again, in another process or
 * after a crash anywhere, it goes on from what the provider has.
 * @param mayDiscard whether an order to serve may delete the load balancer with this ref; where it may
 *   not, the outcome is `discards`, and nothing was deleted
 */
export const carryOut = async (
  driver: Hands,
  order: Order,
  mayDiscard: (ref: string) => boolean = () => true,
): Promise<CarriedOut> => {
  const marks = order.order === 'serve' ? order.desired.marks : order.marks
  let begun = false
  for (let round = 0; round < maxRounds; round += 1) {
    const seen = await driver.observe(marks)
    const plan = driver.plan(order, seen)
    if (plan.status !== 'steps') return { outcome: plan, seen }
    if (plan.steps.length === 0) return { outcome: whereItStands(order, seen), seen }
    const outcome = await takeSteps(driver, plan, { mayDiscard, begun })
    begun = true
    if (outcome.status !== 'done') return { outcome, seen: null }
  }
  return { outcome: { status: 'pending', lookAgainMs }, seen: null }
}

/** Makes or changes the resource of `desired`; see `carryOut`. */
export const serve = (driver: Driver, desired: DesiredResource): Promise<CarriedOut['outcome']> =>
  outcomeOf(driver, { order: 'serve', desired })

/** Removes the resource with these marks, whatever state it is in; see `carryOut`. */
export const remove = (driver: Driver, marks: OwnershipMarks): Promise<CarriedOut['outcome']> =>
  outcomeOf(driver, { order: 'remove', marks })

const outcomeOf = async (driver: Driver, order: Order): Promise<CarriedOut['outcome']> =>
  (await carryOut(driver, order)).outcome

const lookAgainMs = 1000

const takeSteps = async (
  driver: Hands,
  { steps }: Extract<Plan, { status: 'steps' }>,
  { mayDiscard, begun }: { readonly mayDiscard: (ref: string) => boolean; readonly begun: boolean },
): Promise<CarriedOut['outcome']> => {
  for (const [index, step] of steps.entries()) {
    const { discards } = step
    if (discards !== undefined && !mayDiscard(discards.ref))
      return { status: 'discards', ...discards }
    const outcome = await driver.execute(step, begun || index > 0)
    if (outcome.status !== 'done') return outcome
  }
  return { status: 'done' }
}

/** With nothing left to ask: there, gone, or on its way. */
const whereItStands = (order: Order, seen: Observed): Outcome => {
  const reached =
    order.order === 'remove'
      ? seen.status === 'absent'
      : seen.status === 'present' && seen.ready && seen.hash === desiredHash(order.desired)
  return reached ? { status: 'done' } : { status: 'pending', lookAgainMs }
}
