// One step of bringing a provider up to a story. The shell takes the step, folds what it brought, and asks
// again until there is nothing to do now. Whatever it learned is passed back as data, so a crash between
// any two steps loses only knowledge that is read again.
import {
  desiredHash,
  event,
  hashOf,
  type DesiredResource,
  type DomainEvent,
  type Ingress,
  type OwnershipMarks,
  type Target,
} from '@weir/contract'
import { assertNever } from '@weir/kernel'
import type { Plan, Wanted } from './plan.ts'
import type { Life, ProvisionState } from './state.ts'
import { causeOfChange } from './targets.ts'

/** What a driver answered to an order to serve or to remove. */
export type Answer =
  | { readonly status: 'done' }
  | { readonly status: 'pending'; readonly lookAgainMs: number; readonly token?: string }
  | { readonly status: 'locked'; readonly retryMs: number }
  | { readonly status: 'retry'; readonly afterMs: number; readonly problem: string }
  | { readonly status: 'superseded'; readonly epoch: number; readonly generation: number }
  | { readonly status: 'unknown' }
  | { readonly status: 'refused'; readonly capability: string; readonly problem: string }

/** What a driver reads. */
export type Sight =
  | { readonly status: 'absent'; readonly confirmedBy: readonly string[] }
  | {
      readonly status: 'present'
      readonly marks: OwnershipMarks
      readonly generation: number
      readonly hash: string
      readonly ready: boolean
      readonly ingress: readonly Ingress[]
      readonly confirmedBy: readonly string[]
    }
  | { readonly status: 'unknown'; readonly problem: string }

/** What is known in this pass, beside the story. */
export interface Knowledge {
  readonly plan: Plan
  /** What the driver cannot do of the plan; null when it can do all. */
  readonly refusal: { readonly capability: string; readonly problem: string } | null
  /** The answer to the order that the state is at; null while it was not given. */
  readonly answer: Answer | null
  /** The newest read, made after that answer; null while there was none. */
  readonly sight: Sight | null
  /** Marks of this life's resource. */
  readonly marks: OwnershipMarks
}

export type Step =
  | { readonly step: 'record'; readonly events: readonly DomainEvent[] }
  | { readonly step: 'apply'; readonly desired: DesiredResource }
  | { readonly step: 'remove'; readonly marks: OwnershipMarks }
  | { readonly step: 'observe'; readonly marks: OwnershipMarks }
  /** The story this was decided on may be old: read it again, then decide. */
  | { readonly step: 'reread' }
  /** Nothing to do now. `look` says when to come back: soon, at the pace of repair, or when called. */
  | { readonly step: 'rest'; readonly look: Look }

export type Look =
  | { readonly when: 'soon'; readonly afterMs: number }
  | { readonly when: 'routine' }
  | { readonly when: 'called' }

/** The next step for one Service's resource. */
export const decide = (state: ProvisionState, known: Knowledge): Step => {
  switch (state.status) {
    case 'Nothing':
    case 'Absent':
      return whenCalled
    case 'Wanted':
      return decideWanted(state, known)
    case 'Intended':
    case 'Programmed':
      return changeOf(state, known) ?? decideServing(state, known)
    case 'Released':
      return record(...endOf(state))
    case 'Removing':
      return decideRemoving(state, known)
    default:
      return assertNever(state)
  }
}

const whenCalled: Step = { step: 'rest', look: { when: 'called' } }
const routine: Step = { step: 'rest', look: { when: 'routine' } }
const soon = (afterMs: number): Step => ({ step: 'rest', look: { when: 'soon', afterMs } })
const record = (...events: readonly DomainEvent[]): Step => ({ step: 'record', events })

const lookAgainMs = 1000

const decideWanted = (life: Life, known: Knowledge): Step => {
  const { plan, refusal } = known
  if (plan.status === 'waiting') return whenCalled
  if (plan.status === 'impossible' || refusal !== null) return refuse(life, known) ?? whenCalled
  return record(intend(life, plan.wanted, life.generation + 1))
}

/** The refusal of the present intent, or nothing when it is told already. */
const refuse = (life: Life, { plan, refusal, answer }: Knowledge): Step | undefined => {
  const said = plan.status === 'impossible' ? plan : answer?.status === 'refused' ? answer : refusal
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

type Serving = Extract<ProvisionState, { status: 'Intended' | 'Programmed' }>

/** What must be recorded because the wish or the targets are other ones; undefined when they are not. */
const changeOf = (state: Serving, known: Knowledge): Step | undefined => {
  const { plan, refusal } = known
  if (plan.status === 'waiting') return undefined
  // What serves goes on serving: a wish that cannot be met takes nothing away.
  if (plan.status === 'impossible' || refusal !== null) return refuse(state, known)
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

const decideServing = (state: Serving, known: Knowledge): Step => {
  const { answer, sight, marks } = known
  const { desired } = state
  if (answer === null) return { step: 'apply', desired }
  if (answer.status === 'superseded') return { step: 'reread' }
  if (answer.status === 'refused') return refuse(state, known) ?? routine
  if (answer.status === 'locked') return soon(answer.retryMs)
  if (answer.status === 'retry') return soon(answer.afterMs)
  if (sight === null) return { step: 'observe', marks }
  if (isAsTold(desired, sight)) {
    return state.status === 'Programmed' ? routine : record(programmed(state, sight))
  }
  const drift = state.status === 'Programmed' ? driftOf(desired, sight) : undefined
  if (drift !== undefined) return record(...repair(state, drift, desired.generation))
  return soon(answer.status === 'pending' ? answer.lookAgainMs : lookAgainMs)
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
  state: ProvisionState,
  found: { readonly epoch: number; readonly generation: number },
): readonly DomainEvent[] | undefined => {
  if (state.status !== 'Intended' && state.status !== 'Programmed') return undefined
  if (found.epoch !== state.epoch) return undefined
  return repair(state, `generation ${found.generation} ahead of the log`, found.generation)
}

/** Nothing was ever intended, so nothing exists; otherwise the delete is intended before it is asked. */
const endOf = (life: Life): readonly DomainEvent[] => {
  const { key, epoch, generation, cause } = life
  return generation === 0
    ? [event('ResourceAbsent', { key, epoch: 0, confirmedBy: ['log'] })]
    : [
        event('ResourceDeleteIntended', {
          key,
          epoch,
          reason: 'released',
          evidence: cause.eventId,
        }),
      ]
}

const decideRemoving = (life: Life, { answer, sight, marks }: Knowledge): Step => {
  if (answer === null) return { step: 'remove', marks }
  if (answer.status === 'locked') return soon(answer.retryMs)
  if (answer.status === 'retry') return soon(answer.afterMs)
  if (sight === null) return { step: 'observe', marks }
  if (sight.status !== 'absent') {
    return soon(answer.status === 'pending' ? answer.lookAgainMs : lookAgainMs)
  }
  const { key, epoch } = life
  return record(event('ResourceAbsent', { key, epoch, confirmedBy: [...sight.confirmedBy] }))
}
