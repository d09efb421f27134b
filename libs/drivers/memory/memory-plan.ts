// What is to be asked of the provider in memory, decided from an order and what was seen. Pure.
import {
  desiredHash,
  desiredResource,
  type DesiredResource,
  type InstallationId,
  type OwnershipMarks,
} from '@weir/contract'
import { assert } from '@weir/kernel'
import { findUnsupported } from '../capability.ts'
import type { Capabilities, Observed, Order, Plan } from '../driver.ts'
import { barredBy, notOurs, type Kept } from './memory-provider.ts'

/** Whatever has the key, whoever owns it. */
export interface MemorySeen {
  readonly there: Kept | undefined
}

/** One change at the provider: to make this be there, or to take what has these marks away. */
export type MemoryCall = { readonly apply: DesiredResource } | { readonly remove: OwnershipMarks }

interface PlanRules {
  readonly capabilities: Capabilities
  readonly installation: InstallationId
}

export const planOrder = (order: Order, seen: Observed<MemorySeen>, rules: PlanRules): Plan => {
  const { view } = seen
  assert(view !== undefined, 'the memory driver plans on what it observed itself')
  return order.order === 'serve'
    ? planServe(order.desired, view, rules)
    : planRemove(order.marks, seen, rules)
}

const planServe = (desired: DesiredResource, { there }: MemorySeen, rules: PlanRules): Plan => {
  const parsed = desiredResource.safeParse(desired)
  if (!parsed.success) {
    return { status: 'refused', capability: 'input', problem: parsed.error.message }
  }
  const unsupported = findUnsupported(rules.capabilities, desired)
  if (unsupported !== undefined) return { status: 'refused', ...unsupported }
  if (desired.marks.installation !== rules.installation) return notOurs(desired.marks)
  const barred = there === undefined ? undefined : barredBy(there, desired)
  if (barred !== undefined) return barred
  return isThere(there, desired) ? nothing : ask(desired.marks, { apply: desired })
}

const planRemove = (marks: OwnershipMarks, seen: Observed<MemorySeen>, rules: PlanRules): Plan => {
  if (marks.installation !== rules.installation) return notOurs(marks)
  const going = seen.status === 'present' && seen.view?.there?.leaving === true
  return seen.status === 'absent' || going ? nothing : ask(marks, { remove: marks })
}

const nothing: Plan = { status: 'steps', steps: [] }

const ask = ({ tenant, key }: OwnershipMarks, call: MemoryCall): Plan => ({
  status: 'steps',
  steps: [{ title: `${'apply' in call ? 'apply' : 'remove'} ${key}`, tenant, call }],
})

const isThere = (there: Kept | undefined, desired: DesiredResource): boolean =>
  there !== undefined &&
  there.desired.marks.epoch === desired.marks.epoch &&
  there.desired.generation === desired.generation &&
  desiredHash(there.desired) === desiredHash(desired)
