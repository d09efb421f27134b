import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { freePort } from '@weir/embedded'
import { createConnection, parseKubeconfig, withLoopback, type KubeConnection } from '@weir/kube'
import type { MiniclusterKind } from '@weir/minicluster'
import { eventually } from '@weir/testing'
import { run, words, type Ran } from './command.ts'
import { childEnvironment, findKubectl } from './environment.ts'
import { partsOf, type Parts } from './parts.ts'
import { processesOf } from './processes.ts'

export const main = resolve(import.meta.dirname, '../../cli/main.ts')

/** A platform as a user has it: `weir up` in a folder of its own, and the two commands to use it. */
export interface Platform {
  readonly kind: MiniclusterKind
  /** The working folder, with `.weir` in it. */
  readonly folder: string
  readonly state: string
  readonly kubeconfig: string
  readonly api: string
  readonly token: string
  readonly natsUrl: string
  readonly parts: Parts
  /** The tenant cluster's API server, as its administrator; for looking often. */
  readonly kube: KubeConnection
  /** Standard output of stock kubectl; rejects with its words when it fails. */
  kubectl(line: string | readonly string[], input?: string): Promise<string>
  /** kubectl that goes on, such as `get -w`; the caller ends it. */
  kubectlFollow(line: string | readonly string[]): ChildProcess
  /** The command `weir`, whatever its exit code. */
  weir(line: string | readonly string[]): Promise<Ran>
  /** What `weir ... -o json` printed; rejects with its words when it fails. */
  weirJson(line: string | readonly string[]): Promise<unknown>
  /** One call of weir's HTTP API as the operator. */
  ask(method: string, path: string, body?: unknown): Promise<Answer>
  /** The process `weir up`. */
  readonly up: ChildProcess
  /** What `weir up` has said so far. */
  output(): string
  /** Ctrl-C; resolves with the exit code when it has ended, after a look that it left no process. */
  interrupt(): Promise<number>
  /** Ctrl-C, and the folder goes. */
  stop(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

export interface StartOptions {
  readonly kind: MiniclusterKind
  /** A folder of an earlier platform; a new one when absent. */
  readonly folder?: string
  readonly flags?: readonly string[]
  /** Variables for `weir up` and all that it starts. */
  readonly env?: Readonly<Record<string, string>>
}

const readyDeadlineMs = 120_000
const stopDeadlineMs = 40_000

/** A new folder for a platform, with a home that is not the user's. */
export const makeFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-e2e-'))
  mkdirSync(join(folder, 'home'))
  return folder
}

/** Runs the command `weir` in a folder. */
export const runWeir = (folder: string, line: string | readonly string[]): Promise<Ran> =>
  run(process.execPath, [main, ...words(line)], {
    env: childEnvironment(join(folder, 'home')),
    cwd: folder,
    deadlineMs: 120_000,
  })

/** Starts a platform as a user would and waits for the line that says it is ready. */
export const startPlatform = async (options: StartOptions): Promise<Platform> => {
  const { kind, flags = [] } = options
  const folder = options.folder ?? makeFolder()
  const state = join(folder, '.weir')
  const env = { ...childEnvironment(join(folder, 'home')), ...options.env }
  // A port of its own: two platforms that begin at once may both find the usual one free.
  const port = options.folder === undefined ? ['--api-port', String(await freePort())] : []
  const args = ['up', '--cluster', kind, '--state', state, ...port, ...flags]
  const up = spawn(process.execPath, [main, ...args], {
    env,
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [up.stdout, up.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  }
  await untilReady(up, () => said)
  const file = JSON.parse(readFileSync(join(state, 'weir.json'), 'utf8')) as WeirFile
  const kubeconfig = join(state, 'kubeconfig')
  const commands = commandsOf({ folder, env, kubeconfig })
  const kube = createConnection(parseKubeconfig(readFileSync(kubeconfig, 'utf8')), {
    policy: withLoopback,
  })
  const interrupt = async (): Promise<number> => {
    await kube.close()
    return endUp(up, state, () => said)
  }
  return {
    kind,
    folder,
    state,
    kubeconfig,
    api: file.api,
    token: file.token,
    up,
    kube,
    natsUrl: `nats://127.0.0.1:${natsPortIn(state)}`,
    parts: partsOf(state),
    ...commands,
    ask: (method, path, body) => askApi(file, method, path, body),
    output: () => said,
    interrupt,
    stop: async () => {
      await interrupt()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface WeirFile {
  readonly api: string
  readonly token: string
}

const natsPortIn = (state: string): number => {
  const file = JSON.parse(readFileSync(join(state, 'platform.json'), 'utf8')) as {
    ports: { nats: number }
  }
  return file.ports.nats
}

const untilReady = async (up: ChildProcess, said: () => string): Promise<void> => {
  try {
    await eventually(
      () => {
        if (up.exitCode !== null) return true
        return said().includes('Ctrl-C stops everything')
      },
      { deadlineMs: readyDeadlineMs },
    )
  } catch (cause) {
    up.kill('SIGINT')
    throw new Error(`the platform was not ready in time; it said:\n${said()}`, { cause })
  }
  if (up.exitCode !== null) throw new Error(`weir up ended with ${up.exitCode}:\n${said()}`)
}

const endUp = async (up: ChildProcess, state: string, said: () => string): Promise<number> => {
  const ended =
    up.exitCode === null && up.signalCode === null ? once(up, 'exit') : Promise.resolve([])
  up.kill('SIGINT')
  const timer = setTimeout(() => up.kill('SIGKILL'), stopDeadlineMs)
  await ended
  clearTimeout(timer)
  const left = (): string[] => processesOf(state).map(({ pid, command }) => `${pid} ${command}`)
  // A process that was killed may be seen for a moment longer.
  await eventually(() => left().length === 0, { deadlineMs: 2_000 }).catch(() => {
    throw new Error(`weir up left processes:\n${left().join('\n')}\nit said:\n${said()}`)
  })
  return up.exitCode ?? 137
}

const commandsOf = (at: { folder: string; env: Record<string, string>; kubeconfig: string }) => {
  const kubectlProgram = findKubectl()
  const env = { ...at.env, KUBECONFIG: at.kubeconfig }
  const kubectl: Platform['kubectl'] = async (line, input) => {
    const options = { env, cwd: at.folder, ...(input === undefined ? {} : { input }) }
    const ran = await run(kubectlProgram, words(line), options)
    if (ran.code === 0) return ran.stdout
    throw new Error(`kubectl ${words(line).join(' ')}: ${ran.stderr.trim()}`)
  }
  const weir: Platform['weir'] = (line) => runWeir(at.folder, line)
  const weirJson: Platform['weirJson'] = async (line) => {
    const ran = await weir([...words(line), '-o', 'json'])
    if (ran.code === 0) return JSON.parse(ran.stdout) as unknown
    throw new Error(`weir ${words(line).join(' ')} ended with ${ran.code}: ${ran.stderr.trim()}`)
  }
  const kubectlFollow: Platform['kubectlFollow'] = (line) =>
    spawn(kubectlProgram, words(line), { env, cwd: at.folder })
  return { kubectl, kubectlFollow, weir, weirJson }
}

const askApi = async (
  { api, token }: WeirFile,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer> => {
  const json = body === undefined ? {} : { 'content-type': 'application/json' }
  const response = await fetch(`${api}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...json },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) }
}

/** The last lines of every process's log, for a test that failed. */
export const lastWordsOf = (state: string, lines = 12): string => {
  const logs = ['watcher', 'allocator', 'provisioner', 'gc', 'edge', 'api'].map((name) => ({
    name,
    path: join(state, 'run', `${name}.log`),
  }))
  return logs
    .filter(({ path }) => existsSync(path))
    .map(({ name, path }) => {
      const tail = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines)
      return `--- ${name}\n${tail.map((line) => line.slice(0, 400)).join('\n')}`
    })
    .join('\n')
}
