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

const statement = {
  name: 'settle',
  action: 'settle work',
  text: 'select weir.settle_work($1, $2, $3, $4, $5, $6, $7) as nr',
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
