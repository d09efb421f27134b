import { spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { OperatingError } from '@weir/kernel'
import { commandLineOf, identityOf, isAlive, type ProcessIdentity } from './process-identity.ts'
import { planLaunch, type Account } from './unprivileged.ts'
import { waitUntil } from './wait.ts'

/**
 * A server as a child of this process.
 *
 * It has a process group of its own, so Ctrl-C in the terminal reaches only us and we stop our
 * children in order. It dies with us: on Linux the kernel sends `deathSignal` when we are gone; and
 * `runDir` holds a record of it, so that the next start ends what a machine without that left behind.
 */
export interface ChildOptions {
  /** Short name, used for `NAME.pid` and `NAME.log` in `runDir`. */
  readonly name: string
  readonly runDir: string
  readonly program: string
  readonly args: readonly string[]
  /** The whole environment; nothing of ours is inherited, so no PGHOST or GODEBUG leaks in. */
  readonly env?: Readonly<Record<string, string>>
  readonly account?: Account | undefined
  /** Paths beside the program that `account` must be able to reach. */
  readonly reaches?: readonly string[]
  /** Asks the server to end in order. */
  readonly stopSignal: NodeJS.Signals
  /** Sent when we die; `stopSignal` when not given. */
  readonly deathSignal?: NodeJS.Signals
}

export interface Child {
  readonly name: string
  readonly pid: number
  /** Resolves when the process has ended, with words such as `code 1` or `SIGKILL`. */
  readonly ended: Promise<string>
  /** How it ended, or undefined while it runs. */
  how(): string | undefined
  /** The last lines it wrote since it started, for an error message. */
  lastWords(): string
  /** Asks with `stopSignal`, insists with SIGKILL after `graceMs`; resolves when it is gone. */
  stop(graceMs?: number): Promise<void>
  /** SIGKILL, at once. Resolves when it is gone. */
  kill(): Promise<void>
}

interface PidRecord extends ProcessIdentity {
  readonly owner: ProcessIdentity
  /** The program's path: what a process must have on its command line to be taken for ours. */
  readonly program: string
}

const LOG_LIMIT_BYTES = 10_000_000
const DEFAULT_GRACE_MS = 10_000

/** Starts a server, after ending one of the same name in `runDir` that outlived its owner. */
export const startChild = async (options: ChildOptions): Promise<Child> => {
  const { name, runDir, program, stopSignal } = options
  if (!existsSync(program)) throw new OperatingError(`cannot start ${name}: there is no ${program}`)
  mkdirSync(runDir, { recursive: true })
  await endOrphan(runDir, name, stopSignal)
  const plan = planLaunch(program, options.args, {
    account: options.account,
    reaches: [program, ...(options.reaches ?? [])],
    deathSignal: options.deathSignal ?? stopSignal,
  })
  const log = openLog(join(runDir, `${name}.log`))
  const spawned = spawn(plan.program, plan.args, {
    cwd: runDir,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...options.env },
    stdio: ['ignore', log.fd, log.fd],
    detached: true,
    ...(plan.uid === undefined ? {} : { uid: plan.uid }),
    ...(plan.gid === undefined ? {} : { gid: plan.gid }),
  })
  closeSync(log.fd)
  let how: string | undefined
  const ended = new Promise<string>((resolve) => {
    const settle = (words: string): void => {
      how ??= words
      resolve(how)
    }
    spawned.once('error', (error) => settle(error.message))
    spawned.once('exit', (code, signal) => settle(signal ?? `code ${code}`))
  })
  const { pid } = spawned
  if (pid === undefined) {
    throw new OperatingError(`cannot start ${name} (${program}): ${await ended}`)
  }
  const recordFile = join(runDir, `${name}.pid`)
  writeRecord(recordFile, { pid, program })
  void ended.then(() => forget(recordFile, pid))
  const end = async (signal: NodeJS.Signals, graceMs: number): Promise<void> => {
    if (how === undefined) signalTo(signal === 'SIGKILL' ? -pid : pid, signal)
    if (!(await waitUntil(() => how !== undefined, graceMs))) signalTo(-pid, 'SIGKILL')
    await ended
  }
  return {
    name,
    pid,
    ended,
    how: () => how,
    lastWords: () => readFileSync(log.path, 'utf8').slice(log.from).trim().slice(-1500),
    stop: (graceMs = DEFAULT_GRACE_MS) => end(stopSignal, graceMs),
    kill: () => end('SIGKILL', DEFAULT_GRACE_MS),
  }
}

/**
 * Ends the process that `runDir` remembers under `name` if it is really ours and nobody owns it any
 * more. Throws when another live process of weir owns it.
 */
export const endOrphan = async (
  runDir: string,
  name: string,
  stopSignal: NodeJS.Signals,
): Promise<void> => {
  const recordFile = join(runDir, `${name}.pid`)
  const record = readRecord(recordFile)
  if (record === undefined) return
  const isOurs = isAlive(record) && commandLineOf(record.pid).includes(record.program)
  if (isOurs && isAlive(record.owner)) {
    throw new OperatingError(
      `${name} in ${runDir} already runs (process ${record.pid}) for process ${record.owner.pid}; ` +
        'stop that one first',
    )
  }
  if (isOurs) {
    signalTo(record.pid, stopSignal)
    const gone = await waitUntil(() => !isAlive(record), DEFAULT_GRACE_MS)
    if (!gone) signalTo(-record.pid, 'SIGKILL')
    await waitUntil(() => !isAlive(record), DEFAULT_GRACE_MS)
  }
  rmSync(recordFile, { force: true })
}

const openLog = (path: string): { path: string; fd: number; from: number } => {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  const fresh = size > LOG_LIMIT_BYTES
  return { path, fd: openSync(path, fresh ? 'w' : 'a', 0o600), from: fresh ? 0 : size }
}

const writeRecord = (file: string, child: { pid: number; program: string }): void => {
  const identity = identityOf(child.pid)
  const owner = identityOf(process.pid)
  // A child that ended before we looked needs no record.
  if (identity === undefined || owner === undefined) return
  const record: PidRecord = { ...identity, owner, program: child.program }
  writeFileSync(file, `${JSON.stringify(record)}\n`, { mode: 0o600 })
}

const readRecord = (file: string): PidRecord | undefined => {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return isRecord(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

const isRecord = (value: unknown): value is PidRecord =>
  isIdentity(value) &&
  'program' in value &&
  typeof value.program === 'string' &&
  'owner' in value &&
  isIdentity(value.owner)

const isIdentity = (value: unknown): value is ProcessIdentity =>
  typeof value === 'object' &&
  value !== null &&
  'pid' in value &&
  typeof value.pid === 'number' &&
  'started' in value &&
  typeof value.started === 'string'

/** Removes the record unless a later child of the same name has written its own. */
const forget = (file: string, pid: number): void => {
  if (readRecord(file)?.pid === pid) rmSync(file, { force: true })
}

/** Signals one process, or with a negative id its whole group. */
const signalTo = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // It is gone already: what we wanted.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
