import type { DesiredResource, Ingress, OwnershipMarks, TargetHealth } from '@weir/contract'

/**
 * What makes, observes and removes resources at one provider. Every driver keeps these promises, held by
 * `driver.conformance.ts`:
 *
 * - Marks are part of the call that creates; nothing of ours exists unmarked, even for a moment.
 * - `apply` reads by mark before it creates. Doing it again, twice at once, or after a lost answer
 *   leaves exactly one resource.
 * - `remove` is unconditional and idempotent: what is absent already is removed. It obeys the epoch: an
 *   order for an earlier incarnation never touches a later one.
 * - One remote call per step. Nothing waits inside: what takes time answers `pending`.
 * - A resource that carries another installation's marks, or none, is never touched.
 * - What the driver cannot do is refused by name before anything is made; nothing is dropped silently.
 * - Arguments are never changed. A rejection is an OperatingError: the world failed, try again.
 */
export interface Driver {
  readonly name: string
  readonly capabilities: Capabilities

  /** Brings the provider up to `desired`: makes or changes the resource with these marks. */
  apply(desired: DesiredResource): Promise<Outcome>

  /** Removes the resource with these marks, whatever state it is in. */
  remove(marks: OwnershipMarks): Promise<Outcome>

  /** What the provider has under these marks now, from a read and never from memory. */
  observe(marks: OwnershipMarks): Promise<Observed>

  /**
   * Everything at the provider that could be ours, page by page, until the last page has no `next`. An
   * inventory that cannot be completed rejects; it is never shortened.
   */
  inventory(cursor?: string): Promise<InventoryPage>

  /**
   * Calls back with the key of a resource whose state at the provider may have changed, until `signal`
   * aborts. A hint: may be late, doubled or missing.
   */
  onChange(handle: (change: ProviderChange) => void, signal: AbortSignal): void
}

export type Outcome =
  /** The provider confirmed it. */
  | { readonly status: 'done' }
  /** It goes on at the provider; look again then. A change hint may come earlier. */
  | { readonly status: 'pending'; readonly lookAgainMs: number }
  /** The provider is busy with this very resource; nothing was changed. */
  | { readonly status: 'locked'; readonly retryMs: number }
  /**
   * The provider already knows a newer order (epoch, then generation) for this resource; nothing was
   * changed. Whoever asked works from an old story: read it again.
   */
  | { readonly status: 'superseded'; readonly epoch: number; readonly generation: number }
  /** It may or may not have happened: observe before anything else. */
  | { readonly status: 'unknown' }
  /** The driver or the provider will never do this; the user is told and may change the Service. */
  | { readonly status: 'refused'; readonly capability: string; readonly problem: string }

export type Observed =
  | { readonly status: 'absent'; readonly confirmedBy: readonly string[] }
  | {
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
    }
  /** Not all of the provider could be read; absence must not be concluded. */
  | { readonly status: 'unknown'; readonly problem: string }

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
  /** The provider's own name for it, for people. */
  readonly ref: string
  /** Null when it carries no marks that we can read. */
  readonly marks: OwnershipMarks | null
  readonly generation: number
}

/** What a provider can do. A wish beyond it is refused with the capability's name. */
export interface Capabilities {
  readonly protocols: readonly ('TCP' | 'UDP' | 'SCTP')[]
  readonly ipFamilies: readonly ('IPv4' | 'IPv6')[]
  readonly sourceRanges: boolean
  readonly clientIpAffinity: boolean
  readonly proxyProtocol: boolean
  readonly weights: boolean
  /** Whether a pod sees the client's own address under `Local`. */
  readonly preservesClientAddress: 'always' | 'on-loopback' | 'never'
  /** Frontends need a nodePort. */
  readonly needsNodePort: boolean
  readonly ipMode: 'VIP' | 'Proxy'
}
