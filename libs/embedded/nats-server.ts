import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { basename, dirname, join, resolve } from 'node:path'
import { OperatingError } from '@weir/kernel'
import { startChild, type Child } from './child.ts'
import { assertPortFree, freePort } from './free-port.ts'
import { waitUntil } from './wait.ts'

export interface NatsServerOptions {
  /** The nats-server program; `findBinary('nats-server', ...)` says where it is. */
  readonly program: string
  /** JetStream's folder; its parent gets the configuration, the log and the process record. */
  readonly storeDir: string
  /** TCP port on 127.0.0.1; 0 picks a free one. */
  readonly port: number
  readonly onProgress?: (line: string) => void
}

export interface NatsServer {
  /** `nats://127.0.0.1:PORT` */
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Resolves when the server has ended, for whatever reason, with words such as `SIGKILL`. */
  readonly ended: Promise<string>
  /** Ends it in order and resolves when it is gone; may be called twice. */
  stop(): Promise<void>
  /** SIGKILL, as a crash would; for tests. */
  kill(): Promise<void>
}

const START_DEADLINE_MS = 30_000
const START_ATTEMPTS = 5

/**
 * Starts nats-server with JetStream on `storeDir`, on 127.0.0.1 only. What JetStream holds is a hint
 * and never the truth, so its default of syncing every two minutes is kept.
 *
 * @throws OperatingError when the port is taken or the server does not answer within 30 s.
 */
export const startNatsServer = async (options: NatsServerOptions): Promise<NatsServer> => {
  const storeDir = resolve(options.storeDir)
  mkdirSync(storeDir, { recursive: true })
  if (options.port !== 0) await assertPortFree(options.port, 'nats-server')
  const { child, port } = await launch(storeDir, options)
  options.onProgress?.(`nats-server: ready on 127.0.0.1:${port}`)
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    pid: child.pid,
    ended: child.ended,
    stop: () => child.stop(),
    kill: () => child.kill(),
  }
}

/** A port that was free may be taken before the server listens on it: then another is tried. */
const launch = async (
  storeDir: string,
  options: NatsServerOptions,
): Promise<{ child: Child; port: number }> => {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port === 0 ? await freePort() : options.port
    const child = await startChild({
      name: basename(storeDir),
      runDir: dirname(storeDir),
      program: options.program,
      args: ['-c', writeConfig(storeDir, port)],
      stopSignal: 'SIGTERM',
    })
    if (await answers(child, port)) return { child, port }
    const words = child.lastWords()
    await child.kill()
    const passes = options.port === 0 && words.includes('address already in use')
    if (!passes || attempt >= START_ATTEMPTS) {
      throw new OperatingError(
        `nats-server did not start on 127.0.0.1:${port} (${await child.ended}); it said:\n${words}`,
      )
    }
  }
}

const writeConfig = (storeDir: string, port: number): string => {
  const file = join(dirname(storeDir), `${basename(storeDir)}.conf`)
  const config = [
    'server_name: weir',
    `listen: "127.0.0.1:${port}"`,
    `jetstream { store_dir: ${JSON.stringify(storeDir)}, max_mem: 256MB, max_file: 8GB }`,
  ]
  writeFileSync(file, `${config.join('\n')}\n`)
  return file
}

const answers = async (child: Child, port: number): Promise<boolean> => {
  const inTime = await waitUntil(
    async () => child.how() !== undefined || (await greets(port)),
    START_DEADLINE_MS,
  )
  return inTime && child.how() === undefined
}

/** A NATS server speaks first: `INFO {...}`. */
const greets = (port: number): Promise<boolean> =>
  new Promise((settle) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 1_000 })
    const finish = (answer: boolean): void => {
      socket.destroy()
      settle(answer)
    }
    socket.once('data', (data) => finish(data.toString('latin1').startsWith('INFO ')))
    socket.once('error', () => finish(false))
    socket.once('timeout', () => finish(false))
    socket.once('close', () => settle(false))
  })
