import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { identityOf, obtainBinary, startPostgres, type Postgres } from '@weir/embedded'
import { explainError } from '@weir/kernel'
import type { TestProject } from 'vitest/node'

/** What a test file is told about the servers of its run. */
export interface TestServers {
  /** `http://127.0.0.1:PORT`: answers `/postgres` and `/nats-server`. */
  readonly broker: string
  /** A folder of this run, removed when it ends. */
  readonly folder: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    weirTestServers: TestServers
  }
}

const PREFIX = 'weir-test-'

/**
 * Once per run, in vitest's own process, which outlives every worker: a broker that starts one
 * PostgreSQL when the first test file asks for it. So parallel files share it, a run that needs none
 * starts none, and it ends with the run (or with this process, should that be killed).
 */
export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  sweepAbandoned()
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
  let postgres: Promise<Postgres> | undefined
  let natsServer: Promise<string> | undefined
  const answers: Readonly<Record<string, () => Promise<string>>> = {
    '/postgres': async () => (await (postgres ??= startTestPostgres(folder))).url,
    '/nats-server': () => (natsServer ??= obtainBinary('nats-server', { env: process.env })),
  }
  const broker = await serve(answers)
  project.provide('weirTestServers', { broker: addressOf(broker), folder })
  return async () => {
    broker.closeAllConnections()
    broker.close()
    // One that failed to start was reported to the test that asked for it.
    await postgres?.then((server) => server.stop()).catch(() => undefined)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Durability against a power cut is not what tests are about; a killed server still recovers. */
const startTestPostgres = (folder: string): Promise<Postgres> =>
  startPostgres({
    dataDir: join(folder, 'postgres'),
    port: 0,
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
  })

const serve = async (answers: Readonly<Record<string, () => Promise<string>>>): Promise<Server> => {
  const server = createServer((request, response) => {
    const answer = answers[request.url ?? '']
    if (answer === undefined) response.writeHead(404).end()
    else {
      answer().then(
        (text) => response.end(text),
        (error: unknown) => response.writeHead(500).end(explainError(error)),
      )
    }
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return server
}

const addressOf = (server: Server): string => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the broker has no port')
  return `http://127.0.0.1:${address.port}`
}

/** Removes the folders of runs that were killed before they could. */
const sweepAbandoned = (): void => {
  for (const name of readdirSync(tmpdir())) {
    const owner = Number(/^weir-test-(\d+)-/.exec(name)?.[1])
    if (Number.isNaN(owner) || identityOf(owner) !== undefined) continue
    rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}
