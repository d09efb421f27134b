import {
  decodeEvent,
  schemaVersionOf,
  tenantId,
  type DomainEvent,
  type RecordedEvent,
  type StreamId,
  type TenantId,
} from '@weir/contract'
import type { Clock } from '@weir/kernel'
import { createBatching } from './batching.ts'
import type { Database } from './database.ts'
import { isRefusal } from './database-errors.ts'
import type { Claim, EventLog } from './eventlog.ts'
import { createPostgresAppend } from './postgres-append.ts'
import { toRecorded } from './recorded.ts'

const millis = (column: string): string => `floor(extract(epoch from ${column}) * 1000)::bigint`

const columns = `tenant, sequence, stream, stream_version, id, type, schema_version,
  ${millis('occurred_at')} as occurred_ms, ${millis('recorded_at')} as recorded_ms,
  actor, correlation_id, causation_id, traceparent, data::text as data`

interface EventRow {
  readonly tenant: TenantId
  readonly sequence: number
  readonly stream: StreamId
  readonly stream_version: number
  readonly id: string
  readonly type: DomainEvent['type']
  readonly schema_version: number
  readonly occurred_ms: number
  readonly recorded_ms: number
  readonly actor: string
  readonly correlation_id: string
  readonly causation_id: string
  readonly traceparent: string | null
  readonly data: string
}

interface ClaimRow {
  readonly key: string
  readonly holder: string | null
  readonly last_holder: string | null
  readonly tenant: TenantId
  readonly released_ms: number | null
  readonly rests_ms: number | null
}

const statements = {
  story: {
    name: 'story',
    action: 'read a story from the log',
    // One look by index for each story, whatever the planner thinks of the table.
    text: `select e.* from unnest($2::text[]) as asked(id) cross join lateral (
        select ${columns} from weir.event where tenant = $1 and correlation_id = asked.id
        order by sequence offset 0) e`,
  },
  stream: {
    name: 'stream',
    action: 'read a stream of the log',
    text: `select ${columns} from weir.event where tenant = $1 and stream = $2
      order by stream_version`,
  },
  after: {
    name: 'after',
    action: 'read the log',
    text: `select ${columns} from weir.event where tenant = $1 and sequence > $2
      order by sequence limit $3`,
  },
  head: {
    name: 'head',
    action: 'read the head of the log',
    text: 'select sequence from weir.tenant_head where tenant = $1',
  },
  tenants: {
    name: 'tenants',
    action: 'list the tenants of the log',
    text: 'select tenant from weir.tenant_head order by tenant',
  },
  claims: {
    name: 'claims',
    action: 'read the claims',
    text: `select key, holder, last_holder, tenant, ${millis('released_at')} as released_ms,
        ${millis('rests_until')} as rests_ms
      from weir.claim where scope = $1 and key ^@ $2 order by key`,
  },
  now: {
    name: 'now',
    action: 'read the clock of the log',
    text: `select ${millis('clock_timestamp()')} as now_ms`,
  },
}

/** The log in Postgres. */
export const createPostgresLog = (db: Database, clock: Clock): EventLog => ({
  append: createPostgresAppend(db, clock),
  story: createStories(db),
  stream: async (tenant, stream) =>
    (await db.ask<EventRow>(statements.stream, [tenant, stream])).map(toEvent),
  after: async (tenant, sequence, limit) =>
    (await db.ask<EventRow>(statements.after, [tenant, sequence, limit])).map(toEvent),
  head: async (tenant) =>
    (await db.ask<{ sequence: number }>(statements.head, [tenant]))[0]?.sequence ?? 0,
  tenants: async () =>
    (await db.ask<{ tenant: string }>(statements.tenants)).map(({ tenant }) =>
      tenantId.parse(tenant),
    ),
  claims: async (scope, prefix) =>
    (await db.ask<ClaimRow>(statements.claims, [scope, prefix])).map(toClaim),
  now: async () => (await db.ask<{ now_ms: number }>(statements.now))[0]?.now_ms ?? clock.now(),
})

/** Reads stories; those of one tenant that are asked for while others are read come together. */
const createStories = (db: Database): EventLog['story'] => {
  const batching = createBatching<string, readonly RecordedEvent[]>({
    send: async (tenant, ids) => {
      const rows = await db.ask<EventRow>(statements.story, [tenant, [...new Set(ids)]])
      const stories = Map.groupBy(rows.map(toEvent), ({ correlationid }) => correlationid)
      return ids.map((id) => stories.get(id) ?? [])
    },
    touches: () => [],
    weight: () => 1,
    room: 64,
    mayDivide: isRefusal,
  })
  return (tenant, correlationId) => batching.run(tenant, correlationId)
}

/**
 * Lifts what an older program wrote. What was written by this version was checked then; what a newer
 * one wrote is handed on as it is, so that sequences stay without gaps: a fold passes over types that
 * it does not know.
 */
const toEvent = (row: EventRow): RecordedEvent => {
  const event = toRecorded(
    {
      tenant: row.tenant,
      actor: row.actor,
      correlationId: row.correlation_id,
      causationId: row.causation_id,
      ...(row.traceparent === null ? {} : { traceparent: row.traceparent }),
    },
    {
      id: row.id,
      stream: row.stream,
      streamVersion: row.stream_version,
      type: row.type,
      schemaVersion: row.schema_version,
      data: row.data,
    },
    {
      sequence: row.sequence,
      occurredAt: row.occurred_ms,
      recordedAt: row.recorded_ms,
    },
  )
  if (row.schema_version >= schemaVersionOf(row.type)) return event
  const decoded = decodeEvent(event)
  return decoded.status === 'known' ? decoded.event : event
}

const toClaim = (row: ClaimRow): Claim => ({
  key: row.key,
  holder: row.holder,
  lastHolder: row.last_holder,
  tenant: row.tenant,
  releasedAt: row.released_ms,
  restsUntil: row.rests_ms,
})
