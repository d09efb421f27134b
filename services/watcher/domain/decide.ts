// What to write on one Service, from its story and what is seen of it.
//
//   life \ seen    wanted                          leaving (deleting, or another type)   gone
//   none           record a finalizer we hold      let go: nothing was ever made         record it, once it is long ago
//   open           show the address, or why not    wait: the allocator will release      wait
//   releasing      wait                            wait                                  wait
//     and absent   clear, keep the finalizers      clear, take the finalizers off        record it
//
// A Service that is wanted again while its old life ends keeps its finalizers all the way: the end of the
// old life and the finalizer of the next one are recorded together, so there is no moment in which
// something may be made for a Service that does not wait for us.
import {
  event,
  reasonOf,
  reasonText,
  type DomainEvent,
  type EventData,
  type Ingress,
  type Reason,
} from '@weir/contract'
import { alreadySay, conditionsOf, dated, type Condition } from './conditions.ts'
import { refreshMs } from './announce.ts'
import type { Life, Programmed, Story } from './fold.ts'

/** A Service as it is in the cluster. */
export interface SeenForDecision {
  readonly wanted: boolean
  readonly deleting: boolean
  readonly held: boolean
  readonly resourceVersion: string
  readonly intentHash: string
  readonly ingress: readonly (Ingress | { readonly foreign: string })[]
  readonly reason: string | null
  readonly conditions: readonly Condition[]
}

export interface Situation {
  readonly story: Story
  /** Undefined when the Service, by its UID, is gone. */
  readonly seen: SeenForDecision | undefined
  /** The cluster is still served; of one that is not everything goes. */
  readonly served: boolean
  /** The allocator has kept an observation that says the Service is leaving. */
  readonly leavingIsKnown: boolean
  /** Milliseconds since the epoch. */
  readonly now: number
}

export type Write =
  | {
      readonly kind: 'tell'
      readonly ingress?: readonly Ingress[]
      readonly conditions: readonly Condition[]
      readonly reason: string | null
    }
  | { readonly kind: 'release'; readonly keepFinalizers: boolean }

export interface Plan {
  /** One write on the Service, before anything is recorded. */
  readonly write: Write | undefined
  /** Facts to record once the write is acknowledged. */
  readonly events: readonly DomainEvent[]
  /** Look again after so long, if nothing happens before. */
  readonly againInMs: number | undefined
}

const nothing: Plan = { write: undefined, events: [], againInMs: undefined }

/** A life that is not served within this is told to be on its way; the fast ones save a write. */
const patienceMs = 10_000

export const decide = (at: Situation): Plan => {
  const { story, seen } = at
  const { life } = story
  if (life?.releasing) return life.absent && !life.letGo ? endLife(at) : nothing
  if (seen === undefined) return life === undefined ? goneUnseen(at) : nothing
  const wanted = seen.wanted && !seen.deleting && at.served
  if (life === undefined) return wanted ? recordHold(at, seen) : letGoUnborn(at, seen)
  if (!wanted) return nothing
  const told = tell(life, seen, at.now)
  return { ...told, events: [...recordHold(at, seen).events, ...told.events] }
}

/** The append that follows a finalizer patch may be lost in a crash; what is seen makes up for it. */
const recordHold = ({ story }: Situation, seen: SeenForDecision): Plan =>
  seen.held && story.finalizer !== 'added' ? { ...nothing, events: [added(seen)] } : nothing

const added = ({ resourceVersion }: SeenForDecision): DomainEvent =>
  event('FinalizerAdded', { resourceVersion })

// Nothing was made for it; but a life may be about to begin on an older observation, so the allocator
// must have heard first that the Service is leaving.
const letGoUnborn = ({ story, leavingIsKnown }: Situation, seen: SeenForDecision): Plan => {
  if (!seen.held) return nothing
  if (!leavingIsKnown) return { ...nothing, againInMs: 1000 }
  const removed = event('FinalizerRemoved', { objectGone: false })
  return {
    ...nothing,
    write: { kind: 'release', keepFinalizers: false },
    events: story.finalizer === 'added' ? [removed] : [],
  }
}

/** A read may be older than the finalizer; one that is long ago and that nobody carries is off. */
const goneMs = 600_000

/** It went by force, or with its cluster, and nobody said so: who looks for finalizers left would look for ever. */
const goneUnseen = ({ story, now }: Situation): Plan =>
  story.finalizer === 'added' && now - story.finalizerSince >= goneMs
    ? { ...nothing, events: [event('FinalizerRemoved', { objectGone: true })] }
    : nothing

const endLife = ({ seen, served }: Situation): Plan => {
  if (seen === undefined) {
    return { ...nothing, events: [event('FinalizerRemoved', { objectGone: true })] }
  }
  const removed = event('FinalizerRemoved', { objectGone: false })
  const stays = seen.wanted && !seen.deleting && seen.held && served
  return {
    ...nothing,
    write: { kind: 'release', keepFinalizers: stays },
    events: stays ? [removed, added(seen)] : [removed],
  }
}

/** What a life has to say now: an address, a reason why not, or nothing yet. */
const tell = (life: Life, seen: SeenForDecision, now: number): Plan => {
  const { refusal } = life
  // A refusal of a wish that was taken back is over, though no event says so.
  const overtaken =
    refusal !== undefined &&
    refusal.data.intentHash !== seen.intentHash &&
    seen.intentHash === life.intentHash
  const address = life.programmed
  const reason = refusal === undefined || overtaken ? undefined : reasonOf(refusal)
  if (address !== undefined) {
    return tellAddress(life, seen, { address, why: whyNotAsAsked(life, reason), now })
  }
  if (reason !== undefined) {
    return { ...tellReason(life, seen, { reason, degraded: true, now }), againInMs: refreshMs }
  }
  const age = now - life.since
  if (age < patienceMs && seen.ingress.length === 0) return again(patienceMs - age)
  const waiting = failing(life) ?? {
    code: 'Provisioning',
    message: 'the load balancer is being made',
    fix: itself,
  }
  return tellReason(life, seen, { reason: waiting, degraded: life.parked !== undefined, now })
}

const itself = 'it is tried again by itself; weir explain tells what is missing'

const failing = ({ parked }: Life): Reason | undefined =>
  parked && {
    code: 'ProviderFailing',
    message: parked.data.problem.slice(0, 600),
    fix: itself,
  }

interface Why {
  readonly reason: Reason
  /** It does not become as asked by itself. */
  readonly degraded: boolean
}

const becauseOf: Readonly<Record<EventData<'DriverChanged'>['cause'], string>> = {
  'cluster-default': "the cluster's default changed",
  'load-balancer-class': 'its loadBalancerClass did',
  'direct-return': 'nodes of the cluster cannot answer clients themselves',
}

/** What keeps a Service that serves from being as it asks: a refusal, a failure, or a move under way. */
const whyNotAsAsked = (life: Life, refusal: Reason | undefined): Why | undefined => {
  const reason = refusal ?? failing(life)
  if (reason !== undefined) return { reason, degraded: true }
  if (life.moving === undefined) return undefined
  const { from, to, cause } = life.moving
  return {
    reason: {
      code: 'DriverChanging',
      message: `the driver ${to} takes over from ${from}, as ${becauseOf[cause]}; ${from} serves until then`,
      fix: 'wait; a new address, if it gets one, is shown once the new one serves',
    },
    degraded: false,
  }
}

const again = (againInMs: number): Plan => ({ ...nothing, againInMs })

interface Telling {
  readonly address: Programmed
  readonly why: Why | undefined
  readonly now: number
}

const tellAddress = (life: Life, seen: SeenForDecision, { address, why, now }: Telling): Plan => {
  const reason = why?.reason
  const because =
    reason === undefined
      ? { reason: 'Programmed', message: 'traffic is accepted' }
      : { reason: reason.code, message: reasonText(reason) }
  const provisioning = why?.degraded === false
  const is = { serving: true, provisioning, degraded: why?.degraded ?? false }
  const published = {
    ingress: [...address.ingress],
    epoch: address.epoch,
    generation: address.generation,
  }
  const isNew = life.shown?.epoch !== address.epoch || !same(life.shown.ingress, address.ingress)
  const healed = reason === undefined && life.reason !== undefined
  const reasonNews = reason === undefined ? [] : reasonEvents(life, because)
  return {
    ...nothing,
    write: writeUnlessShown(seen, { ingress: address.ingress, is, because, now, reason }),
    events: [...(isNew || healed ? [event('StatusPublished', published)] : []), ...reasonNews],
  }
}

const tellReason = (
  life: Life,
  seen: SeenForDecision,
  { reason, degraded, now }: Why & { readonly now: number },
): Plan => {
  const because = { reason: reason.code, message: reasonText(reason) }
  const is = { serving: false, provisioning: !degraded, degraded }
  return {
    ...nothing,
    write: writeUnlessShown(seen, { ingress: [], is, because, now, reason }),
    events: reasonEvents(life, because),
  }
}

const reasonEvents = (
  { reason: last }: Life,
  now: { readonly reason: string; readonly message: string },
): DomainEvent[] =>
  last?.reason === now.reason && last.message === now.message ? [] : [event('ReasonPublished', now)]

interface Wanted {
  readonly ingress: readonly Ingress[]
  readonly is: Parameters<typeof conditionsOf>[0]
  readonly because: Parameters<typeof conditionsOf>[1]
  readonly reason: Reason | undefined
  readonly now: number
}

const writeUnlessShown = (seen: SeenForDecision, wanted: Wanted): Write | undefined => {
  const { ingress, is, because, reason, now } = wanted
  const conditions = conditionsOf(is, because)
  // Said when all is well too: who looks at the annotation alone must not take silence for an answer.
  const annotation =
    reason === undefined ? `${because.reason}: ${because.message}` : reasonText(reason)
  const shown = same(seen.ingress, ingress)
  if (shown && seen.reason === annotation && alreadySay(seen.conditions, conditions))
    return undefined
  return {
    kind: 'tell',
    ...(shown ? {} : { ingress }),
    conditions: dated(conditions, seen.conditions, now),
    reason: annotation,
  }
}

const same = (a: SeenForDecision['ingress'], b: readonly Ingress[]): boolean =>
  a.length === b.length &&
  a.every((entry, index) => {
    const other = b[index]
    if (other === undefined) return false
    if ('hostname' in other) return 'hostname' in entry && entry.hostname === other.hostname
    return 'ip' in entry && entry.ip === other.ip && entry.ipMode === other.ipMode
  })
