import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Migrator, type Migration } from 'kysely/migration'
import { Client, Pool } from 'pg'
import { OperatingError } from '@weir/kernel'
import { describeAddress, toOperatingError } from './database-errors.ts'

const folder = join(import.meta.dirname, 'migrations')
const schema = 'weir'

/**
 * Brings the database at `url` up to this program's schema; nothing happens when it is. Any number of
 * processes may do so at once: a lock of the session lets one work and the others find it done. The
 * user needs the right to create a schema and, when the roles are missing, to create roles.
 *
 * @throws OperatingError when the database does not answer, refuses a step, or was migrated by a newer
 * program, which this one must not write to.
 */
export const migrate = async (url: string): Promise<void> => {
  const lock = new Client({ connectionString: url, application_name: 'weir-migrate' })
  // A session that breaks also fails the statement that waits on it; that one is reported.
  lock.on('error', () => undefined)
  try {
    await lock.connect()
    await lock.query(`select pg_advisory_lock(hashtext('weir.migrate'))`)
    await runMigrations(url)
  } catch (cause) {
    throw toOperatingError('migrate the database', url, cause)
  } finally {
    await lock.end()
  }
}

const runMigrations = async (url: string): Promise<void> => {
  const pool = new Pool({ connectionString: url, max: 1, application_name: 'weir-migrate' })
  pool.on('error', () => undefined)
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  try {
    const migrations = readMigrations()
    await refuseNewer(db, Object.keys(migrations), url)
    const provider = { getMigrations: async () => migrations }
    const migrator = new Migrator({ db, provider, migrationTableSchema: schema })
    const { error, results } = await migrator.migrateToLatest()
    if (error === undefined) return
    const failed = results?.find((result) => result.status === 'Error')?.migrationName
    throw new OperatingError(`migration ${failed ?? 'of the database'} failed and was undone`, {
      cause: error,
    })
  } finally {
    await db.destroy()
  }
}

/** The names of this program's steps, in their order. */
export const migrationNames = (): readonly string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .map((name) => name.slice(0, -'.sql'.length))
    .toSorted()

/** One step per file, in the order of their names; the text of a file that was released never changes. */
const readMigrations = (): Record<string, Migration> =>
  Object.fromEntries(
    migrationNames().map((name): [string, Migration] => {
      const text = readFileSync(join(folder, `${name}.sql`), 'utf8')
      return [name, { up: async (db) => void (await sql.raw(text).execute(db)) }]
    }),
  )

const refuseNewer = async (
  db: Kysely<unknown>,
  ours: readonly string[],
  url: string,
): Promise<void> => {
  const { rows: tables } = await sql<{ found: boolean }>`
    select to_regclass('weir.kysely_migration') is not null as found`.execute(db)
  if (tables[0]?.found !== true) return
  const { rows } = await sql<{ name: string }>`
    select name from weir.kysely_migration order by name`.execute(db)
  const unknown = rows.map(({ name }) => name).filter((name) => !ours.includes(name))
  if (unknown.length === 0) return
  throw new OperatingError(
    `${describeAddress(url)} has a newer schema than this program (${unknown.join(', ')}); ` +
      'run the newer weir, or restore a backup from before it',
  )
}
