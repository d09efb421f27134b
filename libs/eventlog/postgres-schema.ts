import type { Database } from './database.ts'
import { migrationNames } from './migrate.ts'

const statement = {
  name: 'schema_state',
  action: 'see which migrations were made',
  // `migrate` holds this lock while it works; a shared look at it ends with the statement.
  text: `select pg_try_advisory_xact_lock_shared(hashtext('weir.migrate')) as quiet,
      (select array_agg(name order by name) from weir.kysely_migration) as names`,
}

/** Why the schema is not this program's now; null when it is. */
export const schemaProblem = async (db: Database): Promise<string | null> => {
  const [row] = await db.ask<{ quiet: boolean; names: string[] | null }>(statement)
  if (row?.quiet !== true) return 'a migration of the database is under way'
  const ours = migrationNames()
  const made = row.names ?? []
  const ahead = made.filter((name) => !ours.includes(name))
  if (ahead.length > 0)
    return `the database has a newer schema than this program: ${ahead.join(', ')}`
  const behind = ours.filter((name) => !made.includes(name))
  return behind.length > 0 ? `the database lacks migrations: ${behind.join(', ')}` : null
}
