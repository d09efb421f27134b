import {
  resourceKeyOf,
  streamOf,
  type DesiredResource,
  type EventData,
  type RecordedEvent,
  type StreamId,
} from '@weir/contract'
import type { Life, ProvisionState, Wish } from './state.ts'

/** A story folded up to some event, with what the next one needs. */
export interface Folded {
  readonly state: ProvisionState
  /** How many lives the story has seen begin. */
  readonly lives: number
  /** The newest version of each resource stream in the story. */
  readonly versions: Readonly<Record<StreamId, number>>
}

export const nothing: Folded = { state: { status: 'Nothing' }, lives: 0, versions: {} }

/** Folds a Service's whole story, in the order of the log. */
export const foldStory = (story: readonly RecordedEvent[]): Folded => story.reduce(evolve, nothing)

/** The state after one more event. Events of other streams and unknown lives change nothing. */
export const evolve = (before: Folded, event: RecordedEvent): Folded => {
  if (event.type === 'LoadBalancerRequested') return begin(before, event)
  const isResource = event.subject.startsWith('resource-')
  const versions = isResource
    ? { ...before.versions, [event.subject]: event.streamversion }
    : before.versions
  const { state } = before
  if (state.status === 'Nothing') return { ...before, versions }
  if (isResource && event.subject !== state.stream) return { ...before, versions }
  const life = isResource ? { ...state, version: event.streamversion, parked: false } : state
  return { ...before, versions, state: after(life, event) }
}

const begin = (
  before: Folded,
  event: Extract<RecordedEvent, { type: 'LoadBalancerRequested' }>,
): Folded => {
  const { driver, serviceUid, cluster, intent, intentHash } = event.data
  const key = resourceKeyOf(driver, serviceUid)
  const stream = streamOf('resource', key)
  const state: ProvisionState = {
    status: 'Wanted',
    wish: { cluster, service: serviceUid, driver, intent, intentHash, frontends: [] },
    key,
    stream,
    version: before.versions[stream] ?? 0,
    epoch: before.lives + 1,
    generation: 0,
    desired: null,
    refusedHash: null,
    parked: false,
    cause: { eventId: event.id, traceparent: event.traceparent },
  }
  return { ...before, state, lives: before.lives + 1 }
}

type Living = Exclude<ProvisionState, { status: 'Nothing' }>

const after = (life: Living, event: RecordedEvent): ProvisionState => {
  switch (event.type) {
    case 'FrontendsAllocated':
      return wishFor(life, { frontends: event.data.frontends }, event)
    case 'LoadBalancerChanged':
      return wishFor(life, { intent: event.data.intent, intentHash: event.data.intentHash }, event)
    case 'ReleaseRequested':
      return released(life, event)
    case 'ResourceIntended':
      return event.data.epoch === life.epoch ? intended(life, event.data.desired) : life
    case 'ResourceProgrammed':
      return programmed(life, event.data)
    case 'TargetsChanged':
      return targetsChanged(life, event.data)
    case 'ResourceRefused':
      return { ...life, refusedHash: event.data.intentHash }
    case 'ResourceDeleteIntended':
      return event.data.epoch === life.epoch
        ? { ...life, status: 'Removing', released: isReleased(life) }
        : life
    case 'ResourceAbsent':
      return absent(life, event.data.epoch)
    case 'ReconcileParked':
      return { ...life, parked: true }
    default:
      return life
  }
}

const isReleased = (life: Living): boolean => life.status === 'Released' || life.status === 'Absent'

/** A wish that changes while the resource goes changes nothing: the next life asks anew. */
const wishFor = (life: Living, wish: Partial<Wish>, event: RecordedEvent): ProvisionState => {
  const cause = { eventId: event.id, traceparent: event.traceparent }
  return { ...life, wish: { ...life.wish, ...wish }, cause }
}

const released = (life: Living, event: RecordedEvent): ProvisionState => {
  const cause = { eventId: event.id, traceparent: event.traceparent }
  if (life.status === 'Absent') return life
  if (life.status === 'Removing') return { ...life, cause, released: true }
  return { ...life, cause, status: 'Released' }
}

const intended = (life: Living, desired: DesiredResource): ProvisionState => {
  // An intent that raced with the release is a resource to remove, not one to serve.
  const told = { ...life, desired, generation: desired.generation }
  return life.status === 'Released'
    ? { ...told, status: 'Released' }
    : { ...told, status: 'Intended' }
}

const programmed = (life: Living, data: EventData<'ResourceProgrammed'>): ProvisionState => {
  const current = data.epoch === life.epoch && data.generation === life.generation
  return life.status === 'Intended' && current ? { ...life, status: 'Programmed' } : life
}

const targetsChanged = (life: Living, data: EventData<'TargetsChanged'>): ProvisionState => {
  if (data.epoch !== life.epoch || life.desired === null) return life
  return intended(life, { ...life.desired, targets: data.after, generation: data.generation })
}

/**
 * The life is over when its absence is read after its release. Absence of what is still wanted, such
 * as somebody else's delete, leaves it wanted, and its generations go on rising past the tombstone's.
 */
const absent = (life: Living, epoch: number): ProvisionState => {
  if (epoch !== 0 && epoch !== life.epoch) return life
  const gone: Life = { ...life, desired: null }
  if (life.status === 'Released') return { ...gone, status: 'Absent' }
  if (life.status === 'Removing') return { ...gone, status: life.released ? 'Absent' : 'Wanted' }
  return life.status === 'Absent' ? life : { ...gone, status: 'Wanted' }
}
