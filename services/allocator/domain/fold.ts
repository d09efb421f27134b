import type { ClusterId, Frontend, Lease, LoadBalancerIntent, RecordedEvent } from '@weir/contract'
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
  | (Wish & { readonly status: 'Wanted'; readonly refusal: Refusal | undefined })
  | (Wish & Holding & { readonly status: 'Serving'; readonly refusal: Refusal | undefined })
  | (Holding & {
      readonly status: 'Releasing'
      readonly reason: string
      /** The provider's resource was read and is absent. */
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
}

export const initialFacts: BalancerFacts = {
  balancer: { status: 'None' },
  version: 0,
  finalizerFree: true,
  cluster: undefined,
}

const refused = (at: Balancer, refusal: Refusal): Balancer =>
  at.status === 'Wanted' || at.status === 'Serving' ? { ...at, refusal } : at

const held = (at: Balancer): Holding =>
  at.status === 'Serving' || at.status === 'Releasing' ? at : { leases: [], frontends: [] }

const evolveBalancer = (at: Balancer, event: RecordedEvent): Balancer => {
  switch (event.type) {
    case 'LoadBalancerRequested':
      return { ...event.data, status: 'Wanted', refusal: undefined }
    case 'LoadBalancerChanged': {
      if (at.status !== 'Wanted' && at.status !== 'Serving') return at
      return { ...at, intent: event.data.intent, intentHash: event.data.intentHash }
    }
    case 'FrontendsAllocated': {
      if (at.status !== 'Wanted' && at.status !== 'Serving') return at
      const { leases, frontends } = event.data
      const { intent } = at
      return {
        status: 'Serving',
        intent,
        intentHash: intentHash(intent),
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
    case 'ReleaseRequested': {
      const { leases, frontends } = held(at)
      const { reason } = event.data
      return {
        status: 'Releasing',
        leases,
        frontends,
        reason,
        absent: false,
        finalizerRemoved: false,
      }
    }
    case 'ResourceAbsent':
      return at.status === 'Releasing' ? { ...at, absent: true } : at
    case 'FinalizerRemoved':
      return at.status === 'Releasing' ? { ...at, finalizerRemoved: true } : at
    case 'FrontendsReleased':
      return { status: 'None' }
    default:
      return at // events of other services that say nothing about addresses
  }
}

/** Adds one event of the story to what is known. */
export const evolve = (facts: BalancerFacts, event: RecordedEvent): BalancerFacts => ({
  balancer: evolveBalancer(facts.balancer, event),
  version: categoryOf(event.subject) === 'lb' ? event.streamversion : facts.version,
  finalizerFree:
    event.type === 'FinalizerRemoved'
      ? false
      : event.type === 'FinalizerAdded' || facts.finalizerFree,
  cluster: event.type === 'LoadBalancerRequested' ? event.data.cluster : facts.cluster,
})
