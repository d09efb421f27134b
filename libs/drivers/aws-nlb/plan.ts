import type { InstallationId, OwnershipMarks } from '@weir/contract'
import type { Observed, Order, Plan } from '../driver.ts'
import { planRemove } from './plan-remove.ts'
import { planServe } from './plan-serve.ts'
import type { AwsNlbSettings } from './settings.ts'
import type { View } from './view.ts'

/** What a plan needs besides the order and the observation. */
export interface PlanContext {
  readonly installation: InstallationId
  readonly settings: AwsNlbSettings
}

/** A read that does not hold together yet is made again after this long. */
const readAgainMs = 2_000

/**
 * What can be asked of AWS now to bring what was seen up to the order. Every call in the plan has all
 * the ids it needs; what needs the id of a thing that the plan makes comes with the next observation.
 */
export const plan = (context: PlanContext, order: Order, seen: Observed<View>): Plan => {
  const marks = order.order === 'serve' ? order.desired.marks : order.marks
  if (marks.installation !== context.installation) {
    return notOurs(marks)
  }
  const { view } = seen
  if (seen.status === 'unknown' || view === undefined) {
    return { status: 'locked', retryMs: readAgainMs }
  }
  return order.order === 'serve'
    ? planServe(context.settings, order.desired, view)
    : planRemove(order.marks, view)
}

const notOurs = (marks: OwnershipMarks): Plan => ({
  status: 'refused',
  capability: 'ownership',
  problem: `${marks.key} carries the marks of installation ${marks.installation}`,
})
