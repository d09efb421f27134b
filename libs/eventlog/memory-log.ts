import type { RecordedEvent, StreamId, TenantId } from '@weir/contract'
import type { Clock } from '@weir/kernel'
import type {
  AppendOutcome,
  AppendRequest,
  Claim,
  ClaimChange,
  ClaimScope,
  EventLog,
} from './eventlog.ts'
import { prepareAppend, recordedEvents } from './recorded.ts'

interface KnownCommand {
  readonly from: number
  readonly to: number
  readonly at: number
}

interface TenantLog {
  readonly events: RecordedEvent[]
  readonly versions: Map<StreamId, number>
  readonly commands: Map<string, KnownCommand>
  recordedAt: number
}

/** The log of a store in memory, and what the store's other parts ask of it. */
export interface MemoryLog {
  readonly log: EventLog
  headOf(tenant: TenantId): number
  /** Every tenant with events, by name. */
  tenants(): readonly TenantId[]
  /** Forgets up to `limit` commands from before an instant; gives how many. */
  pruneCommands(before: number, limit: number): number
}

/** Each call does all its work at once, so that no other can come between its steps. */
export const createMemoryLog = (clock: Clock): MemoryLog => {
  const logs = new Map<TenantId, TenantLog>()
  const claims = new Map<string, Claim>()
  const claimAt = (scope: ClaimScope, key: string): string => `${scope} ${key}`
  const logOf = (tenant: TenantId): TenantLog => {
    const known = logs.get(tenant)
    if (known !== undefined) return known
    const fresh = { events: [], versions: new Map(), commands: new Map(), recordedAt: 0 }
    logs.set(tenant, fresh)
    return fresh
  }
  const headOf = (tenant: TenantId): number => logs.get(tenant)?.events.length ?? 0
  const tenants = (): readonly TenantId[] =>
    [...logs]
      .filter(([, log]) => log.events.length > 0)
      .map(([tenant]) => tenant)
      .sort()

  const append = (request: AppendRequest): AppendOutcome => {
    const prepared = prepareAppend(request)
    const log = logOf(request.tenant)
    const known = log.commands.get(request.commandId)
    if (known !== undefined) return { status: 'repeated', from: known.from, to: known.to }
    const clash = findClash(request, log)
    if (clash !== undefined) return clash
    const now = clock.now()
    const changes = [...(request.claims ?? [])].sort(byScopeAndKey)
    const refused = changes.find((change) => {
      const claim = claims.get(claimAt(change.scope, change.key))
      return isRefused(change, claim, request.tenant, now) && !isHandedOver(change, claim, request)
    })
    if (refused !== undefined) {
      return { status: 'claimed', scope: refused.scope, key: refused.key }
    }
    const from = log.events.length + 1
    if (prepared.length > 0) log.recordedAt = Math.max(log.recordedAt, now)
    const at = { first: from, occurredAt: now, recordedAt: log.recordedAt }
    const events = recordedEvents(request, prepared, at)
    log.events.push(...events)
    for (const event of events) log.versions.set(event.subject, event.streamversion)
    log.commands.set(request.commandId, { from, to: log.events.length, at: now })
    for (const change of changes) {
      const at = claimAt(change.scope, change.key)
      const next = afterChange(change, claims.get(at), request.tenant, now)
      if (next !== undefined) claims.set(at, next)
    }
    return { status: 'appended', events }
  }

  return {
    headOf,
    tenants,
    pruneCommands: (before, limit) => {
      let pruned = 0
      for (const { commands } of logs.values()) {
        for (const [id, { at }] of commands) {
          if (at >= before || pruned === limit) break
          commands.delete(id)
          pruned += 1
        }
      }
      return pruned
    },
    log: {
      append: async (request) => append(request),
      story: async (tenant, correlationId) =>
        (logs.get(tenant)?.events ?? []).filter((event) => event.correlationid === correlationId),
      stream: async (tenant, stream) =>
        (logs.get(tenant)?.events ?? []).filter((event) => event.subject === stream),
      after: async (tenant, sequence, limit) =>
        (logs.get(tenant)?.events ?? []).slice(sequence, sequence + limit),
      head: async (tenant) => headOf(tenant),
      tenants: async () => tenants(),
      claims: async (scope, prefix) =>
        [...claims]
          .filter(([at]) => at.startsWith(claimAt(scope, prefix)))
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([, claim]) => claim),
      now: async () => clock.now(),
    },
  }
}

/** By key; of one key what is taken comes first, so that whoever hands it over has nothing left to let go of. */
const byScopeAndKey = (a: ClaimChange, b: ClaimChange): number => (orderOf(a) < orderOf(b) ? -1 : 1)
const orderOf = ({ scope, key, change }: ClaimChange): string =>
  `${scope} ${key} ${change === 'take' ? 1 : 2}`

/** Whether the one that has the key lets go of it in the same request. */
const isHandedOver = (
  { scope, key }: ClaimChange,
  claim: Claim | undefined,
  { tenant, claims = [] }: AppendRequest,
): boolean =>
  claim?.tenant === tenant &&
  claims.some(
    (other) =>
      other.change === 'release' &&
      other.scope === scope &&
      other.key === key &&
      other.holder === claim.holder,
  )

/** The first stream by name that stands elsewhere than the decision believed. */
const findClash = (request: AppendRequest, log: TenantLog): AppendOutcome | undefined => {
  const clashes = request.events
    .filter(({ stream, expectedVersion }) => (log.versions.get(stream) ?? 0) !== expectedVersion)
    .map(({ stream }) => stream)
    .sort()
  const stream = clashes[0]
  if (stream === undefined) return undefined
  return { status: 'conflict', stream, actual: log.versions.get(stream) ?? 0 }
}

const isRefused = (
  change: ClaimChange,
  claim: Claim | undefined,
  tenant: TenantId,
  now: number,
): boolean => {
  if (change.change === 'release' || claim === undefined) return false
  const mine = claim.tenant === tenant && (claim.holder ?? claim.lastHolder) === change.holder
  return !mine && (claim.holder !== null || (claim.restsUntil ?? 0) > now)
}

/** The claim after an accepted change; undefined when it changes nothing. */
const afterChange = (
  change: ClaimChange,
  claim: Claim | undefined,
  tenant: TenantId,
  now: number,
): Claim | undefined => {
  const { key, holder } = change
  if (change.change === 'take') {
    return { key, holder, lastHolder: null, tenant, releasedAt: null, restsUntil: null }
  }
  if (claim === undefined || claim.tenant !== tenant || claim.holder !== holder) return undefined
  const restsUntil = now + change.restMs
  return { key, holder: null, lastHolder: holder, tenant, releasedAt: now, restsUntil }
}
