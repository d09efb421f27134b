import type { TenantId } from '@weir/contract'
import { createBatching } from './batching.ts'
import type { Database } from './database.ts'
import { isRefusal } from './database-errors.ts'
import type { ClaimWork, Lag, StuckWork, WorkItem, WorkQueue } from './eventlog.ts'
import { createSettling } from './postgres-settle.ts'

// The longest waiting first, but tenants in turn: of the first 512 that wait, the first of every
// tenant comes before the second of any.
const fairly = `
  select tenant, key, row_number() over (partition by tenant order by due_at) as turn
  from (select tenant, key, due_at from weir.work_item
        where consumer = $1 and due_at <= now() and ($5::text is null or tenant = $5)
        order by due_at limit 512) waiting
  order by turn, due_at limit $4`
const claimOf = (tenants: string, keys: string): string =>
  `select tenant, key, mark, attempts, fence from weir.claim_work($1, $2, $3, $4, ${tenants}, ${keys})`

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
  claim: {
    name: 'claim',
    action: 'claim work',
    text: `with waiting as materialized (${fairly})
      ${claimOf('array(select tenant from waiting)', 'array(select key from waiting)')}`,
  },
  claimNamed: {
    name: 'claim_named',
    action: 'claim work',
    text: claimOf('array_fill($5::text, array[cardinality($6::text[])])', '$6::text[]'),
  },
  stuck: {
    name: 'stuck',
    action: 'list stuck work',
    text: `select tenant, key, attempts, coalesce(problem, '') as problem from weir.work_item
      where consumer = $1 and attempts >= greatest($2::int, 1) order by tenant, key`,
  },
}

/** The work queue in Postgres. */
export const createPostgresWork = (db: Database): WorkQueue => {
  const settle = createSettling(db)
  const claimNamed = createNamedClaims(db)
  return {
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
    claim: (request) => (request.keys === undefined ? claimDue(db, request) : claimNamed(request)),
    done: (item, againInMs) => settle({ item, afterMs: againInMs ?? null, problem: null }),
    failed: (item, { problem, afterMs }) => settle({ item, afterMs, problem }),
    stuck: (consumer, attempts) => db.ask<StuckWork>(statements.stuck, [consumer, attempts]),
  }
}

type ClaimedRow = Omit<WorkItem, 'consumer'> & { readonly tenant: TenantId }

const claimDue = async (db: Database, request: ClaimWork): Promise<readonly WorkItem[]> => {
  const { consumer, worker, limit, leaseMs, tenant } = request
  const values = [consumer, worker, leaseMs, limit, tenant ?? null]
  const rows = await db.ask<ClaimedRow>(statements.claim, values)
  return rows.map((row) => ({ consumer, ...row }))
}

/** Claims keys by name; claims that come while another is on its way travel together. */
const createNamedClaims = (
  db: Database,
): ((request: ClaimWork) => Promise<readonly WorkItem[]>) => {
  const batching = createBatching<ClaimWork, readonly WorkItem[]>({
    send: async (_lane, batch) => {
      const [first] = batch
      if (first === undefined) return []
      const { consumer, worker, leaseMs, tenant } = first
      const limit = batch.reduce((sum, request) => sum + request.limit, 0)
      const keys = batch.flatMap((request) => request.keys ?? [])
      const values = [consumer, worker, leaseMs, limit, tenant ?? null, keys]
      const rows = await db.ask<ClaimedRow>(statements.claimNamed, values)
      return batch.map((request) =>
        rows.filter(({ key }) => request.keys?.includes(key)).map((row) => ({ consumer, ...row })),
      )
    },
    touches: ({ keys = [] }) => keys,
    weight: ({ keys = [] }) => keys.length,
    room: 500,
    mayDivide: isRefusal,
  })
  return (request) => {
    const { consumer, worker, leaseMs, tenant, keys = [], limit } = request
    // One that may not have all it names is alone, so that it cannot take another's share.
    const alone = limit < keys.length ? keys.join(' ') : ''
    return batching.run([consumer, worker, leaseMs, tenant ?? '', alone].join(' '), request)
  }
}
