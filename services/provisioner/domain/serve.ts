// From a wish to a resource that serves it: what is intended, told, confirmed, repaired or refused.
import {
  desiredHash,
  event,
  hashOf,
  type DesiredResource,
  type DomainEvent,
  type Target,
} from '@weir/contract'
import { changeOfFlows } from './flows.ts'
import type { Wanted } from './plan.ts'
import type { Life, Living } from './state.ts'
import {
  lookAgainMs,
  record,
  routine,
  soon,
  whenCalled,
  type Answer,
  type Knowledge,
  type Sight,
  type Step,
} from './step.ts'
import { causeOfChange } from './targets.ts'

/** A driver that was configured a moment ago may not run in this process yet: not at once a refusal. */
const driverComesMs = 5000
const driverAgainMs = 10_000

export const decideWanted = (life: Life, known: Knowledge): Step => {
  const { plan, refusal } = known
  if (plan.status === 'waiting') return whenCalled
  if (refusal !== null) {
    if (refusal.capability !== 'driver') return refuse(life, known) ?? whenCalled
    const young = known.now - Date.parse(life.since) < driverComesMs
    return young ? soon(lookAgainMs) : (refuse(life, known) ?? soon(driverAgainMs))
  }
  return record(intend(life, plan.wanted, life.generation + 1))
}

/** The refusal of the present intent, or nothing when it is told already. */
const refuse = (life: Life, { refusal, answer }: Knowledge): Step | undefined => {
  const said = answer?.status === 'refused' ? answer : refusal
  if (said === null || life.refusedHash === life.wish.intentHash) return undefined
  const { capability, problem } = said
  const { driver, intentHash } = life.wish
  return record(
    event('ResourceRefused', { key: life.key, driver, capability, problem, intentHash }),
  )
}

const intend = (life: Life, wanted: Wanted, generation: number): DomainEvent =>
  event('ResourceIntended', {
    key: life.key,
    epoch: life.epoch,
    generation,
    driver: life.wish.driver,
    externalName: `${life.key}-${life.epoch}`,
    desired: { ...wanted, generation },
  })

export type Serving = Extract<Living, { status: 'Intended' | 'Programmed' }>

/** What must be recorded because the wish or the targets are other ones; undefined when they are not. */
export const changeOf = (state: Serving, known: Knowledge): Step | undefined => {
  const { plan, refusal } = known
  if (plan.status === 'waiting') return undefined
  // What serves goes on serving: a wish that cannot be met takes nothing away.
  if (refusal !== null) return refuse(state, known)
  const { wanted } = plan
  const generation = state.generation + 1
  if (shapeHash(wanted) !== shapeHash(state.desired)) {
    return record(intend(state, wanted, generation))
  }
  const [before, after] = [state.desired.targets, wanted.targets]
  return hashOf(before) === hashOf(after)
    ? undefined
    : record(moveTargets(state, { before, after, generation }))
}

const shapeHash = (wanted: Wanted): string => hashOf({ ...wanted, generation: 0, targets: [] })

const moveTargets = (
  life: Life,
  change: { readonly before: Target[]; readonly after: Target[]; readonly generation: number },
): DomainEvent =>
  event('TargetsChanged', {
    key: life.key,
    epoch: life.epoch,
    ...change,
    cause: causeOfChange(change.before, change.after),
  })

/** The operation that the story tells of is asked about before anything is read or told. */
export const awaitOperation = (life: Life, known: Knowledge): Step | undefined => {
  const { polled, answer } = known
  if (life.operation === null || answer !== null) return undefined
  if (polled === null) return { step: 'poll', token: life.operation.token }
  return waitOf(polled)
}

/** What has to be waited for; undefined for an answer that there is something to do about. */
const waitOf = (answer: Answer): Step | undefined => {
  switch (answer.status) {
    case 'pending':
      return soon(answer.lookAgainMs)
    case 'locked':
      return soon(answer.retryMs)
    case 'retry':
      return soon(answer.afterMs)
    default:
      return undefined
  }
}

/**
 * After the provider answered: an operation that goes on there is recorded once, so that whoever comes
 * next asks about it; undefined when nothing has to be waited for.
 */
export const waitFor = (life: Life, known: Knowledge): Step | undefined => {
  const { answer, sight } = known
  if (answer === null) return undefined
  if (answer.status !== 'pending') return waitOf(answer)
  const { token, what = 'an order' } = answer
  if (token !== undefined && token !== life.operation?.token) {
    const { key, epoch, generation } = life
    const started = { key, epoch, generation, token, what: what.slice(0, 200) }
    return record(event('OperationStarted', started))
  }
  // With a read already made, that says more; and what gives no token is only known by reading.
  return token !== undefined && sight === null ? soon(answer.lookAgainMs) : undefined
}

/** How long a cloud may still show what it had before then, milliseconds; 0 once what it shows is so. */
export const lagLeftMs = (then: number, { absence: { lagMs }, now }: Knowledge): number =>
  lagMs === 0 ? 0 : Math.max(0, then + lagMs - now)

export const decideServing = (state: Serving, known: Knowledge): Step => {
  const { answer, sight, marks } = known
  const { desired } = state
  const waiting = awaitOperation(state, known)
  if (waiting !== undefined) return waiting
  if (answer === null) return apply(state)
  if (answer.status === 'superseded') return { step: 'reread' }
  if (answer.status === 'discards') return discard(state, answer)
  if (answer.status === 'refused') return refuse(state, known) ?? routine
  const wait = waitFor(state, known)
  if (wait !== undefined) return wait
  if (sight === null) return { step: 'observe', marks }
  if (isAsTold(desired, sight)) {
    if (state.status === 'Intended') return record(programmed(state, sight))
    return changeOfFlows(state, sight, known.now) ?? routine
  }
  const drift = state.status === 'Programmed' ? driftOf(desired, sight) : undefined
  if (drift !== undefined) {
    const leftMs = lagLeftMs(Date.parse(state.since), known)
    return leftMs > 0 ? soon(leftMs) : record(...repair(state, drift, desired.generation))
  }
  const afterMs = answer.status === 'pending' ? answer.lookAgainMs : lookAgainMs
  if (state.status === 'Intended') return soon(afterMs)
  // It was confirmed, and is not ready now: told once more, and then the provider's hint is waited for.
  return known.asked ? routine : apply(state)
}

const apply = ({ desired, discarded }: Serving): Step => ({
  step: 'apply',
  desired,
  told: discarded,
})

/** What goes is told first, once; then the order is given again. */
const discard = (state: Serving, { ref, why }: Extract<Answer, { status: 'discards' }>): Step => {
  if (state.discarded.includes(ref)) return apply(state)
  const { key, epoch, generation } = state
  return record(event('ResourceDiscarded', { key, epoch, generation, ref, why: why.slice(0, 200) }))
}

type Present = Extract<Sight, { status: 'present' }>

const isAsTold = (desired: DesiredResource, sight: Sight): sight is Present =>
  sight.status === 'present' &&
  sight.ready &&
  sight.ingress.length > 0 &&
  sight.generation === desired.generation &&
  sight.hash === desiredHash(desired)

/** How the provider's copy differs; undefined when it is as told, or only not ready. */
const driftOf = (desired: DesiredResource, sight: Sight): string | undefined => {
  if (sight.status === 'absent') return 'absent'
  if (sight.status === 'unknown') return undefined
  const { generation, hash } = sight
  if (generation !== desired.generation) return `generation ${generation}`
  return hash === desiredHash(desired) ? undefined : 'another content'
}

const programmed = (life: Life, sight: Present): DomainEvent =>
  event('ResourceProgrammed', {
    key: life.key,
    epoch: life.epoch,
    generation: life.generation,
    ingress: [...sight.ingress],
    confirmedBy: [...sight.confirmedBy],
  })

/**
 * Tells of a difference and intends anew in one append. The new generation is past whatever was found,
 * so that no edge takes it for an old order.
 */
const repair = (state: Serving, found: string, atLeast: number): readonly DomainEvent[] => {
  const { key, epoch, generation } = state
  const drifted = event('ResourceDrifted', { key, epoch, generation, found })
  const { generation: _old, ...wanted } = state.desired
  return [drifted, intend(state, wanted, Math.max(generation, atLeast) + 1)]
}

/**
 * The provider is ahead of the story that was just read: the log was restored from a copy, or somebody
 * else wrote. Undefined when the provider is ahead in epoch: then the next life is, and not this one.
 */
export const overtake = (
  state: Living,
  found: { readonly epoch: number; readonly generation: number },
): readonly DomainEvent[] | undefined => {
  if (state.status !== 'Intended' && state.status !== 'Programmed') return undefined
  if (found.epoch !== state.epoch) return undefined
  return repair(state, `generation ${found.generation} ahead of the log`, found.generation)
}
