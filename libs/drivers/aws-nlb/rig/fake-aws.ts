import type { Clock } from '@weir/kernel'
import { createBudget, type Budget, type Rate } from '../../budget.ts'
import { changing, reading, versions, type Service } from './actions.ts'
import { AwsRefusal, type Answer, type Params } from './query.ts'
import {
  defaultBehaviour,
  emptyState,
  letTimePass,
  type Behaviour,
  type Premises,
  type Scene,
  type State,
} from './world.ts'

/** What a call of the driver's meets instead of AWS at its best. */
export interface Fault {
  /** Only calls of this action; any that changes something when left out. */
  readonly action?: string
  readonly kind:
    /** The connection breaks; nothing happened. */
    | 'before'
    /** It happened, and the connection breaks before the answer. */
    | 'after'
    /** `Throttling`. */
    | 'throttle'
    /** It happened; the answer is no XML. */
    | 'garbage'
    /** Refused with `code`. */
    | 'refuse'
  readonly code?: string
}

export interface JournalEntry {
  readonly at: number
  readonly service: Service
  readonly action: string
  readonly params: Params
}

/** One accepted call, or the fault that its answer meets. */
export type Said =
  | {
      readonly kind: 'answer'
      readonly service: Service
      readonly action: string
      readonly answer: Answer
    }
  | { readonly kind: 'broken' }
  | { readonly kind: 'garbage' }

/** An AWS account in memory, as strict as the real one about what weir does there. */
export interface FakeAws {
  readonly premises: Premises
  readonly behaviour: Behaviour
  /** The world as it is, past every lag. */
  readonly state: State
  /** Calls that changed something, oldest first. */
  readonly journal: readonly JournalEntry[]
  /** Every call that came, by action. */
  readonly calls: ReadonlyMap<string, number>
  now(): number
  /** Turns the fake's clock. */
  advance(ms: number): void
  /** Replaces what the next calls meet; each fault meets one call. */
  meet(faults: readonly Fault[]): void
  /** Bounds the account's rate from now on; null for no bound. */
  throttle(rates: { readonly read: Rate; readonly write: Rate } | null): void
  /** The next load balancer can't be set up. */
  failNextBalancer(): void
  /** From now on reads show the world as it is now, until thawed. */
  freezeReads(frozen: boolean): void
  /** @throws AwsRefusal when AWS would refuse the call */
  call(params: Params, accessKeyId: string): Said
}

export const defaultPremises = (): Premises => ({
  account: '123456789012',
  region: 'eu-central-1',
  vpcId: 'vpc-0fa4e000000000001',
  subnets: new Map([
    ['subnet-0fa4e000000000001', 'eu-central-1a'],
    ['subnet-0fa4e000000000002', 'eu-central-1b'],
  ]),
  instances: new Map(),
  unhealthy: new Set(),
})

/** Keys that start so are refused, for tests of credentials. */
const refusedKey = /^AKIAREFUSED/
/** Who signs with this key reads the world as it is, past every lag and bound. */
export const truthKey = 'AKIATRUTH'

export const createFakeAws = (clock: Pick<Clock, 'now'>): FakeAws => {
  const behaviour = defaultBehaviour()
  const premises = defaultPremises()
  const state = emptyState()
  const journal: JournalEntry[] = []
  const calls = new Map<string, number>()
  let past: { readonly until: number; readonly state: State }[] = []
  let faults: readonly Fault[] = []
  let budget: Budget | null = null
  let skipped = 0
  let made = 0
  let failing = false
  let frozen: State | null = null

  const now = (): number => clock.now() + skipped
  const sceneOf = (seen: State): Scene => {
    letTimePass(seen, now())
    return {
      state: seen,
      now: now(),
      behaviour,
      premises,
      fresh: (length) => (made += 1).toString(16).padStart(length, '0'),
      nextFails: () => {
        const fails = failing
        failing = false
        return fails
      },
    }
  }
  const asItWas = (): State => {
    const at = now() - behaviour.readLagMs
    past = past.filter(({ until }) => until > at)
    return frozen ?? past[0]?.state ?? state
  }
  const takeFault = (action: string, changes: boolean): Fault | undefined => {
    const hit = faults.find((fault) => (fault.action ?? (changes ? action : '')) === action)
    faults = faults.filter((fault) => fault !== hit)
    return hit
  }
  const change = (service: Service, action: string, params: Params): Answer => {
    if (behaviour.readLagMs > 0) past.push({ until: now(), state: structuredClone(state) })
    const run = changing[service][action]
    if (run === undefined) throw new AwsRefusal('InvalidAction', `no action ${action}`)
    const before = sizeOf(state)
    const answer = run(sceneOf(state), params)
    // AWS answers a delete of what is gone as it did the first time.
    if (action.startsWith('Delete') && sizeOf(state) === before) return answer
    journal.push({ at: now(), service, action, params })
    return answer
  }

  return {
    premises,
    behaviour,
    state,
    journal,
    calls,
    now,
    advance: (ms) => (skipped += ms),
    meet: (next) => (faults = next),
    throttle: (rates) =>
      (budget = rates === null ? null : createBudget({ clock: { now }, ...rates })),
    failNextBalancer: () => (failing = true),
    freezeReads: (freeze) => (frozen = freeze ? structuredClone(state) : null),
    call: (params, accessKeyId) => {
      const { service, action } = nameOf(params)
      calls.set(action, (calls.get(action) ?? 0) + 1)
      checkCaller(service, accessKeyId)
      const changes = changing[service][action] !== undefined
      const run = reading[service][action]
      if (!changes && run === undefined) {
        throw new AwsRefusal('InvalidAction', `Could not find operation ${action}`)
      }
      const truth = accessKeyId === truthKey
      const fault = truth ? undefined : takeFault(action, changes)
      const free = truth || (budget?.ask('everybody', changes ? 'write' : 'read').granted ?? true)
      if (fault?.kind === 'throttle' || !free) throw throttled(service)
      if (fault?.kind === 'before') return { kind: 'broken' }
      if (fault?.kind === 'refuse') throw new AwsRefusal(fault.code ?? 'ValidationError', 'as told')
      const answer =
        run === undefined
          ? change(service, action, params)
          : run(sceneOf(truth ? state : asItWas()), params)
      if (fault?.kind === 'after') return { kind: 'broken' }
      if (fault?.kind === 'garbage') return { kind: 'garbage' }
      return { kind: 'answer', service, action, answer }
    },
  }
}

const nameOf = ({ Action, Version }: Params): { service: Service; action: string } => {
  const service = typeof Version === 'string' ? versions[Version] : undefined
  if (service === undefined || typeof Action !== 'string') {
    throw new AwsRefusal('InvalidAction', 'no Action, or no Version of a service here')
  }
  return { service, action: Action }
}

const checkCaller = (service: Service, accessKeyId: string): void => {
  if (accessKeyId !== '' && !refusedKey.test(accessKeyId)) return
  throw service === 'ec2'
    ? new AwsRefusal('AuthFailure', 'AWS was not able to validate the credentials', 401)
    : new AwsRefusal('InvalidClientTokenId', 'The security token in the request is invalid', 403)
}

const throttled = (service: Service): AwsRefusal =>
  service === 'ec2'
    ? new AwsRefusal('RequestLimitExceeded', 'Request limit exceeded.', 503)
    : new AwsRefusal('Throttling', 'Rate exceeded')

const sizeOf = ({ balancers, listeners, groups, securityGroups }: State): number =>
  balancers.size + listeners.size + groups.size + securityGroups.size
