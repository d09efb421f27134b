import {
  hashOf,
  observationFacts,
  observationKey,
  type Observation,
  type ObservationKind,
} from '@weir/contract'
import type { Database } from './database.ts'
import type { Observed, SeenWithKeys } from './eventlog.ts'
import { newestOfEach } from './newest-seen.ts'

const statements = {
  store: {
    name: 'observe',
    action: 'keep observations',
    text: 'select weir.observe($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) as nr',
  },
  get: {
    name: 'observed_get',
    action: 'read an observation',
    text: `select body from weir.observed_object
      where tenant = $1 and cluster = $2 and kind = $3 and key = $4
      order by watcher_epoch desc, seen_order desc limit 1`,
  },
  list: {
    name: 'observed_list',
    action: 'read observations',
    text: `select distinct on (key) body from weir.observed_object
      where tenant = $1 and cluster = $2 and kind = $3
      order by key, watcher_epoch desc, seen_order desc`,
  },
}

/** Last observations in Postgres. */
export const createPostgresObserved = (db: Database): Observed => ({
  store: async (consumer, seen) => {
    const newest = newestOfEach(seen)
    if (newest.length === 0) return []
    const rows = await db.ask<{ nr: number }>(statements.store, [consumer, ...toArrays(newest)])
    const changed = new Set(rows.map(({ nr }) => nr))
    return newest.filter((_, index) => changed.has(index + 1)).map(({ seen: one }) => one)
  },
  get: async <K extends ObservationKind>(at: { readonly kind: K } & ObjectPlace) => {
    const rows = await db.ask<{ body: Extract<Observation, { kind: K }> }>(statements.get, [
      at.tenant,
      at.cluster,
      at.kind,
      at.key,
    ])
    return rows[0]?.body
  },
  list: async <K extends ObservationKind>(at: { readonly kind: K } & Omit<ObjectPlace, 'key'>) => {
    const rows = await db.ask<{ body: Extract<Observation, { kind: K }> }>(statements.list, [
      at.tenant,
      at.cluster,
      at.kind,
    ])
    return rows.map(({ body }) => body)
  },
})

interface ObjectPlace {
  readonly tenant: string
  readonly cluster: string
  readonly key: string
}

/** The arguments of `weir.observe` after the consumer, in its order: columns, not rows. */
const toArrays = (newest: readonly SeenWithKeys[]): unknown[] => {
  const seen = newest.map((one) => one.seen)
  const work = newest.flatMap(({ keys }, index) => keys.map((key) => ({ key, of: index + 1 })))
  return [
    seen.map(({ tenant }) => tenant),
    seen.map(({ cluster }) => cluster),
    seen.map(({ kind }) => kind),
    seen.map(observationKey),
    seen.map(({ watcherEpoch }) => watcherEpoch),
    seen.map(({ order }) => order),
    seen.map((one) => hashOf(observationFacts(one))),
    seen.map((one) => JSON.stringify(one)),
    work.map(({ of }) => of),
    work.map(({ key }) => key),
  ]
}
