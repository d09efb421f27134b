import type { TenantId } from '@weir/contract'
import type { Database } from './database.ts'
import type { ClaimWork, Lag, StuckWork, WorkItem, WorkQueue } from './eventlog.ts'

// Losing a claim or a result in a crash only makes work be done again, so these commits do not wait
// for the disk.
const soon = `(select set_config('synchronous_commit', 'off', true)) is not null`

// The longest waiting first, but tenants in turn: of the first 512 that wait, the first of every
// tenant comes before the second of any.
const fairly = `
  select tenant, key, due_at, row_number() over (partition by tenant order by due_at) as turn
  from (select tenant, key, due_at from weir.work_item
        where consumer = $1 and due_at <= now() and ($5::text is null or tenant = $5)
        order by due_at limit 512) waiting
  order by turn, due_at limit $4`
const named = `
  select tenant, key, due_at, 1 as turn from weir.work_item
  where consumer = $1 and ($5::text is null or tenant = $5) and key = any($6::text[]) and due_at <= now() limit $4`

const claimOf = (candidates: string): string => `
  with candidate as (${candidates}),
  free as (
    select w.tenant, w.key, candidate.turn, candidate.due_at
    from weir.work_item w join candidate using (tenant, key)
    where w.consumer = $1 and w.due_at <= now()
    for update of w skip locked
  ),
  claimed as (
    update weir.work_item w set worker = $2, fence = w.fence + 1,
      due_at = clock_timestamp() + $3 * interval '1 millisecond'
    from free where w.consumer = $1 and w.tenant = free.tenant and w.key = free.key and ${soon}
    returning w.tenant, w.key, w.mark, w.attempts, w.fence, free.turn, free.due_at
  )
  select tenant, key, mark, attempts, fence from claimed order by turn, due_at`

const statements = {
  ingest: {
    name: 'ingest',
    action: 'take in events',
    text: 'select weir.ingest($1, $2, $3, $4, $5) as cursor',
  },
  lagging: {
    name: 'lagging',
    action: 'compare the log with our cursors',
    text: `select h.tenant, coalesce(c.sequence, 0) as cursor, h.sequence as head
      from weir.tenant_head h
      left join weir.cursor c on c.consumer = $1 and c.tenant = h.tenant
      where h.sequence > coalesce(c.sequence, 0) order by h.tenant`,
  },
  mark: {
    name: 'mark',
    action: 'mark work',
    text: 'select weir.mark($1, $2, $3)',
  },
  claim: { name: 'claim', action: 'claim work', text: claimOf(fairly) },
  claimNamed: { name: 'claim_named', action: 'claim work', text: claimOf(named) },
  done: {
    name: 'done',
    action: 'settle work',
    text: `update weir.work_item set settled = $4, worker = null, attempts = 0, problem = null,
        due_at = case when mark > $4 then now()
                      else now() + $6::bigint * interval '1 millisecond' end
      where consumer = $1 and tenant = $2 and key = $3 and fence = $5 and ${soon}
      returning true as held`,
  },
  failed: {
    name: 'failed',
    action: 'record failed work',
    text: `update weir.work_item set worker = null, attempts = attempts + 1, problem = $7,
        due_at = case when mark > $4 then now()
                      else now() + $6::bigint * interval '1 millisecond' end
      where consumer = $1 and tenant = $2 and key = $3 and fence = $5 and ${soon}
      returning true as held`,
  },
  stuck: {
    name: 'stuck',
    action: 'list stuck work',
    text: `select tenant, key, attempts, coalesce(problem, '') as problem from weir.work_item
      where consumer = $1 and attempts >= greatest($2::int, 1) order by tenant, key`,
  },
}

/** The work queue in Postgres. */
export const createPostgresWork = (db: Database): WorkQueue => ({
  ingest: async ({ consumer, tenant, from, to, keys }) => {
    const [row] = await db.ask<{ cursor: number | null }>(statements.ingest, [
      consumer,
      tenant,
      from,
      to,
      keys,
    ])
    const cursor = row?.cursor ?? null
    return cursor === null ? { status: 'advanced' } : { status: 'behind', cursor }
  },
  lagging: (consumer) => db.ask<Lag>(statements.lagging, [consumer]),
  mark: async (consumer, tenant, keys) => {
    if (keys.length === 0) return
    await db.ask(statements.mark, [consumer, keys.map(() => tenant), keys])
  },
  claim: async (request) => {
    const rows = await claimRows(db, request)
    return rows.map((row) => ({ consumer: request.consumer, ...row }))
  },
  done: async (item, againInMs) =>
    (await db.ask(statements.done, [...settling(item), againInMs ?? null])).length > 0,
  failed: async (item, { problem, afterMs }) =>
    (await db.ask(statements.failed, [...settling(item), afterMs, problem])).length > 0,
  stuck: (consumer, attempts) => db.ask<StuckWork>(statements.stuck, [consumer, attempts]),
})

type ClaimedRow = Omit<WorkItem, 'consumer'> & { readonly tenant: TenantId }

const claimRows = async (db: Database, request: ClaimWork): Promise<ClaimedRow[]> => {
  const { consumer, worker, limit, leaseMs, tenant, keys } = request
  const common = [consumer, worker, leaseMs, limit, tenant ?? null]
  if (keys === undefined) return db.ask<ClaimedRow>(statements.claim, common)
  return db.ask<ClaimedRow>(statements.claimNamed, [...common, keys])
}

const settling = ({ consumer, tenant, key, mark, fence }: WorkItem): unknown[] => [
  consumer,
  tenant,
  key,
  mark,
  fence,
]
