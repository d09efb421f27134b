// What one load balancer looks like to its owner: a fold of its story.
import type {
  Frontend,
  Ingress,
  Lease,
  LoadBalancerIntent,
  Reason,
  RecordedEvent,
  Target,
} from '@weir/contract'
import { isRefusal, reasonOf } from '@weir/contract'
import { assertNever } from '@weir/kernel'

/**
 * Pending: asked for, nothing held. Allocated: addresses are held. Programming: a provider is being told.
 * Ready: the provider confirmed it. Degraded: serves an older wish while the newest is refused.
 * Releasing: on its way out. Released: gone, nothing held.
 */
export const balancerStatuses = [
  'Pending',
  'Allocated',
  'Programming',
  'Ready',
  'Degraded',
  'Releasing',
  'Released',
] as const
export type BalancerStatus = (typeof balancerStatuses)[number]

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
  /** Why it is not as its Service asks, while that stands: a refusal, or a provider that fails. */
  readonly reason: Reason | null
  readonly epoch: number
  readonly generation: number
  /** How often this Service has been a load balancer, 1 for the first time. */
  readonly life: number
  readonly updatedAt: string
}

/** What is folded; its status follows from the rest. */
export interface BalancerState extends Omit<BalancerView, 'status'> {
  readonly end: 'open' | 'releasing' | 'released'
  /** The generation a provider confirmed last, 0 for none. */
  readonly programmed: number
}

/** Adds one event of a Service's story. Undefined until the Service first asked for a load balancer. */
export const evolveBalancer = (
  before: BalancerState | undefined,
  event: RecordedEvent,
): BalancerState | undefined => {
  if (event.type === 'LoadBalancerRequested') return begin(before, event)
  return before && { ...change(before, event), updatedAt: event.recordedtime }
}

/** What the owner sees of a state. */
export const viewOf = ({ end, programmed, ...seen }: BalancerState): BalancerView => ({
  ...seen,
  status: statusOf({ end, programmed, ...seen }),
})

const begin = (
  before: BalancerState | undefined,
  event: Extract<RecordedEvent, { type: 'LoadBalancerRequested' }>,
): BalancerState => {
  const { cluster, serviceUid, namespace, name, driver, intent } = event.data
  return {
    service: serviceUid,
    cluster,
    namespace,
    name,
    driver,
    end: 'open',
    leases: [],
    frontends: [],
    ingress: [],
    intent,
    targets: [],
    reason: null,
    epoch: 0,
    generation: 0,
    programmed: 0,
    life: (before?.life ?? 0) + 1,
    updatedAt: event.recordedtime,
  }
}

/** Reasons of the provisioner, which end when a provider confirms; the allocator's end with its own word. */
const providerReasons: readonly string[] = ['ResourceRefused', 'ReconcileParked']

const change = (state: BalancerState, event: RecordedEvent): BalancerState => {
  if (isRefusal(event)) return { ...state, reason: reasonOf(event) }
  switch (event.type) {
    case 'LoadBalancerChanged':
      return { ...state, intent: event.data.intent, reason: null }
    case 'FrontendsAllocated': {
      const { leases, frontends } = event.data
      return { ...state, leases, frontends, reason: null }
    }
    case 'ResourceIntended': {
      const { epoch, generation, desired } = event.data
      return { ...state, epoch, generation, targets: desired.targets }
    }
    case 'ResourceProgrammed': {
      const { ingress, generation } = event.data
      const over = providerReasons.includes(state.reason?.code ?? '')
      return { ...state, ingress, programmed: generation, reason: over ? null : state.reason }
    }
    case 'TargetsChanged':
      return { ...state, generation: event.data.generation, targets: event.data.after }
    case 'ReconcileParked':
      return { ...state, reason: state.reason ?? parked(event.data) }
    case 'ReleaseRequested':
      return { ...state, end: 'releasing', reason: null }
    case 'ResourceAbsent':
      return { ...state, ingress: [], targets: [], reason: null }
    case 'FrontendsReleased':
      return { ...state, end: 'released', leases: [], frontends: [], reason: null }
    default:
      return state
  }
}

const parked = ({ attempts, problem }: { attempts: number; problem: string }): Reason => ({
  code: 'ReconcileParked',
  message: `${attempts} attempts failed, the last with: ${problem}`,
  fix: 'it is tried again every hour and when the Service changes; look at the driver',
})

const statusOf = (state: BalancerState): BalancerStatus => {
  const { end, reason, ingress, leases, generation, programmed } = state
  if (end === 'released') return 'Released'
  if (end === 'releasing') return 'Releasing'
  if (reason !== null) return ingress.length > 0 ? 'Degraded' : 'Pending'
  if (leases.length === 0) return 'Pending'
  if (generation === 0) return 'Allocated'
  return programmed === generation ? 'Ready' : 'Programming'
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
      return 'serves as it was before; what it asks for now is not met'
    case 'Releasing':
      return 'is being removed'
    case 'Released':
      return 'is gone; nothing is held'
    default:
      return assertNever(status)
  }
}
