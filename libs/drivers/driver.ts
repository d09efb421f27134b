import type { DesiredResource, Ingress, OwnershipMarks, TargetHealth } from '@weir/contract'

/**
 * What makes, observes and removes resources at one provider account. Every driver keeps these promises,
 * held by `driver.conformance.ts`:
 *
 * - Deciding and doing are apart: `plan` is pure, `execute` is one remote call. Whoever crashes between
 *   two calls leaves nothing that the next `observe` and `plan` do not see and complete.
 * - Marks are part of the call that creates; nothing of ours exists unmarked, even for a moment. Names
 *   are derived from the marks. Marks that others put on our resources survive our updates.
 * - Doing a step again, twice at once, or after a lost answer leaves exactly one resource.
 * - Removal is unconditional and idempotent: what is absent already is removed. It obeys the epoch: an
 *   order for an earlier incarnation never touches a later one.
 * - Nothing waits inside: what takes time answers `pending`, what the provider holds `locked`.
 * - A resource that carries another installation's marks, or none, is never touched.
 * - What the driver cannot do is refused by name before anything is made; nothing is dropped silently.
 * - Arguments are never changed. A rejection is an OperatingError: the world failed, try again.
 *
 * `View` is what the driver itself reads into its observations and needs to plan; nobody else looks at it.
 */
export interface Driver<View = unknown> {
  readonly name: string
  /** What the driver can do at best, known without asking anybody. */
  readonly capabilities: Capabilities

  /** Asks the provider who we are there and what it can really do. */
  probe(): Promise<Probe>

  /** What the provider has under these marks now, by reads and never from memory. */
  observe(marks: OwnershipMarks): Promise<Observed<View>>

  /**
   * What can be done now, in order, to bring what was observed up to the order. Pure: same input, same
   * plan. After the steps the driver observes and plans again; no steps means that nothing is left to ask.
   */
  plan(order: Order, seen: Observed<View>): Plan

  /**
   * Takes one step: one remote call that changes something, and that may be made again.
   * @param begun whether a step of the same order was taken just before; this one then goes on with what
   *   the account's budget granted, so that what is begun is finished first
   */
  execute(step: Step, begun?: boolean): Promise<Outcome>

  /**
   * How an operation stands that `execute` answered with a token, in this process or an earlier one. Once
   * it has ended it is `done`, however it ended: what came of it is read and planned on.
   */
  poll(token: string): Promise<Outcome>

  /**
   * Everything at the provider that could be ours, page by page, until the last page has no `next`. An
   * inventory that cannot be completed rejects; it is never shortened.
   */
  inventory(cursor?: string): Promise<InventoryPage>

  /**
   * Deletes one thing of an inventory, by its `ref`: reads its marks again right before, and leaves it
   * alone (`refused`, capability `ownership`) when they are other ones. `done` only when that read found
   * nothing, so the call after a delete confirms it; what still goes is `pending`, what is in use `locked`.
   */
  release(item: Marked): Promise<Outcome>

  /**
   * Calls back with the key of a resource whose state at the provider may have changed, until `signal`
   * aborts. A hint: may be late, doubled or missing.
   */
  onChange(handle: (change: ProviderChange) => void, signal: AbortSignal): void

  /** Where the driver listens by itself: does so until `signal` aborts, and `onChange` tells what it hears. */
  run?(signal: AbortSignal): Promise<void>
}

/** What is to become of one resource. */
export type Order =
  | { readonly order: 'serve'; readonly desired: DesiredResource }
  | { readonly order: 'remove'; readonly marks: OwnershipMarks }

export type Plan =
  | { readonly status: 'steps'; readonly steps: readonly Step[] }
  | Held
  | Superseded
  | Refused

/** One remote call to come. */
export interface Step {
  /** For people and logs: `create load balancer weir-6xk2`. */
  readonly title: string
  /** The tenant whose share of the account's rate it is taken from. */
  readonly tenant: string
  /** What to call and with what: data of the driver's own, free of secrets. */
  readonly call: unknown
  /** Set where an order to serve deletes a whole load balancer: this one, and not its parts. */
  readonly discards?: Discard
}

/** A load balancer that an order to serve gets rid of. */
export interface Discard {
  /** The provider's id of it, as in the inventory. */
  readonly ref: string
  /** For people: `the cloud gave it up (ERROR)`. */
  readonly why: string
}

export type Outcome =
  /** It happened, and the provider said so. */
  | { readonly status: 'done' }
  /**
   * It goes on at the provider; look again then. A change hint may come earlier. With a `token` the
   * operation can be asked about by `poll`, by whoever comes next.
   */
  | { readonly status: 'pending'; readonly lookAgainMs: number; readonly token?: string }
  | Held
  /** The provider is away, throttles, or our share of its rate is used up; nothing was changed. */
  | { readonly status: 'retry'; readonly afterMs: number; readonly problem: string }
  | Superseded
  /** It may or may not have happened: observe before anything else. */
  | { readonly status: 'unknown' }
  | Refused

/** The provider is busy with this very resource; nothing was changed. */
export interface Held {
  readonly status: 'locked'
  readonly retryMs: number
}

/**
 * The provider already knows a newer order (epoch, then generation) for this resource; nothing was
 * changed. Whoever asked works from an old story: read it again.
 */
export interface Superseded {
  readonly status: 'superseded'
  readonly epoch: number
  readonly generation: number
}

/** The driver or the provider will never do this; the user is told and may change the Service. */
export interface Refused {
  readonly status: 'refused'
  readonly capability: string
  readonly problem: string
}

export type Observed<View = unknown> =
  | { readonly status: 'absent'; readonly confirmedBy: readonly string[]; readonly view?: View }
  | Present<View>
  /** Not all of the provider could be read; absence must not be concluded. */
  | { readonly status: 'unknown'; readonly problem: string; readonly view?: View }

export interface Present<View = unknown> {
  readonly status: 'present'
  readonly marks: OwnershipMarks
  readonly generation: number
  /** `desiredHash` of what the provider has, for drift. */
  readonly hash: string
  /** False while the provider still works on it. */
  readonly ready: boolean
  readonly ingress: readonly Ingress[]
  readonly confirmedBy: readonly string[]
  readonly targets: readonly TargetHealth[]
  /** Where new flows go; missing where the provider does not tell. */
  readonly flows?: Flows
  readonly view?: View
}

/** Where a provider sends new flows, of the nodes that it was told. */
export interface Flows {
  /** By node: the weight, 0 for none, and what is wrong with it. */
  readonly nodes: ReadonlyMap<string, { readonly weight: number; readonly problem: string | null }>
  /** Since when, by the provider's own clock, RFC 3339. */
  readonly since: string
}

export interface ProviderChange {
  readonly tenant: string
  /** The Service's UID: the work key of whoever cares. */
  readonly service: string
}

export interface InventoryPage {
  readonly resources: readonly InventoryItem[]
  readonly next?: string
}

export interface InventoryItem {
  /** The provider's word for what it is: `load balancer`, `target group`, `floating IP`. */
  readonly kind: string
  /** The provider's own name for it: unique among all kinds, and what `release` takes. */
  readonly ref: string
  /** Null when it carries no marks that we can read. */
  readonly marks: OwnershipMarks | null
  readonly generation: number
}

/** A thing of an inventory that carries marks. */
export type Marked = Pick<InventoryItem, 'kind' | 'ref'> & { readonly marks: OwnershipMarks }

/** What a probe found out. */
export type Probe =
  | {
      readonly status: 'ready'
      /** The account or project that the credentials belong to, as the provider names it. */
      readonly account: string
      /** Version and features as found, for people: `Octavia v2.26: tags, allowed_cidrs`. */
      readonly found: string
      /** The declared capabilities, less what this provider lacks. */
      readonly capabilities: Capabilities
    }
  /** The credentials are refused, or are another account's; nothing may be made or deleted. */
  | { readonly status: 'refused'; readonly problem: string }

/** What a provider can do. A wish beyond it is refused with the capability's name. */
export interface Capabilities {
  readonly protocols: readonly ('TCP' | 'UDP' | 'SCTP')[]
  readonly ipFamilies: readonly ('IPv4' | 'IPv6')[]
  /** Whether our pools hold the addresses, or the provider gives its own. */
  readonly addresses: 'pool' | 'provider'
  readonly sourceRanges: boolean
  readonly clientIpAffinity: boolean
  readonly proxyProtocol: boolean
  readonly weights: boolean
  /** Whether a pod sees the client's own address under `Local`. */
  readonly preservesClientAddress: 'always' | 'on-loopback' | 'never'
  /** Whether TCP and UDP may share a port number: always, with equal nodePorts, or never. */
  readonly samePortTcpUdp: 'always' | 'equal-node-ports' | 'never'
  /** Frontends need a nodePort; if not, they may have one that is made no use of. */
  readonly needsNodePort: boolean
  /** Targets are named by the Node's providerID with this prefix, such as `aws:///`; null for addresses. */
  readonly targetsByProviderId: string | null
  /** Most frontends of one load balancer. */
  readonly maxFrontends: number
  readonly ipMode: 'VIP' | 'Proxy'
}
