import { streamId } from '@weir/contract'
import { assert, Bug, type Clock } from '@weir/kernel'
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

interface VerdictRow {
  /** The number of the command in its call, 1 for the first; all of them when appended. */
  readonly command: number
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
  text: `select command, status, first, last, recorded_ms, subject, key, actual
    from weir.append(${Array.from({ length: 24 }, (_, index) => `$${index + 1}`).join(', ')})`,
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
    send: (tenant, batch) => sendBatch(db, tenant, batch),
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

/**
 * One call, as a rule. Where some of the batch are refused or known, the call settles those alone and
 * the others go again; each round settles one at least.
 */
const sendBatch = async (
  db: Database,
  tenant: string,
  batch: readonly Prepared[],
): Promise<readonly AppendOutcome[]> => {
  const outcomes: Outcomes = new Map()
  let open = batch
  while (open.length > 0) {
    const rows = await db.ask<VerdictRow>(statement, [tenant, ...toArrays(open)])
    const [row] = rows
    assert(row !== undefined, 'append answered nothing')
    if (row.status === 'appended') settleAll(open, row, outcomes)
    else settleRefused(open, rows, outcomes)
    open = open.filter((asked) => !outcomes.has(asked))
  }
  return batch.map((asked) => outcomes.get(asked) ?? unanswered())
}

type Outcomes = Map<Prepared, AppendOutcome>

const settleAll = (open: readonly Prepared[], row: VerdictRow, outcomes: Outcomes): void => {
  let { first } = row
  for (const asked of open) {
    const at = { first, occurredAt: asked.occurredAt, recordedAt: row.recorded_ms }
    const events = recordedEvents(asked.request, asked.events, at)
    outcomes.set(asked, { status: 'appended', events })
    first += asked.events.length
  }
}

/** Known comes before conflict and that before claimed: the first row of a command tells. */
const settleRefused = (
  open: readonly Prepared[],
  rows: readonly VerdictRow[],
  outcomes: Outcomes,
): void => {
  for (const row of rows) {
    const asked = open[row.command - 1]
    assert(asked !== undefined, 'append answered a command that was not asked')
    if (!outcomes.has(asked)) outcomes.set(asked, toRefusal(row))
  }
}

const unanswered = (): never => {
  throw new Bug('a command of a batch was left without an outcome')
}

/** The arguments of `weir.append` after the tenant, in its order: columns, not rows. */
const toArrays = (batch: readonly Prepared[]): unknown[] => {
  const requests = batch.map(({ request }) => request)
  const events = batch.flatMap(({ request, events: own, occurredAt }) =>
    own.map((event) => ({ ...event, request, occurredAt: new Date(occurredAt).toISOString() })),
  )
  const ends = runningTotal(batch.map(({ events: own }) => own.length))
  const moves = batch.flatMap(({ events: own }, index) =>
    streamMoves(own).map((move) => ({ ...move, of: index + 1 })),
  )
  const claims = requests.flatMap(({ claims: own = [] }, index) =>
    own.map((claim) => ({ ...claim, of: index + 1 })),
  )
  return [
    requests.map(({ commandId }) => commandId),
    batch.map(({ events: own }, index) => (ends[index] ?? 0) - own.length + 1),
    ends,
    events.map(({ stream }) => stream),
    events.map(({ streamVersion }) => streamVersion),
    events.map(({ id }) => id),
    events.map(({ type }) => type),
    events.map(({ schemaVersion }) => schemaVersion),
    events.map(({ occurredAt }) => occurredAt),
    events.map(({ request }) => request.actor),
    events.map(({ request }) => request.correlationId),
    events.map(({ request }) => request.causationId),
    events.map(({ request }) => request.traceparent ?? null),
    events.map(({ data }) => data),
    moves.map(({ of }) => of),
    moves.map(({ stream }) => stream),
    moves.map(({ expectedVersion }) => expectedVersion),
    moves.map(({ streamVersion }) => streamVersion),
    claims.map(({ of }) => of),
    claims.map(({ scope }) => scope),
    claims.map(({ key }) => key),
    claims.map(({ holder }) => holder),
    claims.map((claim) => (claim.change === 'release' ? claim.restMs : null)),
  ]
}

const runningTotal = (counts: readonly number[]): readonly number[] => {
  let total = 0
  return counts.map((count) => (total += count))
}

/** The last event of each stream, by the name of the stream. */
const streamMoves = (events: readonly PreparedEvent[]): readonly PreparedEvent[] =>
  [...new Map(events.map((event) => [event.stream, event])).values()].sort((a, b) =>
    a.stream < b.stream ? -1 : 1,
  )

const toRefusal = (row: VerdictRow): AppendOutcome => {
  switch (row.status) {
    case 'repeated':
      return { status: 'repeated', from: row.first, to: row.last }
    case 'conflict':
      return { status: 'conflict', stream: streamId.parse(row.subject), actual: row.actual }
    case 'claimed':
      return { status: 'claimed', scope: row.subject as ClaimScope, key: row.key }
    case 'appended':
      throw new Bug('append recorded a batch and refused a part of it')
  }
}
