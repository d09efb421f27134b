import type {
  ClusterId,
  DriverName,
  EventData,
  Frontend,
  Lease,
  LoadBalancerIntent,
  RecordedEvent,
} from '@weir/contract'
import { categoryOf, intentHash } from '@weir/contract'
import { same } from './frontends.ts'

/** A refusal by name, and the wish it answered. */
export interface Refusal {
  readonly type: RecordedEvent['type']
  readonly intentHash: string
  /** When it said that an address comes free, milliseconds since the epoch. */
  readonly promisedAt: number | null
}

interface Wish {
  readonly intent: LoadBalancerIntent
  readonly intentHash: string
}

/** Who makes the resource now, and who made it before. */
interface Making {
  readonly driver: DriverName
  /** The number of the newest incarnation, counted over all lives. */
  readonly epoch: number
  /** Epochs of this life at drivers it moved from, which may still be at a provider. */
  readonly formers: readonly number[]
}

interface Holding {
  readonly leases: readonly Lease[]
  readonly frontends: readonly Frontend[]
  /** A resource was intended with what was held then. */
  readonly made: boolean
  /** Addresses of before, which the resource may still use. */
  readonly leaving: readonly Lease[]
  /** Frontends of before on shared addresses, likewise. */
  readonly closing: readonly Frontend[]
  /** The first generation without any of those; null while there is none. */
  readonly clearFrom: number | null
  /** The addresses that its Service was last said to show. */
  readonly shown: readonly string[]
  /** That generation or a later one serves, and is shown, so that they can go. */
  readonly vacant: boolean
}

/**
 * Where one load balancer is in its life:
 * None -> Wanted -> Serving -> Releasing -> None. A refusal leaves it where it was and is remembered,
 * so that the same answer to the same wish is given once.
 */
export type Balancer =
  | { readonly status: 'None' }
  | (Wish & Making & { readonly status: 'Wanted'; readonly refusal: Refusal | undefined })
  | (Wish &
      Making &
      Holding & { readonly status: 'Serving'; readonly refusal: Refusal | undefined })
  | (Holding & {
      readonly status: 'Releasing'
      readonly epoch: number
      readonly reason: string
      /** The provider's resource was read and is absent, after those of drivers it moved from. */
      readonly absent: boolean
      /** The watcher took our finalizer off, or found the object gone. */
      readonly finalizerRemoved: boolean
    })

type Serving = Extract<Balancer, { status: 'Serving' }>

export interface BalancerFacts {
  readonly balancer: Balancer
  /** Version of the lb stream, for the append. */
  readonly version: number
  /** False after a FinalizerRemoved that no FinalizerAdded followed: no new life may begin then. */
  readonly finalizerFree: boolean
  /** Where the newest life began. */
  readonly cluster: ClusterId | undefined
  /** Incarnations begun in all lives. */
  readonly epochs: number
}

export const initialFacts: BalancerFacts = {
  balancer: { status: 'None' },
  version: 0,
  finalizerFree: true,
  cluster: undefined,
  epochs: 0,
}

const refused = (at: Balancer, refusal: Refusal): Balancer =>
  at.status === 'Wanted' || at.status === 'Serving' ? { ...at, refusal } : at

const noneLeaving = { leaving: [], closing: [], clearFrom: null, vacant: false } as const

const held = (at: Balancer): Holding =>
  at.status === 'Serving' || at.status === 'Releasing'
    ? at
    : { leases: [], frontends: [], made: false, shown: [], ...noneLeaving }

/** What of an order of the newest incarnation shows that what was held before is out of use. */
const clearing = (at: Balancer, event: RecordedEvent): Balancer => {
  if (at.status !== 'Serving') return at
  switch (event.type) {
    case 'ResourceIntended':
      return intended(at, event.data)
    case 'FrontendsVacated':
      return { ...at, ...noneLeaving }
    case 'StatusPublished': {
      const shown = event.data.ingress.flatMap((entry) => ('ip' in entry ? [entry.ip] : []))
      return { ...at, shown, vacant: at.vacant || isClear(at, event.data) }
    }
    case 'ResourceProgrammed': {
      // A status that shows the same as before is not published again.
      const isShown = at.leaving.some(({ ip }) => at.shown.includes(ip))
      const mayShow = at.leaving.length > 0 && (at.shown.length === 0 || isShown)
      return { ...at, vacant: at.vacant || (!mayShow && isClear(at, event.data)) }
    }
    default:
      return at
  }
}

const intended = (at: Serving, { epoch, generation, desired }: EventData<'ResourceIntended'>) => {
  const none = at.leaving.length + at.closing.length === 0 || epoch !== at.epoch
  const used = desired.frontends.some(
    (each) =>
      at.leaving.some(({ ip }) => ip === each.ip) || at.closing.some((old) => same(old, each)),
  )
  const clearFrom = none || used ? null : (at.clearFrom ?? generation)
  return { ...at, made: true, clearFrom }
}

const isClear = (
  at: Serving,
  { epoch, generation }: { readonly epoch: number; readonly generation: number },
): boolean => at.clearFrom !== null && epoch === at.epoch && generation >= at.clearFrom

const moved = (at: Balancer, to: DriverName, epoch: number): Balancer =>
  at.status === 'Wanted' || at.status === 'Serving'
    ? { ...at, driver: to, epoch, formers: [...at.formers, at.epoch] }
    : at

/** The newest incarnation is the last to go; 0 stands for it when it was never made. */
const absent = (at: Balancer, { epoch }: EventData<'ResourceAbsent'>): Balancer => {
  switch (at.status) {
    case 'Wanted':
    case 'Serving':
      return { ...at, formers: at.formers.filter((former) => former !== epoch) }
    case 'Releasing':
      return epoch === 0 || epoch === at.epoch ? { ...at, absent: true } : at
    case 'None':
      return at
  }
}

const releasing = (at: Balancer, reason: string, epoch: number): Balancer => {
  const { leases, frontends, made, leaving, closing, clearFrom, shown, vacant } = held(at)
  const holding = { leases, frontends, made, leaving, closing, clearFrom, shown, vacant }
  return { status: 'Releasing', epoch, ...holding, reason, absent: false, finalizerRemoved: false }
}

const allocated = (
  at: Balancer,
  { leases, frontends, leaving = [], closing = [] }: EventData<'FrontendsAllocated'>,
): Balancer => {
  if (at.status !== 'Wanted' && at.status !== 'Serving') return at
  const { made, shown } = held(at)
  return {
    ...at,
    status: 'Serving',
    intentHash: intentHash(at.intent),
    leases,
    frontends,
    made,
    shown,
    leaving,
    closing,
    clearFrom: null,
    vacant: false,
    refusal: undefined,
  }
}

const evolveBalancer = (at: Balancer, event: RecordedEvent, epoch: number): Balancer => {
  switch (event.type) {
    case 'LoadBalancerRequested': {
      const { driver, intent, intentHash } = event.data
      const wish = { intent, intentHash, driver, epoch, formers: [] }
      return { ...wish, status: 'Wanted', refusal: undefined }
    }
    case 'DriverChanged':
      return moved(at, event.data.to, epoch)
    case 'LoadBalancerChanged': {
      if (at.status !== 'Wanted' && at.status !== 'Serving') return at
      return { ...at, intent: event.data.intent, intentHash: event.data.intentHash }
    }
    case 'FrontendsAllocated':
      return allocated(at, event.data)
    case 'PoolExhausted': {
      const { intentHash: hash, nextFreeAt } = event.data
      const promisedAt = nextFreeAt === null ? null : Date.parse(nextFreeAt)
      return refused(at, { type: event.type, intentHash: hash, promisedAt })
    }
    case 'PoolMissing':
    case 'AddressNotInPool':
    case 'AddressTaken':
    case 'FrontendTaken':
    case 'ProtocolUnsupported':
    case 'FamilyUnsupported':
    case 'IntentInvalid':
      return refused(at, {
        type: event.type,
        intentHash: event.data.intentHash,
        promisedAt: null,
      })
    case 'ReleaseRequested':
      return releasing(at, event.data.reason, epoch)
    case 'ResourceAbsent':
      return absent(at, event.data)
    case 'FinalizerRemoved':
      return at.status === 'Releasing' ? { ...at, finalizerRemoved: true } : at
    case 'FrontendsReleased':
      return { status: 'None' }
    default:
      return clearing(at, event)
  }
}

/** Adds one event of the story to what is known. */
export const evolve = (facts: BalancerFacts, event: RecordedEvent): BalancerFacts => {
  const begins = event.type === 'LoadBalancerRequested' || event.type === 'DriverChanged'
  const epochs = facts.epochs + (begins ? 1 : 0)
  return {
    ...evolveFacts(facts, event),
    epochs,
    balancer: evolveBalancer(facts.balancer, event, epochs),
  }
}

const evolveFacts = (
  facts: BalancerFacts,
  event: RecordedEvent,
): Pick<BalancerFacts, 'version' | 'finalizerFree' | 'cluster'> => ({
  version: categoryOf(event.subject) === 'lb' ? event.streamversion : facts.version,
  finalizerFree:
    event.type === 'FinalizerRemoved'
      ? false
      : event.type === 'FinalizerAdded' || facts.finalizerFree,
  cluster: event.type === 'LoadBalancerRequested' ? event.data.cluster : facts.cluster,
})
