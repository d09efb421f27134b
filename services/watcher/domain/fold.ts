// What a Service's story says that matters to what we write on it.
//
//   LoadBalancerRequested ─ a life begins, and an epoch   refusals come and are overtaken
//   DriverChanged         ─ another epoch begins          what an earlier one serves is still shown
//   ResourceProgrammed    ─ its address may be shown, unless a later epoch's is
//   ReleaseRequested      ─ it must go                    ResourceAbsent of the newest epoch, which is
//                           told last: now our marks may be taken off
//   FrontendsReleased     ─ the life is over; what comes later belongs to the next one
import {
  isRefusal,
  type ClusterId,
  type EventData,
  type Ingress,
  type RecordedEvent,
  type RefusalEvent,
} from '@weir/contract'

export type RecordedRefusal = Extract<RecordedEvent, { type: RefusalEvent['type'] }>

/** Where the Service is, from the newest request for it. */
export interface Home {
  readonly cluster: ClusterId
  readonly namespace: string
  readonly name: string
}

export interface Programmed {
  readonly epoch: number
  readonly generation: number
  readonly ingress: readonly Ingress[]
}

/** One life of a Service as a load balancer. */
export interface Life {
  /** When it began, milliseconds since the epoch. */
  readonly since: number
  /** The hash of the wish that was last accepted or asked for first. */
  readonly intentHash: string
  readonly refusal: RecordedRefusal | undefined
  /** The provider failed too often, or takes too long; undefined once it is as intended. */
  readonly parked: Extract<RecordedEvent, { type: 'ReconcileParked' }> | undefined
  /** The newest incarnation begun: the first of this life, or the one at the driver moved to. */
  readonly epoch: number
  /** Another driver is to serve and does not yet. */
  readonly moving: EventData<'DriverChanged'> | undefined
  readonly programmed: Programmed | undefined
  readonly releasing: boolean
  readonly absent: boolean
  /** FinalizerRemoved was recorded for this life's end. */
  readonly letGo: boolean
  /** What we told last about the address, and about a reason. */
  readonly shown: Programmed | undefined
  readonly reason: { readonly reason: string; readonly message: string } | undefined
  /** Every event of the life, for what Kubernetes Events tell. */
  readonly events: readonly RecordedEvent[]
}

export interface Story {
  readonly home: Home | undefined
  /** Version of the stream `status-<uid>`. */
  readonly version: number
  readonly finalizer: 'never' | 'added' | 'removed'
  /** When that was said last, milliseconds since the epoch; 0 if never. */
  readonly finalizerSince: number
  /** Incarnations begun in all lives. */
  readonly epochs: number
  readonly life: Life | undefined
}

const unborn: Story = {
  home: undefined,
  version: 0,
  finalizer: 'never',
  finalizerSince: 0,
  epochs: 0,
  life: undefined,
}

/** Folds a story, given in sequence order. */
export const foldStory = (events: readonly RecordedEvent[]): Story => events.reduce(evolve, unborn)

const evolve = (story: Story, event: RecordedEvent): Story => {
  const { life } = story
  const next: Story = {
    ...story,
    version: event.subject.startsWith('status-') ? event.streamversion : story.version,
    life: life && { ...evolveLife(life, event), events: [...life.events, event] },
  }
  switch (event.type) {
    case 'LoadBalancerRequested': {
      const { cluster, namespace, name } = event.data
      const epochs = story.epochs + 1
      return { ...next, home: { cluster, namespace, name }, epochs, life: born(event, epochs) }
    }
    case 'DriverChanged':
      return life === undefined ? next : { ...next, epochs: story.epochs + 1 }
    case 'FrontendsReleased':
      return { ...next, life: undefined }
    case 'FinalizerAdded':
      return { ...next, finalizer: 'added', finalizerSince: Date.parse(event.time) }
    case 'FinalizerRemoved':
      return { ...next, finalizer: 'removed', finalizerSince: Date.parse(event.time) }
    default:
      return next
  }
}

const born = (
  event: Extract<RecordedEvent, { type: 'LoadBalancerRequested' }>,
  epoch: number,
): Life => ({
  since: Date.parse(event.time),
  intentHash: event.data.intentHash,
  refusal: undefined,
  parked: undefined,
  epoch,
  moving: undefined,
  programmed: undefined,
  releasing: false,
  absent: false,
  letGo: false,
  shown: undefined,
  reason: undefined,
  events: [event],
})

const evolveLife = (life: Life, event: RecordedEvent): Life => {
  if (isRefusal(event)) return { ...life, refusal: event }
  switch (event.type) {
    case 'FrontendsAllocated':
      return { ...life, refusal: undefined }
    case 'LoadBalancerChanged':
      return { ...life, refusal: undefined, intentHash: event.data.intentHash }
    case 'DriverChanged':
      return { ...life, refusal: undefined, epoch: life.epoch + 1, moving: event.data }
    case 'ResourceProgrammed':
      return programmedAs(life, event.data)
    case 'ReconcileParked':
      return { ...life, parked: event }
    case 'ReleaseRequested':
      return { ...life, releasing: true, refusal: undefined, parked: undefined }
    case 'ResourceAbsent':
      return absentAs(life, event.data)
    case 'FinalizerRemoved':
      return life.releasing ? { ...life, letGo: true } : life
    case 'StatusPublished':
      return { ...life, shown: event.data, reason: undefined }
    case 'ReasonPublished':
      return { ...life, reason: event.data }
    default:
      return life
  }
}

/** A resource of a driver says nothing about a refusal, or a failure, of another driver. */
const programmedAs = (life: Life, data: EventData<'ResourceProgrammed'>): Life => {
  const { key, epoch, generation, ingress } = data
  const { refusal, parked, moving, programmed } = life
  const met = refusal?.type === 'ResourceRefused' && refusal.data.key === key
  return {
    ...life,
    refusal: met ? undefined : refusal,
    parked: parked?.data.key === key ? undefined : parked,
    moving: epoch === life.epoch ? undefined : moving,
    programmed:
      programmed !== undefined && programmed.epoch > epoch
        ? programmed
        : { epoch, generation, ingress },
  }
}

/** The last of several incarnations to go is the newest; 0 stands for it when it was never made. */
const absentAs = (life: Life, { key, epoch }: EventData<'ResourceAbsent'>): Life => {
  const newest = epoch === 0 || epoch === life.epoch
  if (life.releasing) return newest ? { ...life, absent: true } : life
  return {
    ...life,
    parked: life.parked?.data.key === key ? undefined : life.parked,
    programmed: life.programmed?.epoch === epoch ? undefined : life.programmed,
  }
}
