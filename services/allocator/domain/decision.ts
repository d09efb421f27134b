// What a decision of the allocator is made from, and what it comes to.
import type {
  DomainEvent,
  DriverName,
  Frontend,
  IpAddress,
  Pool,
  ServiceObservation,
  SharingGroup,
} from '@weir/contract'
import type { AddressIndex } from './address-index.ts'
import type { DefaultDriver, Drivers } from './drivers.ts'
import type { BalancerFacts } from './fold.ts'
import type { Sharing } from './sharing.ts'

export interface Situation {
  readonly facts: BalancerFacts
  readonly seen: ServiceObservation
  /** For a Service that names no driver: the cluster's default, or what stands in for it. */
  readonly driver: DriverName
  /** Why it is that one; missing where it is the cluster's default. */
  readonly because?: DefaultDriver['because']
  readonly drivers: Drivers
  readonly pools: readonly Pool[]
  readonly index: AddressIndex
  /** The groups that it shares addresses with, or asks to. */
  readonly groups: ReadonlyMap<SharingGroup, Sharing>
  /** The cluster is no longer served: everything of it must go, whatever is seen. */
  readonly deregistered: boolean
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Rows to take or let go together with the events. */
export type Claiming = {
  readonly at: IpAddress | Frontend
  /** Who takes or lets go; the load balancer itself when absent. */
  readonly holder?: SharingGroup
} & ({ readonly change: 'take' } | { readonly change: 'release'; readonly restMs: number })

export interface Decision {
  readonly events: readonly DomainEvent[]
  readonly claims: readonly Claiming[]
  /** The wish is refused, whether that is said now or was before. */
  readonly refused?: {
    readonly type: DomainEvent['type']
    /** When an address comes free by itself, milliseconds since the epoch. */
    readonly freeAt: number | null
  }
}

/** Nothing to say and nothing to hold. */
export const nothing: Decision = { events: [], claims: [] }
