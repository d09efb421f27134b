import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { explainError, OperatingError } from '@weir/kernel'

/** Environment variables as a record: only the caller reads the real ones. */
export type Environment = Readonly<Record<string, string | undefined>>

/** How to start moto's server: a program of the user's, or Python on a folder of ours. */
interface Moto {
  readonly program: string
  readonly args: readonly string[]
  readonly env: Environment
}

const requirements = join(import.meta.dirname, 'moto-requirements.txt')
const installWithinMs = 300_000
const startWithinMs = 60_000

/**
 * Where moto's server is: the program that WEIR_MOTO_SERVER names, `moto_server` on PATH, or our cache,
 * which Python's own package client fills once per machine with exactly the pinned versions.
 *
 * @throws OperatingError in one sentence that says what to install or set.
 */
const findMoto = async (env: Environment): Promise<Moto> => {
  const named = env['WEIR_MOTO_SERVER'] ?? ''
  if (named !== '') {
    if (isProgram(named)) return { program: named, args: [], env }
    throw new OperatingError(`WEIR_MOTO_SERVER=${named} is no program that can be run; correct it`)
  }
  const folders = (env['PATH'] ?? '').split(delimiter).filter(Boolean)
  const onPath = folders.map((folder) => join(folder, 'moto_server')).find(isProgram)
  if (onPath !== undefined) return { program: onPath, args: [], env }
  const cached = cacheFolder(env)
  if (!existsSync(cached)) await install(cached, env)
  return { program: 'python3', args: ['-m', 'moto.server'], env: { ...env, PYTHONPATH: cached } }
}

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Another list of versions is another folder. */
const cacheFolder = (env: Environment): string => {
  const cache = env['XDG_CACHE_HOME'] || join(env['HOME'] ?? homedir(), '.cache')
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  return join(cache, 'weir', 'bin', `moto-${hash}`)
}

/** Installs beside its place and moves it there at once: of two that do it, one is kept. */
const install = async (folder: string, env: Environment): Promise<void> => {
  mkdirSync(dirname(folder), { recursive: true })
  const draft = mkdtempSync(`${folder}.new-`)
  try {
    const pip = ['-m', 'pip', 'install', '--quiet', '--target', draft, '-r', requirements]
    await run('python3', pip, env)
    if (!existsSync(folder)) renameSync(draft, folder)
  } catch (cause) {
    const what = 'cannot get moto; install Python 3 with pip, or set WEIR_MOTO_SERVER'
    throw new OperatingError(what, { cause })
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

const run = async (program: string, args: readonly string[], env: Environment): Promise<void> => {
  const child = spawn(program, args, { env: { ...env }, stdio: ['ignore', 'ignore', 'pipe'] })
  const timer = setTimeout(() => child.kill(), installWithinMs)
  let said = ''
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (said = `${said}${text}`.slice(-2000)))
  const code = await new Promise<number | string>((settle) => {
    child.once('error', (error) => settle(explainError(error)))
    child.once('close', (code, signal) => settle(signal ?? code ?? 1))
  })
  clearTimeout(timer)
  if (code !== 0)
    throw new OperatingError(`${program} ${args.slice(0, 3).join(' ')}: ${code} ${said}`)
}

export interface MotoServer {
  readonly endpoint: string
  /** Empties the account. */
  reset(): Promise<void>
  stop(): Promise<void>
}

/** Starts moto's server on a free port of 127.0.0.1, getting it first when the machine has none. */
export const startMoto = async (env: Environment): Promise<MotoServer> => {
  const moto = await findMoto(env)
  const child = spawn(moto.program, [...moto.args, '-H', '127.0.0.1', '-p', '0'], {
    env: { ...moto.env, PYTHONUNBUFFERED: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // A run that is broken off comes to no `stop`.
  process.once('exit', () => child.kill())
  const endpoint = await endpointOf(child)
  return {
    endpoint,
    reset: async () => {
      const { ok, status } = await fetch(`${endpoint}/moto-api/reset`, { method: 'POST' })
      if (!ok) throw new OperatingError(`moto does not reset: ${status}`)
    },
    stop: async () => {
      const ended = new Promise((done) => child.once('close', done))
      child.kill()
      await ended
    },
  }
}

/** The address that it says it runs on. What it writes later is read and thrown away. */
const endpointOf = async (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    let said = ''
    const fail = (why: string): void =>
      reject(new OperatingError(`moto did not start: ${why} ${said}`))
    const timer = setTimeout(() => fail('it says no address'), startWithinMs)
    child.once('error', (error) => fail(explainError(error)))
    child.once('close', (code) => fail(`it ended with ${code}`))
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said = `${said}${text}`.slice(-2000)
        const found = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1]
        if (found === undefined) return
        clearTimeout(timer)
        resolve(found)
      })
    }
  })
