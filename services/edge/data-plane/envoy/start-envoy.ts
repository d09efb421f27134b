import { OperatingError, type Clock } from '@weir/kernel'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProtoMessage } from '../../domain/envoy-resources.ts'
import { createEnvoyAdmin, type EnvoyAdmin } from './envoy-admin.ts'

export interface EnvoyOptions {
  /** The program, or its name on PATH. */
  readonly program: string
  /** Gets the bootstrap, the log, the process id and the admin socket; a name for each. */
  readonly folder: string
  /** What Envoy is told at its start beside `admin`, which is added. */
  readonly bootstrap: ProtoMessage
  readonly clock: Clock
  /** Threads that carry traffic; default: one for each core. */
  readonly workers?: number
}

/** A process of its own: it goes on when this one ends. */
export interface EnvoyProcess {
  readonly pid: number
  readonly admin: EnvoyAdmin
  /** Whether that very process lives. */
  isAlive(): boolean
  /** Ends it and resolves when it is gone. */
  stop(): Promise<void>
}

const startMs = 20_000
const stopMs = 5_000

/**
 * Starts an Envoy, or goes on with the one that lives in `folder` already, with the bootstrap that it
 * had. Resolves when its admin socket answers, which may be before it has any configuration.
 *
 * Listeners that go are cut at once (`--drain-time-s 0`): who wants to let connections end keeps the
 * listener meanwhile.
 * @throws OperatingError with Envoy's last words when it does not come up
 */
export const startEnvoy = async (options: EnvoyOptions): Promise<EnvoyProcess> => {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 })
  const files = filesIn(options.folder)
  const admin = createEnvoyAdmin(files.admin)
  const former = readPid(files)
  if (former !== undefined) {
    if (await adminAnswers(admin)) return processOf(former, files, options.clock)
    // It lives and says nothing: another beside it would share its ports.
    await endProcess(former, files, options.clock)
  }
  const pid = await launch(options, files)
  const isUp = await waitFor(options.clock, startMs, async () => {
    return !isEnvoy(pid, files) || (await adminAnswers(admin))
  })
  if (isUp && isEnvoy(pid, files)) return processOf(pid, files, options.clock)
  await endProcess(pid, files, options.clock)
  throw new OperatingError(
    `Envoy (${options.program}) did not start in ${options.folder}; its log ends:\n${lastWords(files)}`,
  )
}

interface Files {
  readonly bootstrap: string
  readonly admin: string
  readonly log: string
  readonly pid: string
}

const filesIn = (folder: string): Files => ({
  bootstrap: join(folder, 'envoy.json'),
  admin: join(folder, 'admin.sock'),
  log: join(folder, 'envoy.log'),
  pid: join(folder, 'envoy.pid'),
})

const launch = async (options: EnvoyOptions, files: Files): Promise<number> => {
  const { program, bootstrap, workers, folder } = options
  const admin = { address: { pipe: { path: files.admin, mode: 0o600 } } }
  writeFileSync(files.bootstrap, `${JSON.stringify({ ...bootstrap, admin }, null, 2)}\n`)
  const args = ['-c', files.bootstrap, '--disable-hot-restart', '--drain-time-s', '0']
  const level = ['--log-level', 'warning']
  const threads = workers === undefined ? [] : ['--concurrency', `${workers}`]
  const log = openSync(files.log, 'w', 0o600)
  const child = spawn(program, [...args, ...level, ...threads], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  try {
    await once(child, 'spawn')
  } catch (cause) {
    throw new OperatingError(`cannot run ${program}`, { cause })
  }
  child.unref()
  const pid = child.pid ?? 0
  writeFileSync(files.pid, `${pid}\n`)
  return pid
}

const processOf = (pid: number, files: Files, clock: Clock): EnvoyProcess => ({
  pid,
  admin: createEnvoyAdmin(files.admin),
  isAlive: () => isEnvoy(pid, files),
  stop: () => endProcess(pid, files, clock),
})

const endProcess = async (pid: number, files: Files, clock: Clock): Promise<void> => {
  const isGone = async (): Promise<boolean> => Promise.resolve(!isEnvoy(pid, files))
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (await isGone()) return
    process.kill(pid, signal)
    await waitFor(clock, stopMs, isGone)
  }
}

const waitFor = async (
  clock: Clock,
  mostMs: number,
  isSo: () => Promise<boolean>,
): Promise<boolean> => {
  const until = clock.now() + mostMs
  while (clock.now() < until) {
    if (await isSo()) return true
    await clock.sleep(20)
  }
  return false
}

/** The admin socket answers before there are listeners; only `/ready` waits for them. */
const adminAnswers = (admin: EnvoyAdmin): Promise<boolean> =>
  admin.stats('^server\\.uptime$').then(
    () => true,
    () => false,
  )

const readPid = (files: Files): number | undefined => {
  const pid = Number(readText(files.pid).trim())
  return Number.isSafeInteger(pid) && pid > 0 && isEnvoy(pid, files) ? pid : undefined
}

/** A process id is used again; the path of the bootstrap says that it is ours. A zombie has none. */
const isEnvoy = (pid: number, files: Files): boolean =>
  pid > 0 && readText(`/proc/${pid}/cmdline`).split('\0').includes(files.bootstrap)

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

const lastWords = (files: Files): string => readText(files.log).trim().slice(-1_000)
