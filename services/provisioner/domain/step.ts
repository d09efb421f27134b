import type { DesiredResource, DomainEvent, Ingress, OwnershipMarks } from '@weir/contract'
import type { Plan } from './plan.ts'
import type { Living } from './state.ts'

/** What a driver answered to an order to serve or to remove, or to a question about an operation. */
export type Answer =
  | { readonly status: 'done' }
  | {
      readonly status: 'pending'
      readonly lookAgainMs: number
      readonly token?: string
      /** The call that it began with, for people. */
      readonly what?: string
    }
  | { readonly status: 'locked'; readonly retryMs: number }
  | { readonly status: 'retry'; readonly afterMs: number; readonly problem: string }
  | { readonly status: 'superseded'; readonly epoch: number; readonly generation: number }
  | { readonly status: 'unknown' }
  /** A load balancer is in the way, and the story does not tell yet that it goes. */
  | { readonly status: 'discards'; readonly ref: string; readonly why: string }
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
      /** Where new flows go, and since when; missing where the driver does not tell. */
      readonly flows?: {
        readonly nodes: ReadonlyMap<
          string,
          { readonly weight: number; readonly problem: string | null }
        >
        readonly since: string
      }
    }
  | { readonly status: 'unknown'; readonly problem: string }

/** What is known in this pass, beside the story. */
export interface Knowledge {
  readonly plan: Plan
  /** What the driver cannot do of the plan; null when it can do all. */
  readonly refusal: { readonly capability: string; readonly problem: string } | null
  /** How the operation stands that the story tells of; null while that was not asked. */
  readonly polled: Answer | null
  /** The answer to the order that the state is at; null while it was not given. */
  readonly answer: Answer | null
  /** Whether that answer is of this pass, and not of an earlier one. */
  readonly asked: boolean
  /** The newest read, made after that answer; null while there was none. */
  readonly sight: Sight | null
  /** Since when every read of this order found nothing, and for how long a read may show what was. */
  readonly absence: { readonly since: number | null; readonly lagMs: number }
  /** Marks of this life's resource. */
  readonly marks: OwnershipMarks
  readonly role: Role
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** What an incarnation is to its Service. */
export type Role =
  /**
   * The newest: it serves, or shall. `formers` are left of the drivers it moved from; `shares` while one of
   * them has its key, since it moved back before that was absent, and `kept` while such a one goes.
   */
  | {
      readonly role: 'newest'
      readonly formers: number
      readonly kept: boolean
      readonly shares: boolean
    }
  /**
   * It serves until the newest does. `shares` when that one has the same key, since the Service moved
   * back; `still` once that one has taken its place.
   */
  | { readonly role: 'stand-in'; readonly shares: boolean; readonly still: boolean }
  /** Another one serves; the event that proves it. */
  | { readonly role: 'left-over'; readonly evidence: string }

export type Step =
  | { readonly step: 'record'; readonly events: readonly DomainEvent[] }
  | { readonly step: 'poll'; readonly token: string }
  /** `told`: what the story says is discarded, by the provider's ids. */
  | { readonly step: 'apply'; readonly desired: DesiredResource; readonly told: readonly string[] }
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

/** The look that comes first; when called for none. */
export const soonest = (looks: readonly Look[]): Look => {
  const waits = looks.flatMap((look) => (look.when === 'soon' ? [look.afterMs] : []))
  if (waits.length > 0) return { when: 'soon', afterMs: Math.min(...waits) }
  return looks.find(({ when }) => when === 'routine') ?? { when: 'called' }
}

export const whenCalled: Step = { step: 'rest', look: { when: 'called' } }
export const routine: Step = { step: 'rest', look: { when: 'routine' } }
export const soon = (afterMs: number): Step => ({ step: 'rest', look: { when: 'soon', afterMs } })
export const record = (...events: readonly DomainEvent[]): Step => ({ step: 'record', events })

/** Wait where the driver names none. */
export const lookAgainMs = 1000

/** The order that a state stands for: to serve a generation, or to be gone. */
export const placeOf = (state: Living): string =>
  `${state.status === 'Removing' ? 'remove' : 'serve'} ${state.key} ${state.epoch}/${state.generation}`
