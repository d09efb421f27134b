import { Pool, TypeOverrides, type QueryResultRow } from 'pg'
import { assert, type Logger } from '@weir/kernel'
import { toOperatingError } from './database-errors.ts'

/** A prepared statement: planned once per session, sent by name afterwards. */
export interface Statement {
  readonly name: string
  /** What it is for, after "cannot": `read the story`. */
  readonly action: string
  readonly text: string
}

/** The one way to the database: a bounded pool of sessions, each statement its own transaction. */
export interface Database {
  /** @throws OperatingError; with `retry` when trying again makes sense. */
  ask<Row extends QueryResultRow>(statement: Statement, values?: readonly unknown[]): Promise<Row[]>
  close(): Promise<void>
}

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string
  readonly logger: Logger
  /** Shown by `pg_stat_activity`; `weir` when left out. */
  readonly application?: string
  /** Most sessions of this process, 8 when left out. */
  readonly poolSize?: number
  /** Milliseconds a statement may take, 15,000 when left out. */
  readonly statementTimeoutMs?: number
  /** The role the sessions act as; `weir_service` when left out. */
  readonly role?: 'weir_service' | 'weir_reader'
}

const int8 = 20

/** Counts and sequences stay far below 2^53; one that does not is a fault to stop at. */
const toSafeNumber = (text: string): number => {
  const value = Number(text)
  assert(Number.isSafeInteger(value), `the database holds ${text}, too great for a number`)
  return value
}

const typeParsers = new TypeOverrides()
typeParsers.setTypeParser(int8, toSafeNumber)

export const openDatabase = (options: DatabaseOptions): Database => {
  const { url, logger } = options
  const timeoutMs = options.statementTimeoutMs ?? 15_000
  const pool = new Pool({
    connectionString: url,
    max: options.poolSize ?? 8,
    application_name: options.application ?? 'weir',
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    statement_timeout: timeoutMs,
    // A server that vanished without a word leaves the socket open: give up a little later ourselves.
    query_timeout: timeoutMs + 5_000,
    options: `-c role=${options.role ?? 'weir_service'}`,
    types: typeParsers,
  })
  // An idle session that ends, as in a restart of the server, is replaced when next needed.
  pool.on('error', (error) => logger.debug({ problem: error.message }, 'database session ended'))
  let closed: Promise<void> | undefined
  return {
    ask: async <Row extends QueryResultRow>(
      { name, action, text }: Statement,
      values: readonly unknown[] = [],
    ): Promise<Row[]> => {
      try {
        return (await pool.query<Row>({ name, text, values: [...values] })).rows
      } catch (cause) {
        throw toOperatingError(action, url, cause)
      }
    },
    close: () => (closed ??= pool.end()),
  }
}
