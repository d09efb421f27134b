// What rows hold for a Service whose story holds nothing. Rows and events change in one transaction, so there is
// none, unless somebody wrote to the database by hand or restored a part of it.
import {
  frontendText,
  type Frontend,
  type HeldRow,
  type Lease,
  type RecordedEvent,
} from '@weir/contract'
import { nothing, type Decision, type Situation } from './decision.ts'
import { letGo } from './let-go.ts'

/**
 * Lets go of one such row with a word in the story of its holder. Nothing while a life goes on, whose end lets
 * go of it, nor of what the story never told: that is for people to look at.
 */
export const letGoOfStray = (
  at: Pick<Situation, 'facts' | 'pools' | 'now'> & { readonly story: readonly RecordedEvent[] },
  { scope, key }: HeldRow,
): Decision => {
  if (at.facts.balancer.status !== 'None') return nothing
  const told = at.story.flatMap((event) =>
    event.type === 'FrontendsAllocated' ? [event.data] : [],
  )
  const leases: readonly Lease[] = told.flatMap((each) => each.leases)
  const frontends: readonly Frontend[] = told.flatMap((each) => each.frontends)
  const lease = scope === 'address' ? leases.findLast(({ ip }) => ip === key) : undefined
  const frontend =
    scope === 'frontend' ? frontends.findLast((each) => frontendText(each) === key) : undefined
  return lease === undefined && frontend === undefined
    ? nothing
    : letGo(at, { leases: lease ? [lease] : [], frontends: frontend ? [frontend] : [] })
}
