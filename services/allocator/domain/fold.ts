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

const held = (at: Balancer): Holding =>
  at.status === 'Serving' || at.status === 'Releasing' ? at : { leases: [], frontends: [] }

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
  const { leases, frontends } = held(at)
  const open = { absent: false, finalizerRemoved: false }
  return { status: 'Releasing', epoch, leases, frontends, reason, ...open }
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
    case 'FrontendsAllocated': {
      if (at.status !== 'Wanted' && at.status !== 'Serving') return at
      const { leases, frontends } = event.data
      const hash = intentHash(at.intent)
      return {
        ...at,
        status: 'Serving',
        intentHash: hash,
        leases,
        frontends,
        refusal: undefined,
      }
    }
    case 'PoolExhausted': {
      const { intentHash: hash, nextFreeAt } = event.data
      const promisedAt = nextFreeAt === null ? null : Date.parse(nextFreeAt)
      return refused(at, { type: event.type, intentHash: hash, promisedAt })
    }
    case 'PoolMissing':
    case 'AddressNotInPool':
    case 'AddressTaken':
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
      return at // events of other services that say nothing about addresses
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
