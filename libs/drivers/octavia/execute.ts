import type { InstallationId, OwnershipMarks } from '@weir/contract'
import { assert, type Clock, type Logger } from '@weir/kernel'
import type { Budget } from '../budget.ts'
import type { Outcome, Step } from '../driver.ts'
import { endpointOf, type Change, type Reads } from './api.ts'
import { octaviaCall, type OctaviaCall } from './calls.ts'
import { retryAfterMs, Unanswered, type Answer } from './http.ts'
import type { Keystone } from './keystone.ts'
import { labelsOf, marksInDescription, ownerQuery, sameMarks, tagsOf, withTags } from './marks.ts'
import type { Balancer } from './objects.ts'
import { failureOf, unansweredOutcome } from './outcome.ts'
import { notOurs } from './plan.ts'

/** What taking steps needs. */
export interface Hands {
  readonly keystone: Keystone
  readonly budget: Budget
  readonly reads: Reads
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly installation: InstallationId
}

/** Takes one step: some read right before, so that nothing else is hit, and one call that changes. */
export const execute = async (hands: Hands, step: Step, begun: boolean): Promise<Outcome> => {
  const parsed = octaviaCall.safeParse(step.call)
  assert(parsed.success, `the octavia driver did not plan ${step.title}`)
  const { budget } = hands
  const grant = begun ? budget.goOn(step.tenant, 'write') : budget.ask(step.tenant, 'write')
  if (!grant.granted) {
    return { status: 'retry', afterMs: grant.retryMs, problem: "the account's rate is used up" }
  }
  const outcome = await take(hands, step, parsed.data)
  hands.logger.debug({ step: step.title, outcome: outcome.status }, 'asked octavia')
  return outcome
}

const take = (hands: Hands, { title }: Step, call: OctaviaCall): Promise<Outcome> => {
  switch (call.do) {
    case 'create':
      return createBalancer(hands, title, call)
    case 'change': {
      const { balancer, method, path, body } = call
      return changePart(hands, title, {
        balancer,
        change: { service: 'balancing', method, path, body },
      })
    }
    case 'mark':
      return markBalancer(hands, title, call)
    case 'delete':
      return deleteBalancer(hands, title, { id: call.balancer, marks: call.marks })
    case 'allocate':
      return changeNetwork(hands, title, { method: 'POST', path: '', body: call.body })
    case 'attach':
      return onFloatingIp(hands, call.floatingIp, call.marks, () =>
        changeNetwork(hands, title, {
          method: 'PUT',
          path: `/${call.floatingIp}`,
          body: { floatingip: { port_id: call.port } },
        }),
      )
    case 'free':
      return freeFloatingIp(hands, title, { id: call.floatingIp, marks: call.marks })
  }
}

/** Sends one change. Its outcome is that of `then` when it was taken. */
const send = async (
  hands: Hands,
  title: string,
  change: Change,
  then: (answer: Answer) => Outcome,
): Promise<Outcome> => {
  try {
    const answer = await hands.keystone.send((access) => ({
      method: change.method,
      url: `${endpointOf(access, change.service)}${change.path}`,
      body: change.body,
    }))
    if (answer.status === 429) hands.budget.hold('write', retryAfterMs(answer) ?? 1000)
    if (change.method === 'DELETE' && answer.status === 404) return { status: 'done' }
    return failureOf(title, answer) ?? then(answer)
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error
    return unansweredOutcome(title, error)
  }
}

type CallOf<K extends OctaviaCall['do']> = Extract<OctaviaCall, { do: K }>

/** Names are not unique in Octavia: whoever comes late must not make a second one. */
const createBalancer = async (
  hands: Hands,
  title: string,
  { marks, body }: CallOf<'create'>,
): Promise<Outcome> => {
  const { project } = await hands.reads.access()
  const there = await hands.reads.balancers({ project_id: project, tags: ownerQuery(marks) })
  const isThere = there.some(({ tags, provisioning_status: status }) => {
    const labels = labelsOf(tags)
    return status !== 'DELETED' && labels !== null && sameMarks(labels.marks, marks)
  })
  if (isThere) return { status: 'unknown' }
  const change: Change = {
    service: 'balancing',
    method: 'POST',
    path: '/v2/lbaas/loadbalancers',
    body,
  }
  return send(hands, title, change, (answer) => {
    const token = idIn(answer.body)
    return token === undefined ? { status: 'unknown' } : goesOn(token)
  })
}

const changePart = (
  hands: Hands,
  title: string,
  { balancer, change }: { readonly balancer: string; readonly change: Change },
): Promise<Outcome> => send(hands, title, change, () => goesOn(balancer))

const markBalancer = async (
  hands: Hands,
  title: string,
  { balancer: id, marks, ...said }: CallOf<'mark'>,
): Promise<Outcome> => {
  const there = await hands.reads.balancer(id)
  if (there === null) return { status: 'unknown' }
  const labels = labelsOf(there.tags)
  if (labels === null || !sameMarks(labels.marks, marks)) return notTheSame(id)
  const tags = withTags(there.tags, tagsOf({ marks, ...said }))
  const change: Change = {
    service: 'balancing',
    method: 'PUT',
    path: `/v2/lbaas/loadbalancers/${id}`,
    body: { loadbalancer: { tags, admin_state_up: true } },
  }
  return send(hands, title, change, () => goesOn(id))
}

/** A load balancer or a floating IP, and the marks that it must still carry. */
export interface MarkedThing {
  readonly id: string
  readonly marks: OwnershipMarks
}

/** Deletes a load balancer with all its parts, unless its marks are others now. */
export const deleteBalancer = async (
  hands: Hands,
  title: string,
  { id, marks }: MarkedThing,
): Promise<Outcome> => {
  const there = await hands.reads.balancer(id)
  if (there === null || there.provisioning_status === 'DELETED') return { status: 'done' }
  const labels = labelsOf(there.tags)
  if (labels === null || !sameMarks(labels.marks, marks)) return notTheSame(id)
  if (marks.installation !== hands.installation) return notOurs(marks)
  if (there.provisioning_status === 'PENDING_DELETE') return stillGoesOn(there, hands.clock.now())
  if (there.provisioning_status.startsWith('PENDING')) return { status: 'locked', retryMs: 2000 }
  const path = `/v2/lbaas/loadbalancers/${id}?cascade=true`
  const change: Change = { service: 'balancing', method: 'DELETE', path }
  return send(hands, title, change, () => goesOn(id))
}

/** Frees a floating IP, unless its marks are others now. */
export const freeFloatingIp = (
  hands: Hands,
  title: string,
  { id, marks }: MarkedThing,
): Promise<Outcome> =>
  onFloatingIp(hands, id, marks, () =>
    changeNetwork(hands, title, { method: 'DELETE', path: `/${id}` }),
  )

const onFloatingIp = async (
  hands: Hands,
  id: string,
  marks: OwnershipMarks,
  act: () => Promise<Outcome>,
): Promise<Outcome> => {
  const there = await hands.reads.floatingIp(id)
  if (there === null) return { status: 'done' }
  const said = marksInDescription(there.description ?? '')
  if (said === null || !sameMarks(said, marks)) return notTheSame(id)
  if (marks.installation !== hands.installation) return notOurs(marks)
  return act()
}

const changeNetwork = (
  hands: Hands,
  title: string,
  { path, ...rest }: Omit<Change, 'service'>,
): Promise<Outcome> => {
  const change: Change = { service: 'network', path: `/v2.0/floatingips${path}`, ...rest }
  return send(hands, title, change, () => ({ status: 'done' }))
}

const notTheSame = (id: string): Outcome => ({
  status: 'refused',
  capability: 'ownership',
  problem: `${id} does not carry the marks that were asked about`,
})

const firstLookMs = 1000
const goesOn = (balancer: string): Outcome => ({
  status: 'pending',
  lookAgainMs: firstLookMs,
  token: balancer,
})

/**
 * The cloud still works on it. It is looked at ever more rarely the longer that takes, up to once a
 * minute: after an outage a cloud may take hours to give up.
 */
export const stillGoesOn = (there: Balancer, now: number): Outcome => {
  const ageMs = now - Math.max(there.created_at ?? now, there.updated_at ?? 0)
  const lookAgainMs = Math.min(Math.max(firstLookMs, Math.round(ageMs / 5)), 60_000)
  return { status: 'pending', lookAgainMs, token: there.id }
}

const idIn = (body: unknown): string | undefined => {
  const made: unknown =
    typeof body === 'object' && body !== null && 'loadbalancer' in body ? body.loadbalancer : null
  const id: unknown =
    typeof made === 'object' && made !== null && 'id' in made ? made.id : undefined
  return typeof id === 'string' ? id : undefined
}
