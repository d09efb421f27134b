// A Service's story as the incarnations of its resource. The newest is at the driver it has now; those at
// drivers it moved from are kept until their absence is read, each with a state of its own.
import {
  resourceKeyOf,
  streamOf,
  type DesiredResource,
  type EventData,
  type RecordedEvent,
  type StreamId,
} from '@weir/contract'
import { asOrdered, toldAfterOrder, toldOf } from './flows.ts'
import type { Life, Living, ProvisionState, Wish } from './state.ts'
import type { Role } from './step.ts'

/** A story folded up to some event, with what the next one needs. */
export interface Folded {
  /** The newest incarnation. */
  readonly state: ProvisionState
  /** Incarnations at drivers it moved from, oldest first, until they are absent. */
  readonly formers: readonly Living[]
  /** How many incarnations the story has seen begin. */
  readonly epochs: number
  /** The newest epoch whose address the Service's status showed, and the event that says so. */
  readonly shown: { readonly epoch: number; readonly eventId: string } | undefined
  /** The newest version of each resource stream in the story. */
  readonly versions: Readonly<Record<StreamId, number>>
}

export const nothing: Folded = {
  state: { status: 'Nothing' },
  formers: [],
  epochs: 0,
  shown: undefined,
  versions: {},
}

/** Folds a Service's whole story, in the order of the log. */
export const foldStory = (story: readonly RecordedEvent[]): Folded => story.reduce(evolve, nothing)

/** The state after one more event. Events of other streams and unknown lives change nothing. */
export const evolve = (before: Folded, event: RecordedEvent): Folded => {
  const { state } = before
  switch (event.type) {
    case 'LoadBalancerRequested': {
      const { driver, serviceUid: service, cluster, intent, intentHash } = event.data
      const wish = { cluster, service, driver, intent, intentHash, frontends: [], granted: false }
      return { ...begin(before, wish, event), formers: [], shown: undefined }
    }
    case 'DriverChanged': {
      if (state.status === 'Nothing') return before
      const formers = state.status === 'Absent' ? before.formers : [...before.formers, state]
      const wish = { ...state.wish, driver: event.data.to, granted: false }
      return { ...begin(before, wish, event), formers }
    }
    case 'StatusPublished':
      return { ...before, shown: { epoch: event.data.epoch, eventId: event.id } }
    default:
      return event.subject.startsWith('resource-')
        ? evolveResource(before, event)
        : each(before, (living) => after(living, event))
  }
}

/** Applies a change to every incarnation; a former one that is over is forgotten. */
const each = (before: Folded, change: (living: Living) => Living): Folded => {
  const { state } = before
  if (state.status === 'Nothing') return before
  const formers = before.formers.map(change).filter(({ status }) => status !== 'Absent')
  return { ...before, state: change(state), formers }
}

const begin = (before: Folded, wish: Wish, event: RecordedEvent): Folded => {
  const key = resourceKeyOf(wish.driver, wish.service)
  const stream = streamOf('resource', key)
  const epoch = before.epochs + 1
  const state: ProvisionState = {
    status: 'Wanted',
    wish,
    key,
    stream,
    version: before.versions[stream] ?? 0,
    epoch,
    generation: 0,
    desired: null,
    serves: false,
    operation: null,
    discarded: [],
    flows: asOrdered,
    since: event.recordedtime,
    refusedHash: null,
    parked: false,
    cause: { eventId: event.id, traceparent: event.traceparent },
  }
  return { ...before, state, epochs: epoch }
}

/** A stream may hold several incarnations: a driver that was moved from, and back to. */
const evolveResource = (before: Folded, event: RecordedEvent): Folded => {
  const stream = event.subject
  const versions = { ...before.versions, [stream]: event.streamversion }
  const { state, formers } = before
  if (state.status === 'Nothing') return { ...before, versions }
  const meant = epochOf(event, [...formers, state])
  const changed = each(before, (living) => {
    if (living.stream !== stream) return living
    const moved = { ...living, version: event.streamversion }
    if (living.epoch !== meant) return moved
    const next = after({ ...moved, parked: false }, event)
    // Whatever became of it, a former one that is absent has no more to do.
    const over = event.type === 'ResourceAbsent' && living !== state
    return over ? { ...next, status: 'Absent' } : next
  })
  return { ...changed, versions }
}

/** The epoch that an event is about; of one that names none, the newest on its stream. */
const epochOf = (event: RecordedEvent, living: readonly Living[]): number | undefined => {
  const own = living.findLast(({ stream }) => stream === event.subject)?.epoch
  switch (event.type) {
    case 'ResourceAbsent':
      return event.data.epoch === 0 ? own : event.data.epoch
    case 'ResourceIntended':
    case 'OperationStarted':
    case 'ResourceProgrammed':
    case 'TargetsChanged':
    case 'TargetHealthChanged':
    case 'ResourceDrifted':
    case 'ResourceDiscarded':
    case 'ResourceDeleteIntended':
      return event.data.epoch
    default:
      return own
  }
}

/** More than can be under way at once; what is older is gone, or is told once more. */
const mostDiscarded = 16

const after = (life: Living, event: RecordedEvent): Living => {
  switch (event.type) {
    case 'FrontendsAllocated':
      return wishFor(life, { frontends: event.data.frontends, granted: true }, event)
    case 'LoadBalancerChanged':
      return wishFor(life, { intent: event.data.intent, intentHash: event.data.intentHash }, event)
    case 'ReleaseRequested':
      return released(life, event)
    case 'ResourceIntended':
      return intended(life, event.data.desired, event)
    case 'OperationStarted': {
      const { token, what } = event.data
      return { ...life, operation: { token, what, since: event.recordedtime } }
    }
    case 'ResourceProgrammed':
      return programmed(life, event)
    case 'TargetsChanged':
      return targetsChanged(life, event.data, event)
    case 'TargetHealthChanged':
      return { ...life, flows: toldOf(life, event) }
    case 'ResourceDiscarded':
      return { ...life, discarded: [...life.discarded, event.data.ref].slice(-mostDiscarded) }
    case 'ResourceRefused':
      return { ...life, refusedHash: event.data.intentHash }
    case 'ResourceDeleteIntended':
      return removing(life, event)
    case 'ResourceAbsent':
      return absent(life)
    case 'ReconcileParked':
      return { ...life, parked: true }
    default:
      return life
  }
}

/** A wish that changes while the resource goes changes nothing: the next life asks anew. */
const wishFor = (life: Living, wish: Partial<Wish>, event: RecordedEvent): Living => {
  const cause = { eventId: event.id, traceparent: event.traceparent }
  return { ...life, wish: { ...life.wish, ...wish }, cause }
}

const released = (life: Living, event: RecordedEvent): Living => {
  const cause = { eventId: event.id, traceparent: event.traceparent }
  if (life.status === 'Absent') return life
  if (life.status === 'Removing') return { ...life, cause, released: true }
  return { ...life, cause, status: 'Released' }
}

/** Another order begins: whatever was under way belongs to the one before. */
const ordered = (life: Living, event: RecordedEvent): Life => ({
  ...life,
  operation: null,
  since: event.recordedtime,
})

const intended = (life: Living, desired: DesiredResource, event: RecordedEvent): Living => {
  // An intent that raced with the release is a resource to remove, not one to serve.
  const flows = toldAfterOrder(life.flows, desired.targets)
  const told = { ...ordered(life, event), desired, generation: desired.generation, flows }
  return life.status === 'Released'
    ? { ...told, status: 'Released' }
    : { ...told, status: 'Intended' }
}

/** A second order to remove, such as gc's for an orphan that takes its time, takes no release back. */
const removing = (life: Living, event: RecordedEvent): Living => {
  const before = life.status === 'Removing' && life.released
  const released = before || life.status === 'Released' || life.status === 'Absent'
  return { ...ordered(life, event), status: 'Removing', serves: false, released }
}

const programmed = (
  life: Living,
  { data, recordedtime }: Extract<RecordedEvent, { type: 'ResourceProgrammed' }>,
): Living =>
  life.status === 'Intended' && data.generation === life.generation
    ? {
        ...life,
        status: 'Programmed',
        serves: true,
        operation: null,
        since: recordedtime,
        refusedHash: null,
      }
    : life

const targetsChanged = (
  life: Living,
  data: EventData<'TargetsChanged'>,
  event: RecordedEvent,
): Living => {
  if (life.desired === null) return life
  const desired = { ...life.desired, targets: data.after, generation: data.generation }
  return intended(life, desired, event)
}

/**
 * The life is over when its absence is read after its release. Absence of what is still wanted, such
 * as somebody else's delete, leaves it wanted, and its generations go on rising past the tombstone's.
 */
const absent = (life: Living): Living => {
  const gone: Life = { ...life, desired: null, serves: false, operation: null, flows: asOrdered }
  if (life.status === 'Released') return { ...gone, status: 'Absent' }
  if (life.status === 'Removing') return { ...gone, status: life.released ? 'Absent' : 'Wanted' }
  return life.status === 'Absent' ? life : { ...gone, status: 'Wanted' }
}

/** What an incarnation is to its Service now. */
export const roleOf = (folded: Folded, living: Living): Role => {
  const { state, formers, shown } = folded
  if (living === state || state.status === 'Nothing') {
    const kept = formers.some(({ key, status }) => key === living.key && status === 'Removing')
    const shares = formers.some(({ key }) => key === living.key)
    return { role: 'newest', formers: formers.length, kept, shares }
  }
  // Clients were told of the newest address only once the status showed it.
  const isShown = state.serves && shown !== undefined && shown.epoch >= state.epoch
  const serving = isShown ? undefined : formers.findLast(({ serves }) => serves)
  const heir = serving && heirOf(serving, formers)
  if (living === serving || living === heir) {
    const shares = living.key === state.key
    return { role: 'stand-in', shares, still: living !== heir || (shares && state.generation > 0) }
  }
  return { role: 'left-over', evidence: isShown ? shown.eventId : state.cause.eventId }
}

/**
 * Which former one stands in: a later one of its key that was ordered is at its very place, or will be, so that
 * to remove either would take both.
 */
const heirOf = (serving: Living, formers: readonly Living[]): Living | undefined =>
  formers.findLast(
    ({ key, status }) => key === serving.key && (status === 'Intended' || status === 'Programmed'),
  )

/** Every incarnation that is not over, those of former drivers first. */
export const livingOf = ({ state, formers }: Folded): readonly Living[] =>
  state.status === 'Nothing' ? formers : [...formers, state]
