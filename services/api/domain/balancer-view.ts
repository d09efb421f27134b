// What one load balancer looks like to its owner: a fold of its story.
import type {
  EventData,
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
import { outAfterHealth, outAfterOrder, type TargetOut } from './target-health.ts'

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
  /** Targets that take no new flows, since their health says so. */
  readonly out: readonly TargetOut[]
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
  /** Whether the allocator let the wish through; a provider that gives addresses leaves nothing to hold. */
  readonly granted: boolean
  /** The newest incarnation begun, counted over lives and drivers, and the one whose ingress is shown. */
  readonly newest: number
  readonly shown: number
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
export const viewOf = (state: BalancerState): BalancerView => {
  const { end: _end, programmed: _programmed, granted: _granted, ...rest } = state
  const { newest: _newest, shown: _shown, ...seen } = rest
  return { ...seen, status: statusOf(state) }
}

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
    out: [],
    reason: null,
    epoch: 0,
    generation: 0,
    programmed: 0,
    granted: false,
    newest: (before?.newest ?? 0) + 1,
    shown: 0,
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
      return { ...state, intent: event.data.intent, reason: stillMoving(state) }
    case 'FrontendsAllocated': {
      const { leases, frontends } = event.data
      return { ...state, leases, frontends, granted: true, reason: stillMoving(state) }
    }
    case 'DriverChanged':
      return moved(state, event.data)
    case 'ResourceIntended': {
      const { epoch, generation, desired } = event.data
      // A former driver goes on until the newest serves; what it is told is no news of the newest.
      if (epoch !== state.newest) return state
      return { ...orderedAs(state, generation, desired.targets), epoch }
    }
    case 'ResourceProgrammed':
      return programmedAs(state, event.data)
    case 'TargetsChanged': {
      const { epoch, generation, after } = event.data
      return epoch === state.newest ? orderedAs(state, generation, after) : state
    }
    case 'TargetHealthChanged': {
      const isNewest = event.data.epoch === state.newest
      return isNewest ? { ...state, out: outAfterHealth(state.out, event.data) } : state
    }
    case 'ReconcileParked':
      return { ...state, reason: hidden(state) ?? parked(event.data) }
    case 'ReleaseRequested':
      return { ...state, end: 'releasing', reason: null }
    case 'ResourceAbsent':
      return absentAs(state, event.data.epoch)
    case 'FrontendsReleased':
      return { ...state, end: 'released', leases: [], frontends: [], reason: null }
    default:
      return state
  }
}

const orderedAs = (
  state: BalancerState,
  generation: number,
  targets: readonly Target[],
): BalancerState => ({ ...state, generation, targets, out: outAfterOrder(state.out, targets) })

const movingCode = 'DriverChanging'

const moved = (state: BalancerState, { from, to }: EventData<'DriverChanged'>): BalancerState => ({
  ...state,
  driver: to,
  newest: state.newest + 1,
  out: [],
  generation: 0,
  programmed: 0,
  reason: {
    code: movingCode,
    message: `the driver ${to} takes over from ${from}, which serves until then`,
    fix: 'wait; a new address, if it gets one, is shown once the new one serves',
  },
})

/** A refusal says more than a failure; a move says less. */
const hidden = ({ reason }: BalancerState): Reason | null =>
  reason?.code === movingCode ? null : reason

/** A move goes on, whatever else is granted or changed meanwhile. */
const stillMoving = ({ reason }: BalancerState): Reason | null =>
  reason?.code === movingCode ? reason : null

const programmedAs = (
  state: BalancerState,
  data: EventData<'ResourceProgrammed'>,
): BalancerState => {
  const { ingress, generation, epoch } = data
  if (epoch !== state.newest) {
    return epoch < state.shown ? state : { ...state, ingress, shown: epoch }
  }
  const over = [...providerReasons, movingCode].includes(state.reason?.code ?? '')
  const reason = over ? null : state.reason
  return { ...state, ingress, shown: epoch, programmed: generation, reason }
}

/** 0 is the newest that was never made. A former incarnation that goes takes only its own ingress along. */
const absentAs = (state: BalancerState, epoch: number): BalancerState => {
  if (epoch === 0 || epoch === state.newest) {
    return { ...state, ingress: [], targets: [], out: [], reason: null }
  }
  return epoch === state.shown ? { ...state, ingress: [] } : state
}

/** No attempt failed where a provider only takes its time. */
const parked = ({ attempts, problem }: { attempts: number; problem: string }): Reason =>
  attempts === 0
    ? {
        code: 'ReconcileParked',
        message: problem,
        fix: 'it is asked about until it is done; look at the provider',
      }
    : {
        code: 'ReconcileParked',
        message: `${attempts} attempts failed, the last with: ${problem}`,
        fix: 'it is tried again every hour and when the Service changes; look at the driver',
      }

const statusOf = (state: BalancerState): BalancerStatus => {
  const { end, reason, ingress, granted, generation, programmed } = state
  if (end === 'released') return 'Released'
  if (end === 'releasing') return 'Releasing'
  const moving = reason?.code === movingCode
  if (reason !== null && !moving) return ingress.length > 0 ? 'Degraded' : 'Pending'
  if (!granted) return 'Pending'
  if (moving) return 'Programming'
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
