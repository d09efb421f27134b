import type {
  ClusterId,
  DomainEvent,
  Observation,
  ObservationKind,
  RecordedEvent,
  StreamId,
  TenantId,
} from '@weir/contract'

/**
 * The log: the only truth. Two implementations keep these promises, held by `eventlog.conformance.ts`:
 * Postgres, and a twin in memory for simulation.
 *
 * - A tenant's events carry a dense, gapless sequence in the order of commits: who sees n sees all
 *   before n.
 * - `append` is all or nothing, and doing it again with the same command id changes nothing.
 * - Nothing is ever changed or removed.
 */
export interface EventLog {
  /**
   * Records decisions in one transaction and one round trip. Appends of one tenant made at the same
   * time by one process travel as one batch; each keeps its own outcome.
   */
  append(request: AppendRequest): Promise<AppendOutcome>

  /** Every event of one story (a Service's, a pool's, a cluster's), in sequence order. */
  story(tenant: TenantId, correlationId: string): Promise<readonly RecordedEvent[]>

  /** Every event of one stream, in the order of its versions. */
  stream(tenant: TenantId, stream: StreamId): Promise<readonly RecordedEvent[]>

  /** Events of a tenant after a sequence, in order, at most `limit`. */
  after(tenant: TenantId, sequence: number, limit: number): Promise<readonly RecordedEvent[]>

  /** The newest sequence of a tenant, 0 when it has none. */
  head(tenant: TenantId): Promise<number>

  /** Every tenant with at least one event, by name. */
  tenants(): Promise<readonly TenantId[]>

  /** Claims whose key starts with `prefix`, by key: who holds what, and what rests. */
  claims(scope: ClaimScope, prefix: string): Promise<readonly Claim[]>

  /** The time by the log's own clock, in milliseconds since the epoch: what graces are measured by. */
  now(): Promise<number>
}

export interface AppendRequest {
  readonly tenant: TenantId
  /** Names this decision for ever: the same id again is the same decision, answered `repeated`. */
  readonly commandId: string
  readonly events: readonly NewEvent[]
  readonly claims?: readonly ClaimChange[]
  /** The service or person that decided. */
  readonly actor: string
  /** The story all the events belong to. */
  readonly correlationId: string
  /** What caused the decision. */
  readonly causationId: string
  readonly traceparent?: string
}

export interface NewEvent {
  readonly stream: StreamId
  /** The stream's version the decision was made on, 0 for a stream that must not exist yet. */
  readonly expectedVersion: number
  readonly event: DomainEvent
}

export type AppendOutcome =
  | { readonly status: 'appended'; readonly events: readonly RecordedEvent[] }
  /** This command id was appended before; its events are in this range of the tenant's log. */
  | { readonly status: 'repeated'; readonly from: number; readonly to: number }
  /** Somebody else appended first: read again and decide again. */
  | { readonly status: 'conflict'; readonly stream: StreamId; readonly actual: number }
  /** Somebody else holds the key, or it rests: decide again without it. */
  | { readonly status: 'claimed'; readonly scope: ClaimScope; readonly key: string }

/**
 * What a claim is about: `address` keys are IP addresses, `frontend` keys are `IP:PORT/PROTOCOL`.
 * Claims are exclusive over all tenants; the unique row decides, whoever asked first.
 */
export type ClaimScope = 'address' | 'frontend'

/**
 * Takes or lets go of an exclusive key in the same transaction as the events. Taking what the holder
 * already holds changes nothing; taking what rests succeeds for its last holder alone. A request that takes
 * a key for one holder and lets go of it for the one that has it hands it over, without a rest.
 */
export type ClaimChange =
  | {
      readonly change: 'take'
      readonly scope: ClaimScope
      readonly key: string
      readonly holder: string
    }
  | {
      readonly change: 'release'
      readonly scope: ClaimScope
      readonly key: string
      readonly holder: string
      /** Milliseconds the key rests before somebody else may take it. */
      readonly restMs: number
    }

export interface Claim {
  readonly key: string
  /** Who holds it; null when it was let go. */
  readonly holder: string | null
  /** Who held it last, when nobody does now. */
  readonly lastHolder: string | null
  readonly tenant: TenantId
  /** Milliseconds since the epoch, by the log's clock; null while held. */
  readonly releasedAt: number | null
  /** When it may be taken by somebody else; null while held. */
  readonly restsUntil: number | null
}

/**
 * The work that follows from events and observations, kept beside the log. A key is dirty or done;
 * many events on one key become one reconcile; a key that fails waits alone.
 */
export interface WorkQueue {
  /**
   * Advances `consumer`'s cursor in `tenant` over the events `from+1..to` and marks `keys` dirty, in
   * one transaction. `behind` tells where the cursor really stands; nothing was changed then.
   */
  ingest(batch: IngestBatch): Promise<{ readonly status: 'advanced' } | Behind>

  /** Tenants whose head is past the cursor of `consumer`. */
  lagging(consumer: string): Promise<readonly Lag[]>

  /** Marks keys dirty that no event tells of, such as a timer's or an operator's. */
  mark(consumer: string, tenant: TenantId, keys: readonly string[]): Promise<void>

  /**
   * Takes up to `limit` due keys for `leaseMs`, the longest waiting first. With `keys`, only those, of
   * the `tenant` that must then be named: the fast path of the process that has just ingested them.
   */
  claim(request: ClaimWork): Promise<readonly WorkItem[]>

  /**
   * The key was reconciled up to the mark it was claimed at; if it was marked since, it stays dirty.
   * With `againInMs` it comes back by itself. False when the lease was lost meanwhile.
   */
  done(item: WorkItem, againInMs?: number): Promise<boolean>

  /** The attempt failed: the key comes back after `afterMs`, or when something new happens to it. */
  failed(
    item: WorkItem,
    failure: { readonly problem: string; readonly afterMs: number },
  ): Promise<boolean>

  /** Keys that have failed `attempts` times or more, for metrics and `weir check`. */
  stuck(consumer: string, attempts: number): Promise<readonly StuckWork[]>
}

export interface IngestBatch {
  readonly consumer: string
  readonly tenant: TenantId
  /** The cursor as the caller believes it. */
  readonly from: number
  /** The sequence of the last event looked at. */
  readonly to: number
  readonly keys: readonly string[]
}

export interface Behind {
  readonly status: 'behind'
  readonly cursor: number
}

export interface Lag {
  readonly tenant: TenantId
  readonly cursor: number
  readonly head: number
}

export interface ClaimWork {
  readonly consumer: string
  /** The process that takes it, for the lease row. */
  readonly worker: string
  readonly limit: number
  readonly leaseMs: number
  readonly tenant?: TenantId
  readonly keys?: readonly string[]
}

export interface WorkItem {
  readonly consumer: string
  readonly tenant: TenantId
  readonly key: string
  /** The mark this claim saw; `done` settles the key up to here. */
  readonly mark: number
  /** Failed attempts so far. */
  readonly attempts: number
  /**
   * Rises with every claim, also of a key that was pruned and came back; a worker that lost its lease
   * is told so by it.
   */
  readonly fence: number
}

export interface StuckWork {
  readonly tenant: TenantId
  readonly key: string
  readonly attempts: number
  readonly problem: string
}

/** The last observation of each key, kept so that a lost bus loses nothing. */
export interface Observed {
  /**
   * Stores observations that are newer than what is kept and differ from it, and marks the keys given
   * for each as dirty for `consumer` in the same transaction. Returns those that changed something.
   */
  store(consumer: string, seen: readonly SeenWithKeys[]): Promise<readonly Observation[]>

  /** The last observation of one key. */
  get<K extends ObservationKind>(at: {
    readonly tenant: TenantId
    readonly cluster: ClusterId
    readonly kind: K
    readonly key: string
  }): Promise<Extract<Observation, { kind: K }> | undefined>

  /** All last observations of a kind in a cluster, by key. */
  list<K extends ObservationKind>(at: {
    readonly tenant: TenantId
    readonly cluster: ClusterId
    readonly kind: K
  }): Promise<readonly Extract<Observation, { kind: K }>[]>
}

export interface SeenWithKeys {
  readonly seen: Observation
  /** Work keys that this observation makes dirty if it changes anything. */
  readonly keys: readonly string[]
}

/**
 * Leases: who does a thing that one process should do at a time. A lease is a hint, since its holder
 * may sleep past its end, so every effect is fenced by something else.
 */
export interface Leases {
  /** Takes or renews; undefined when somebody else holds it. The fence rises with every new holder. */
  take(
    name: string,
    holder: string,
    leaseMs: number,
  ): Promise<{ readonly fence: number } | undefined>
  /** Lets go, so that another can take over at once. */
  release(name: string, holder: string): Promise<void>
}

/** Documents beside the log that are not facts: encrypted credentials, token hashes. */
export interface Vault {
  put(tenant: TenantId, name: string, value: Uint8Array): Promise<void>
  get(tenant: TenantId, name: string): Promise<Uint8Array | undefined>
  /** Names that start with `prefix`, over all tenants. */
  list(prefix: string): Promise<readonly { readonly tenant: TenantId; readonly name: string }[]>
  remove(tenant: TenantId, name: string): Promise<void>
}

/** How many rows went. */
export interface Pruned {
  readonly commands: number
  readonly work: number
}

/** Everything that is kept in one database, opened together. */
export interface Store {
  readonly log: EventLog
  readonly work: WorkQueue
  readonly observed: Observed
  readonly leases: Leases
  readonly vault: Vault
  /**
   * Removes what was over more than `keepMs` ago, at most `limit` of each kind, and tells how many:
   * - commands: an id that comes again is not known any more, and `conflict` instead of `repeated`,
   *   since the stream has moved on from the version that the decision was made on;
   * - work that is settled and does not come back by itself: a key marked later is as good as new.
   */
  prune(request: { readonly keepMs: number; readonly limit: number }): Promise<Pruned>
  /** Rejects when the database does not answer a trivial query. */
  ping(): Promise<void>
  /** Why the schema is not this program's now, such as a migration under way; null when it is. */
  schemaProblem(): Promise<string | null>
  close(): Promise<void>
}
