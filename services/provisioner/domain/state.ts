import type {
  ClusterId,
  DesiredResource,
  DriverName,
  Frontend,
  LoadBalancerIntent,
  ResourceKey,
  ServiceUid,
  StreamId,
} from '@weir/contract'

/** What the log says of new flows that do not go as ordered. */
export interface FlowsTold {
  /** Weights that are not those ordered, by node; 0 for one that takes no flows. */
  readonly weights: ReadonlyMap<string, number>
  /** When it was last told, by the log's clock, RFC 3339; null before the first time. */
  readonly at: string | null
  /** How often it was told, each time within an hour of the time before. */
  readonly run: number
}

/** What a Service asks for now, with what is held for it. */
export interface Wish {
  readonly cluster: ClusterId
  readonly service: ServiceUid
  readonly driver: DriverName
  readonly intent: LoadBalancerIntent
  readonly intentHash: string
  readonly frontends: readonly Frontend[]
  /** Whether the allocator has granted it to this driver: where providers give addresses, nothing else says so. */
  readonly granted: boolean
}

/** What is true of every incarnation of a load balancer's resource, in whatever state. */
export interface Life {
  readonly wish: Wish
  readonly key: ResourceKey
  readonly stream: StreamId
  /** The version of the resource stream that a decision is made on. */
  readonly version: number
  /** Counted over all lives and drivers, so that each incarnation has its own. */
  readonly epoch: number
  /** The newest generation intended in this life, 0 before the first. */
  readonly generation: number
  /** What the provider was last told or is about to be told; null before the first. */
  readonly desired: DesiredResource | null
  /** Whether a generation was confirmed, and its absence was not. */
  readonly serves: boolean
  /** What the provider works on by itself; null when nothing is known of any. */
  readonly operation: Operation | null
  /** The provider's ids of what was discarded for this life, the newest last. */
  readonly discarded: readonly string[]
  /** Where the log says that new flows go other than ordered. */
  readonly flows: FlowsTold
  /** When the newest order was intended, by the log's clock, RFC 3339. */
  readonly since: string
  /** The intent that the driver refused last, so that it is told once. */
  readonly refusedHash: string | null
  /** Whether the attempts were given up and nothing has moved since. */
  readonly parked: boolean
  /** The newest event that asks something of us. */
  readonly cause: Cause
}

export interface Operation {
  readonly token: string
  readonly what: string
  /** By the log's clock, RFC 3339. */
  readonly since: string
}

export interface Cause {
  readonly eventId: string
  readonly traceparent: string | undefined
}

/**
 * One incarnation of a Service's resource as its story tells it.
 *
 * `Wanted` has nothing at the provider. `Intended` may or may not: somebody is about to tell, or has
 * told, or crashed between. `Programmed` was read back. `Released` must go and nobody has said so at the
 * provider; `Removing` may still be there. `Absent` is over until the Service comes back.
 */
export type ProvisionState =
  | { readonly status: 'Nothing' }
  | (Life & { readonly status: 'Wanted' })
  | (Life & { readonly status: 'Intended'; readonly desired: DesiredResource })
  | (Life & { readonly status: 'Programmed'; readonly desired: DesiredResource })
  | (Life & { readonly status: 'Released' })
  | (Life & { readonly status: 'Removing'; readonly released: boolean })
  | (Life & { readonly status: 'Absent' })

export type Living = Exclude<ProvisionState, { status: 'Nothing' }>
