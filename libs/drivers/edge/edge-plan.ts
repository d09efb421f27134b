// What is to be told to a fleet, decided from an order and what the fleet says. Pure.
import {
  desiredHash,
  type DesiredResource,
  type EdgeOrder,
  type FleetName,
  type InstallationId,
  type OwnershipMarks,
} from '@weir/contract'
import { assert } from '@weir/kernel'
import { findUnsupported } from '../capability.ts'
import type { Capabilities, Observed, Order, Plan, Refused } from '../driver.ts'
import { comparePlaces, sameOwner } from '../marks.ts'
import {
  newestGeneration,
  orderMarks,
  orderPlace,
  ownOrder,
  refusedBy,
  someoneOwes,
  type FleetSays,
  type Quorum,
} from './judge.ts'

/** What the driver read of a fleet for one resource. */
export interface FleetSeen {
  readonly says: FleetSays
  /** Whether this process last told an order of it long ago, or never. */
  readonly toldLongAgo: boolean
}

export interface PlanRules {
  readonly capabilities: Capabilities
  readonly fleet: FleetName
  /** Resources with another installation's marks are not ours to touch. */
  readonly installation: InstallationId
  readonly quorum: Quorum
}

export const planOrder = (order: Order, seen: Observed<FleetSeen>, rules: PlanRules): Plan => {
  const { view } = seen
  assert(view !== undefined, 'the edge driver plans on what it observed itself')
  return order.order === 'serve'
    ? planServe(order.desired, view, rules)
    : planRemove(order.marks, view, rules)
}

const planServe = (desired: DesiredResource, seen: FleetSeen, rules: PlanRules): Plan => {
  const { marks } = desired
  const unsupported = findUnsupported(rules.capabilities, desired)
  if (unsupported !== undefined) return { status: 'refused', ...unsupported }
  if (marks.installation !== rules.installation) return notOurs(marks)
  const order: EdgeOrder = { order: 'serve', fleet: rules.fleet, desired }
  const { says } = seen
  if (says.order === undefined) {
    const theirs = heldByOthers(marks, says)
    return theirs === undefined ? tell(order) : notOurs(theirs)
  }
  if (!sameOwner(orderMarks(says.order), marks)) return notOurs(orderMarks(says.order))
  const place = orderPlace(says.order)
  const ahead = comparePlaces(place, orderPlace(order))
  const same = saysTheSame(says.order, order)
  if (ahead > 0 || (ahead === 0 && !same)) return { status: 'superseded', ...place }
  if (!same || isDueAgain(seen)) return tell(order)
  const problem = refusedBy(says, rules.quorum)
  return problem === undefined ? nothing : { status: 'refused', capability: 'edge', problem }
}

/** What an edge holds under this key for another owner: an order of ours would take its place. */
const heldByOthers = (marks: OwnershipMarks, { edges }: FleetSays): OwnershipMarks | undefined => {
  for (const { standing, heartbeat } of edges) {
    const held = standing === 'gone' ? undefined : heartbeat.resources.find(isOthers(marks))
    if (held !== undefined) return held.marks
  }
  return undefined
}

const isOthers =
  (marks: OwnershipMarks) =>
  (held: { readonly marks: OwnershipMarks }): boolean =>
    held.marks.key === marks.key && !sameOwner(held.marks, marks)

const planRemove = (marks: OwnershipMarks, seen: FleetSeen, rules: PlanRules): Plan => {
  if (marks.installation !== rules.installation) return notOurs(marks)
  const { says } = seen
  const own = ownOrder(marks, says)
  // Whoever else has the key now has nothing of these marks, and a later incarnation is not ours to end.
  const theirs = says.order === undefined ? heldByOthers(marks, says) : says.order
  if (own === undefined && theirs !== undefined) return nothing
  if (own !== undefined && orderPlace(own).epoch > marks.epoch) return nothing
  const order = tombstone(marks, seen, rules.fleet)
  const same = own !== undefined && saysTheSame(own, order)
  return same && !isDueAgain(seen) ? nothing : tell(order)
}

const nothing: Plan = { status: 'steps', steps: [] }

const tell = (order: EdgeOrder): Plan => {
  const { tenant, key } = orderMarks(order)
  const title = `tell fleet ${order.fleet} to ${order.order} ${key}`
  return { status: 'steps', steps: [{ title, tenant, call: order }] }
}

/** An order that somebody owes an answer to may have been lost with the bus: it is told again. */
const isDueAgain = ({ says, toldLongAgo }: FleetSeen): boolean => toldLongAgo && someoneOwes(says)

/** The end of an incarnation, behind the newest generation that anybody knows of. */
const tombstone = (marks: OwnershipMarks, { says }: FleetSeen, fleet: FleetName): EdgeOrder => {
  const own = ownOrder(marks, says)
  const place = own === undefined ? undefined : orderPlace(own)
  const ordered = place?.epoch === marks.epoch ? place.generation : 0
  const generation = Math.max(ordered, newestGeneration(marks, says.edges))
  return { order: 'remove', fleet, marks, generation }
}

const saysTheSame = (one: EdgeOrder, other: EdgeOrder): boolean => {
  if (comparePlaces(orderPlace(one), orderPlace(other)) !== 0) return false
  if (one.order === 'remove' || other.order === 'remove') return one.order === other.order
  return desiredHash(one.desired) === desiredHash(other.desired)
}

/** Refuses to touch what another owner has. */
export const notOurs = ({ key, installation, tenant }: OwnershipMarks): Refused => ({
  status: 'refused',
  capability: 'ownership',
  problem: `${key} carries the marks of installation ${installation}, tenant ${tenant}`,
})
