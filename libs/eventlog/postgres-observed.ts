import {
  hashOf,
  observationFacts,
  observationKey,
  type Observation,
  type ObservationKind,
} from '@weir/contract'
import { createBatching } from './batching.ts'
import type { Database } from './database.ts'
import { isRefusal } from './database-errors.ts'
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
    text: `select asked.nr::int as nr, newest.body
      from unnest($1::text[], $2::text[], $3::text[], $4::text[])
        with ordinality as asked(tenant, cluster, kind, key, nr)
      cross join lateral (
        select o.body from weir.observed_object o where o.tenant = asked.tenant
          and o.cluster = asked.cluster and o.kind = asked.kind and o.key = asked.key
        order by o.watcher_epoch desc, o.seen_order desc limit 1) newest`,
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
  get: createGets(db),
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

/** Reads single observations; those that are asked for while others are read come together. */
const createGets = (db: Database): Observed['get'] => {
  const batching = createBatching<ObjectPlace & { readonly kind: string }, Observation | undefined>(
    {
      send: async (_lane, places) => {
        const rows = await db.ask<{ nr: number; body: Observation }>(statements.get, [
          places.map(({ tenant }) => tenant),
          places.map(({ cluster }) => cluster),
          places.map(({ kind }) => kind),
          places.map(({ key }) => key),
        ])
        const bodies = new Map(rows.map(({ nr, body }) => [nr, body]))
        return places.map((_, index) => bodies.get(index + 1))
      },
      touches: () => [],
      weight: () => 1,
      room: 64,
      mayDivide: isRefusal,
    },
  )
  return async <K extends ObservationKind>(at: ObjectPlace & { readonly kind: K }) => {
    const found = await batching.run(at.kind, at)
    return found as Extract<Observation, { kind: K }> | undefined
  }
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
