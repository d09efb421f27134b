import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { OperatingError, systemClock } from '@weir/kernel'
import { endOrphan, startChild, type Child } from './child.ts'
import { assertPortFree, freePort } from './free-port.ts'
import { locatePostgres, type PostgresProgram } from './postgres-program.ts'
import { commandLineOf } from './process-identity.ts'
import { planLaunch, unprivilegedAccount, type Account } from './unprivileged.ts'
import { waitUntil } from './wait.ts'

export interface PostgresOptions {
  /** PostgreSQL's data folder; its parent gets the password, the log and the process record. */
  readonly dataDir: string
  /** TCP port on 127.0.0.1; 0 picks a free one. */
  readonly port: number
  /** Server settings beside ours, such as `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>
  readonly onProgress?: (line: string) => void
}

export interface Postgres {
  /** `postgres://postgres:PASSWORD@127.0.0.1:PORT/postgres`: a superuser of this server. */
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Resolves when the server has ended, for whatever reason, with words such as `SIGKILL`. */
  readonly ended: Promise<string>
  /** Ends sessions, writes a checkpoint and resolves when the server is gone; may be called twice. */
  stop(): Promise<void>
  /** SIGKILL, as a crash would; for tests. */
  kill(): Promise<void>
}

const START_DEADLINE_MS = 60_000
const START_ATTEMPTS = 20

/**
 * Starts the embedded PostgreSQL on `dataDir`, making it when missing. It listens on 127.0.0.1 only,
 * behind a random password. A folder left by a crash is recovered and keeps its data. Works as root
 * too: the server then runs as another account (see `unprivilegedAccount`).
 *
 * @throws OperatingError when the port is taken, another server runs on `dataDir`, or it does not
 * come up within a minute; the message carries the server's last words.
 */
export const startPostgres = async (options: PostgresOptions): Promise<Postgres> => {
  const dataDir = resolve(options.dataDir)
  const place: Place = {
    dataDir,
    runDir: dirname(dataDir),
    name: basename(dataDir),
    account: unprivilegedAccount(),
    program: locatePostgres(`${dataDir}.lib`),
  }
  mkdirSync(place.runDir, { recursive: true })
  const isNew = !existsSync(join(dataDir, 'PG_VERSION'))
  if (isNew) {
    options.onProgress?.('PostgreSQL: making the data folder')
    await makeDataDir(place, options.settings?.fsync === 'off' ? ['--no-sync'] : [])
  }
  const password = readPassword(place)
  if (options.port !== 0) await assertPortFree(options.port, 'PostgreSQL')
  const { child, port } = await launch(place, options)
  options.onProgress?.(`PostgreSQL: ready on 127.0.0.1:${port}`)
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    port,
    pid: child.pid,
    ended: child.ended,
    stop: () => child.stop(),
    kill: () => child.kill(),
  }
}

interface Place {
  readonly dataDir: string
  readonly runDir: string
  readonly name: string
  readonly account: Account | undefined
  readonly program: PostgresProgram
}

/**
 * Starts the server until it is ready. Two failures pass by themselves and are tried again: after a
 * SIGKILL the dead server's sessions hold its shared memory for a moment, and a port that was free
 * may be taken before we listen on it.
 */
const launch = async (
  place: Place,
  options: PostgresOptions,
): Promise<{ child: Child; port: number }> => {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port === 0 ? await freePort() : options.port
    const child = await startServer(place, port, options.settings ?? {})
    const ready = await waitUntil(
      () => child.how() !== undefined || isReady(place.dataDir, child.pid),
      START_DEADLINE_MS,
    )
    if (ready && child.how() === undefined) return { child, port }
    const words = child.lastWords()
    await child.kill()
    const passes =
      /shared memory block .* is still in use/.test(words) ||
      (options.port === 0 && words.includes('Address already in use'))
    if (!passes || attempt >= START_ATTEMPTS) {
      throw new OperatingError(
        `PostgreSQL did not start on ${place.dataDir} (${await child.ended}); it said:\n${words}`,
      )
    }
    await systemClock.sleep(250)
  }
}

const startServer = async (
  place: Place,
  port: number,
  settings: Readonly<Record<string, string>>,
): Promise<Child> => {
  const { dataDir, runDir, name, account, program } = place
  await endOrphan(runDir, name, 'SIGINT')
  await forgetStalePid(dataDir)
  return startChild({
    name,
    runDir,
    program: program.postgres,
    args: ['-D', dataDir, ...Object.entries(serverSettings(port, settings)).flatMap(asFlag)],
    env: program.env,
    account,
    reaches: [dataDir],
    stopSignal: 'SIGINT',
  })
}

const asFlag = ([key, value]: [string, string]): string[] => ['-c', `${key}=${value}`]

const serverSettings = (
  port: number,
  settings: Readonly<Record<string, string>>,
): Record<string, string> => ({
  listen_addresses: '127.0.0.1',
  port: String(port),
  unix_socket_directories: '',
  max_connections: '300',
  // The log is ours to read after a crash; statements and their values do not belong in it.
  log_statement: 'none',
  ...settings,
})

/**
 * PostgreSQL takes any live process with the number in `postmaster.pid` and its own user for itself
 * and refuses to start, as after a reboot of a container, where numbers begin anew. Its own check of
 * the shared memory remains, so removing a file whose process is another program's is safe.
 */
const forgetStalePid = async (dataDir: string): Promise<void> => {
  const file = join(dataDir, 'postmaster.pid')
  const pid = Number(readLines(file)[0])
  if (!Number.isSafeInteger(pid)) return
  // One whose owner just died is ending now; give it the time to.
  const ended = await waitUntil(() => !commandLineOf(pid).includes(dataDir), 10_000)
  if (!ended) {
    throw new OperatingError(
      `another PostgreSQL (process ${pid}) runs on ${dataDir}; stop it first: kill -INT ${pid}`,
    )
  }
  rmSync(file, { force: true })
}

/** The server writes its state on the eighth line of its pid file; it is `ready` once it takes clients. */
const isReady = (dataDir: string, pid: number): boolean => {
  const lines = readLines(join(dataDir, 'postmaster.pid'))
  return lines[0] === String(pid) && lines[7]?.trim() === 'ready'
}

const readLines = (file: string): string[] => {
  try {
    return readFileSync(file, 'utf8').split('\n')
  } catch {
    return []
  }
}

const passwordFile = (place: Place): string => join(place.runDir, `${place.name}.password`)

const readPassword = (place: Place): string => {
  const file = passwordFile(place)
  if (existsSync(file)) return readFileSync(file, 'utf8').trim()
  throw new OperatingError(
    `${file} is missing, and without it nobody can open the data in ${place.dataDir}; ` +
      'restore that file, or remove both to begin empty',
  )
}

/** Runs initdb beside the final place and moves the result there, so a crash leaves no half folder. */
const makeDataDir = async (place: Place, flags: readonly string[]): Promise<void> => {
  const fresh = `${place.dataDir}.new`
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(fresh, { recursive: true, mode: 0o700 })
  const password = randomBytes(24).toString('base64url')
  const pwfile = `${fresh}.password`
  writeFileSync(pwfile, `${password}\n`, { mode: 0o600 })
  try {
    giveTo(place.account, [fresh, pwfile])
    const args = ['-D', fresh, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${pwfile}`]
    args.push(
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--locale=C.UTF-8',
      '--no-instructions',
    )
    await runToEnd(place, [...args, ...flags])
    writeFileSync(passwordFile(place), `${password}\n`, { mode: 0o600 })
    rmSync(place.dataDir, { recursive: true, force: true })
    renameSync(fresh, place.dataDir)
  } finally {
    rmSync(pwfile, { force: true })
  }
}

const giveTo = (account: Account | undefined, paths: readonly string[]): void => {
  if (account === undefined || account.below === true) return
  try {
    for (const path of paths) chownSync(path, account.uid, account.gid)
  } catch (cause) {
    throw new OperatingError(
      `cannot give ${paths[0]} to the user ${account.name}, and PostgreSQL refuses to run as root; ` +
        'run weir as an ordinary user, or set DATABASE_URL to a server of your own',
      { cause },
    )
  }
}

const runToEnd = async (place: Place, args: readonly string[]): Promise<void> => {
  const { initdb, env } = place.program
  const plan = planLaunch(initdb, args, {
    account: place.account,
    reaches: [initdb, place.dataDir],
    deathSignal: 'SIGKILL',
  })
  const { uid, gid } = plan
  const initialising = spawn(plan.program, plan.args, {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  })
  let words = ''
  for (const stream of [initialising.stdout, initialising.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (words += text))
  }
  const code = await new Promise<number | string>((settle) => {
    initialising.once('error', (error) => settle(error.message))
    initialising.once('close', (status, signal) => settle(signal ?? status ?? 1))
  })
  if (code === 0) return
  throw new OperatingError(
    `initdb could not make ${place.dataDir} (${code}); it said:\n${words.trim().slice(-1500)}`,
  )
}
