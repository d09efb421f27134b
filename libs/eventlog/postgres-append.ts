import { streamId } from '@weir/contract'
import { assert, type Clock } from '@weir/kernel'
import { createBatching } from './batching.ts'
import type { Database } from './database.ts'
import { isRefusal } from './database-errors.ts'
import type { AppendOutcome, AppendRequest, ClaimScope } from './eventlog.ts'
import { prepareAppend, recordedEvents, type PreparedEvent } from './recorded.ts'

interface Prepared {
  readonly request: AppendRequest
  readonly events: readonly PreparedEvent[]
  /** When the decision was made, by this process's clock. */
  readonly occurredAt: number
}

interface OutcomeRow {
  readonly status: AppendOutcome['status']
  readonly first: number
  readonly last: number
  readonly recorded_ms: number
  readonly subject: string
  readonly key: string
  readonly actual: number
}

const statement = {
  name: 'append',
  action: 'append to the log',
  text: `select status, first, last, recorded_ms, subject, key, actual
    from weir.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
      $15, $16, $17, $18, $19)`,
}

// Events and claim changes of one call: enough to carry a burst, little enough to be one short hold
// of the tenant's lock.
const room = 500

/** Appends through one SQL function; appends of one tenant that meet travel together. */
export const createPostgresAppend = (
  db: Database,
  clock: Clock,
): ((request: AppendRequest) => Promise<AppendOutcome>) => {
  const batching = createBatching<Prepared, AppendOutcome>({
    send: async (tenant, batch) => {
      const rows = await db.ask<OutcomeRow>(statement, [tenant, ...toArrays(batch)])
      assert(rows.length === batch.length, 'append answered for another number of commands')
      return rows.map((row, index) => toOutcome(row, batch[index]))
    },
    touches: ({ request }) => [
      `command ${request.commandId}`,
      ...new Set(request.events.map(({ stream }) => stream)),
      ...(request.claims ?? []).map(({ scope, key }) => `${scope} ${key}`),
    ],
    weight: ({ request }) => 1 + request.events.length + (request.claims?.length ?? 0),
    room,
    mayDivide: isRefusal,
  })
  return async (request) =>
    batching.run(request.tenant, {
      request,
      events: prepareAppend(request),
      occurredAt: clock.now(),
    })
}

/** The arguments of `weir.append` after the tenant, in its order: columns, not rows. */
const toArrays = (batch: readonly Prepared[]): unknown[] => {
  const requests = batch.map(({ request }) => request)
  const events = batch.flatMap((one, index) =>
    one.events.map((event) => ({ ...event, of: index + 1, occurredAt: one.occurredAt })),
  )
  const claims = requests.flatMap((request, index) =>
    (request.claims ?? []).map((claim) => ({ ...claim, of: index + 1 })),
  )
  return [
    requests.map(({ commandId }) => commandId),
    requests.map(({ actor }) => actor),
    requests.map(({ correlationId }) => correlationId),
    requests.map(({ causationId }) => causationId),
    requests.map(({ traceparent }) => traceparent ?? null),
    events.map(({ of }) => of),
    events.map(({ stream }) => stream),
    events.map(({ expectedVersion }) => expectedVersion),
    events.map(({ id }) => id),
    events.map(({ type }) => type),
    events.map(({ schemaVersion }) => schemaVersion),
    events.map(({ occurredAt }) => new Date(occurredAt).toISOString()),
    events.map(({ data }) => data),
    claims.map(({ of }) => of),
    claims.map(({ scope }) => scope),
    claims.map(({ key }) => key),
    claims.map(({ holder }) => holder),
    claims.map((claim) => (claim.change === 'release' ? claim.restMs : null)),
  ]
}

const toOutcome = (row: OutcomeRow, asked: Prepared | undefined): AppendOutcome => {
  assert(asked !== undefined, 'append answered a command that was not asked')
  switch (row.status) {
    case 'appended': {
      const at = { first: row.first, occurredAt: asked.occurredAt, recordedAt: row.recorded_ms }
      return { status: 'appended', events: recordedEvents(asked.request, asked.events, at) }
    }
    case 'repeated':
      return { status: 'repeated', from: row.first, to: row.last }
    case 'conflict':
      return { status: 'conflict', stream: streamId.parse(row.subject), actual: row.actual }
    case 'claimed':
      return { status: 'claimed', scope: row.subject as ClaimScope, key: row.key }
  }
}
