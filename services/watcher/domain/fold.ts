// What a Service's story says that matters to what we write on it.
//
//   LoadBalancerRequested ─ a life begins      refusals come and are overtaken
//   ResourceIntended      ─ the epoch          ResourceProgrammed of it: an address may be shown
//   ReleaseRequested      ─ it must go         ResourceAbsent: now our marks may be taken off
//   FrontendsReleased     ─ the life is over; what comes later belongs to the next one
import {
  isRefusal,
  type ClusterId,
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
  /** The provider failed too often; undefined once it is as intended. */
  readonly parked: Extract<RecordedEvent, { type: 'ReconcileParked' }> | undefined
  readonly epoch: number
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
  readonly life: Life | undefined
}

const unborn: Story = { home: undefined, version: 0, finalizer: 'never', life: undefined }

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
      return { ...next, home: { cluster, namespace, name }, life: born(event) }
    }
    case 'FrontendsReleased':
      return { ...next, life: undefined }
    case 'FinalizerAdded':
      return { ...next, finalizer: 'added' }
    case 'FinalizerRemoved':
      return { ...next, finalizer: 'removed' }
    default:
      return next
  }
}

const born = (event: Extract<RecordedEvent, { type: 'LoadBalancerRequested' }>): Life => ({
  since: Date.parse(event.time),
  intentHash: event.data.intentHash,
  refusal: undefined,
  parked: undefined,
  epoch: 0,
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
    case 'ResourceIntended':
      return { ...life, epoch: event.data.epoch }
    case 'ResourceProgrammed': {
      const { epoch, generation, ingress } = event.data
      const refusal = life.refusal?.type === 'ResourceRefused' ? undefined : life.refusal
      return { ...life, refusal, parked: undefined, programmed: { epoch, generation, ingress } }
    }
    case 'ReconcileParked':
      return { ...life, parked: event }
    case 'ReleaseRequested':
      return { ...life, releasing: true, refusal: undefined, parked: undefined }
    case 'ResourceAbsent':
      return life.releasing ? { ...life, absent: true } : { ...life, programmed: undefined }
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

/** The address that may be shown: confirmed, and of the incarnation that is wanted now. */
export const showable = ({ programmed, epoch }: Life): Programmed | undefined =>
  programmed?.epoch === epoch ? programmed : undefined
