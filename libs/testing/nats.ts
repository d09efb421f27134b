import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { startNatsServer, type NatsServer } from '@weir/embedded'
import { askBroker, testServers } from './test-servers.ts'

/** A real nats-server with JetStream for one test file; it keeps its port through every restart. */
export interface TestNats {
  readonly url: string
  /** Starts it again with what it has stored, after ending it if it runs. */
  restart(): Promise<void>
  /** Total loss: ends it, removes every JetStream file, starts it again. */
  wipe(): Promise<void>
  /** SIGKILL; it stays away until `restart` or `wipe`. */
  kill(): Promise<void>
  /** Ends it and removes its files; may be called twice. */
  stop(): Promise<void>
}

/** Starts a nats-server of the test file's own on a free port. */
export const testNats = async (): Promise<TestNats> => {
  const program = await askBroker('/nats-server')
  const folder = mkdtempSync(join(testServers().folder, 'nats-'))
  const storeDir = join(folder, 'jetstream')
  const start = (port: number): Promise<NatsServer> => startNatsServer({ program, storeDir, port })
  let server = await start(0)
  const restartAfter = async (between: () => void): Promise<void> => {
    await server.stop()
    between()
    server = await start(server.port)
  }
  return {
    url: server.url,
    restart: () => restartAfter(() => undefined),
    wipe: () => restartAfter(() => rmSync(storeDir, { recursive: true, force: true })),
    kill: () => server.kill(),
    stop: async () => {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
