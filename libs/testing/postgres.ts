import { randomUUID } from 'node:crypto'
import { migrate } from '@weir/eventlog'
import { Client } from 'pg'
import { askBroker } from './test-servers.ts'

/** What every database of one kind begins with. */
export interface Template {
  /** Names the template within this test run: lower-case letters, digits and `_`. */
  readonly name: string
  /** Runs once per run, on an empty database. */
  readonly migrate: (url: string) => Promise<void>
}

export interface TestDatabase {
  /** A superuser's address of a database that nobody else uses. */
  readonly url: string
  /** Ends every session of the database and removes it. */
  drop(): Promise<void>
}

const eventLog: Template = { name: 'event_log', migrate }

/**
 * A database of its own for a test file, with the event log's schema unless another template is
 * given: a copy of it, about 50 ms once that is migrated. Whoever asks first migrates it; the others
 * wait.
 */
export const testDatabase = async (template: Template = eventLog): Promise<TestDatabase> => {
  const server = await askBroker('/postgres')
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await asAdmin(server, async (admin) => {
    const source = await ensureTemplate(admin, server, template)
    await admin.query(`create database ${name} template ${source}`)
  })
  return {
    url: at(server, name),
    drop: () =>
      asAdmin(server, async (admin) => {
        await admin.query(`drop database if exists ${name} with (force)`)
      }),
  }
}

/** Migrates under another name and renames, so a failed migration leaves no template behind. */
const ensureTemplate = async (
  admin: Client,
  server: string,
  { name, migrate }: Template,
): Promise<string> => {
  const template = `template_${name}`
  const draft = `draft_${name}`
  await admin.query('select pg_advisory_lock(hashtext($1))', [template])
  try {
    const found = await admin.query('select 1 from pg_database where datname = $1', [template])
    if (found.rowCount === 0) {
      await admin.query(`drop database if exists ${draft} with (force)`)
      await admin.query(`create database ${draft} template template0`)
      await migrate(at(server, draft))
      await admin.query(`alter database ${draft} rename to ${template}`)
    }
  } finally {
    await admin.query('select pg_advisory_unlock(hashtext($1))', [template])
  }
  return template
}

/** Asks one question on a connection of its own and gives the rows. */
export const query = async (url: string, sql: string): Promise<unknown[]> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

const asAdmin = async (server: string, act: (admin: Client) => Promise<void>): Promise<void> => {
  const admin = new Client({ connectionString: server })
  await admin.connect()
  try {
    await act(admin)
  } finally {
    await admin.end()
  }
}

const at = (server: string, database: string): string => {
  const url = new URL(server)
  url.pathname = `/${database}`
  return url.href
}
