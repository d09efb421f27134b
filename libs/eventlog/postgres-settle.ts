import { createBatching } from './batching.ts'
import type { Database } from './database.ts'
import { isRefusal } from './database-errors.ts'
import type { WorkItem } from './eventlog.ts'

/** How the work on an item ended. */
export interface Settlement {
  readonly item: WorkItem
  /** The key comes back after this; null for never by itself. */
  readonly afterMs: number | null
  /** Why it failed; null when it did not. */
  readonly problem: string | null
}

// Rows are locked in the order in which marking takes them, so that the two never wait for each other.
// Losing a result in a crash only makes work be done again, so the commit does not wait for the disk.
const statement = {
  name: 'settle',
  action: 'settle work',
  text: `
    with given as (
      select * from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[],
                           $6::bigint[], $7::text[])
        with ordinality as g(tenant, key, mark, fence, after_ms, problem, nr)
    ),
    held as (
      select g.* from given g join weir.work_item w
        on w.consumer = $1 and w.tenant = g.tenant and w.key = g.key and w.fence = g.fence
      order by w.tenant, w.key for update of w
    )
    update weir.work_item w set worker = null, problem = h.problem,
      settled = case when h.problem is null then h.mark else w.settled end,
      attempts = case when h.problem is null then 0 else w.attempts + 1 end,
      due_at = case when w.mark > h.mark then now()
                    else now() + h.after_ms * interval '1 millisecond' end
    from held h where w.consumer = $1 and w.tenant = h.tenant and w.key = h.key
      and w.fence = h.fence and (select set_config('synchronous_commit', 'off', true)) is not null
    returning h.nr::int as nr`,
}

/** Settles work; results that come while others are on their way travel together. */
export const createSettling = (db: Database): ((settlement: Settlement) => Promise<boolean>) => {
  const batching = createBatching<Settlement, boolean>({
    send: async (consumer, batch) => {
      const items = batch.map(({ item }) => item)
      const rows = await db.ask<{ nr: number }>(statement, [
        consumer,
        items.map(({ tenant }) => tenant),
        items.map(({ key }) => key),
        items.map(({ mark }) => mark),
        items.map(({ fence }) => fence),
        batch.map(({ afterMs }) => afterMs),
        batch.map(({ problem }) => problem),
      ])
      const held = new Set(rows.map(({ nr }) => nr))
      return batch.map((_, index) => held.has(index + 1))
    },
    touches: ({ item }) => [`${item.tenant} ${item.key}`],
    weight: () => 1,
    room: 500,
    mayDivide: isRefusal,
  })
  return (settlement) => batching.run(settlement.item.consumer, settlement)
}
