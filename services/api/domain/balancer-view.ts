// What one load balancer looks like to its owner: a fold of its story, with the time of each step.
import type {
  DomainEvent,
  Frontend,
  Ingress,
  Lease,
  LoadBalancerIntent,
  RecordedEvent,
  Target,
} from '@weir/contract'
import { assertNever } from '@weir/kernel'

/**
 * Pending: asked for, nothing held. Allocated: addresses are held. Programming: a provider is being told.
 * Ready: the provider confirmed it. Degraded: serves an older wish while the newest is refused.
 * Releasing: on its way out. Released: gone, nothing held.
 */
export type BalancerStatus =
  | 'Pending'
  | 'Allocated'
  | 'Programming'
  | 'Ready'
  | 'Degraded'
  | 'Releasing'
  | 'Released'

/** One step of the life: when it happened and which event says so. */
export interface Stage {
  readonly stage: string
  readonly at: string
  readonly sequence: number
}

export interface BalancerView {
  readonly service: string
  readonly cluster: string
  readonly namespace: string
  readonly name: string
  readonly driver: string
  readonly status: BalancerStatus
  readonly leases: readonly Lease[]
  readonly frontends: readonly Frontend[]
  readonly ingress: readonly Ingress[]
  readonly intent: LoadBalancerIntent
  readonly targets: readonly Target[]
  /** The newest refusal that still stands. */
  readonly refusal: DomainEvent | null
  readonly epoch: number
  readonly generation: number
  /** How often this Service has been a load balancer, 1 for the first time. */
  readonly life: number
  /** The steps of the current life, in order. */
  readonly stages: readonly Stage[]
  readonly updatedAt: string
}

const stageNames: Readonly<Partial<Record<RecordedEvent['type'], string>>> = {
  LoadBalancerRequested: 'requested',
  FinalizerAdded: 'finalizer added',
  FrontendsAllocated: 'allocated',
  LoadBalancerChanged: 'changed',
  ResourceIntended: 'resource intended',
  ResourceProgrammed: 'programmed',
  TargetsChanged: 'targets changed',
  ResourceDrifted: 'drifted',
  StatusPublished: 'status published',
  ReleaseRequested: 'release requested',
  ResourceDeleteIntended: 'delete intended',
  ResourceAbsent: 'absent',
  FinalizerRemoved: 'finalizer removed',
  FrontendsReleased: 'released',
  PoolMissing: 'refused',
  PoolExhausted: 'refused',
  AddressNotInPool: 'refused',
  AddressTaken: 'refused',
  ProtocolUnsupported: 'refused',
  FamilyUnsupported: 'refused',
  IntentInvalid: 'refused',
  ResourceRefused: 'refused',
  ReconcileParked: 'parked',
}

/** Stages kept per life; a long life keeps its first and its newest. */
const stagesMax = 200

/** The name of the step that an event stands for; undefined for events that are no step of a Service. */
export const stageOf = (event: RecordedEvent): string | undefined => stageNames[event.type]

/** Adds one event of a Service's story. Undefined until the Service first asked for a load balancer. */
export const evolveBalancer = (
  before: BalancerView | undefined,
  event: RecordedEvent,
): BalancerView | undefined => {
  const view = event.type === 'LoadBalancerRequested' ? begin(before, event) : before
  if (!view) return undefined
  const stage = stageOf(event)
  if (stage === undefined) return view
  const kept = view.stages.length < stagesMax ? view.stages : view.stages.toSpliced(1, 1)
  return {
    ...change(view, event),
    stages: [...kept, { stage, at: event.recordedtime, sequence: event.sequence }],
    updatedAt: event.recordedtime,
  }
}

const begin = (
  before: BalancerView | undefined,
  event: Extract<RecordedEvent, { type: 'LoadBalancerRequested' }>,
): BalancerView => {
  const { cluster, serviceUid, namespace, name, driver, intent } = event.data
  return {
    service: serviceUid,
    cluster,
    namespace,
    name,
    driver,
    status: 'Pending',
    leases: [],
    frontends: [],
    ingress: [],
    intent,
    targets: [],
    refusal: null,
    epoch: 0,
    generation: 0,
    life: (before?.life ?? 0) + 1,
    stages: before && before.status !== 'Released' ? before.stages : [],
    updatedAt: event.recordedtime,
  }
}

const refusedStatus = (view: BalancerView): BalancerStatus =>
  view.ingress.length > 0 ? 'Degraded' : 'Pending'

const change = (view: BalancerView, event: RecordedEvent): BalancerView => {
  switch (event.type) {
    case 'LoadBalancerChanged':
      return { ...view, intent: event.data.intent, refusal: null }
    case 'FrontendsAllocated': {
      const { leases, frontends } = event.data
      const status = view.ingress.length > 0 ? 'Programming' : 'Allocated'
      return { ...view, leases, frontends, refusal: null, status }
    }
    case 'PoolMissing':
    case 'PoolExhausted':
    case 'AddressNotInPool':
    case 'AddressTaken':
    case 'ProtocolUnsupported':
    case 'FamilyUnsupported':
    case 'IntentInvalid':
    case 'ResourceRefused':
      return { ...view, refusal: event, status: refusedStatus(view) }
    case 'ResourceIntended': {
      const { epoch, generation, desired } = event.data
      return { ...view, epoch, generation, targets: desired.targets, status: 'Programming' }
    }
    case 'ResourceProgrammed':
      return { ...view, ingress: event.data.ingress, status: 'Ready', refusal: null }
    case 'TargetsChanged':
      return { ...view, generation: event.data.generation, targets: event.data.after }
    case 'ReleaseRequested':
      return { ...view, status: 'Releasing', refusal: null }
    case 'ResourceAbsent':
      return { ...view, ingress: [], targets: [] }
    case 'FrontendsReleased':
      return { ...view, status: 'Released', leases: [], frontends: [] }
    default:
      return view
  }
}

/** A word for people about a status; every status has one. */
export const statusText = (status: BalancerStatus): string => {
  switch (status) {
    case 'Pending':
      return 'waits for an address'
    case 'Allocated':
      return 'has an address; its resource is not intended yet'
    case 'Programming':
      return 'is being programmed'
    case 'Ready':
      return 'serves'
    case 'Degraded':
      return 'serves an older wish; the newest one is refused'
    case 'Releasing':
      return 'is being removed'
    case 'Released':
      return 'is gone; nothing is held'
    default:
      return assertNever(status)
  }
}
