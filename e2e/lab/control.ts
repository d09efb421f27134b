import { execFile, spawn } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { addressOf, type Host, type Lab } from '../../services/edge/rig/lab.ts'
import { controlPorts } from './places.ts'

const root = resolve(import.meta.dirname, '../..')

/** Leads what nodes and edges ask of the control plane to its loopback, where it listens. */
export const openControl = async (lab: Lab): Promise<void> => {
  const { IPv4 } = addressOf('control')
  const to = (port: number): string => `ip daddr ${IPv4} tcp dport ${port} dnat to 127.0.0.1`
  await lab.on('control')(['sysctl', '-q', '-w', 'net.ipv4.conf.all.route_localnet=1'])
  await lab.on('control')(
    ['nft', '-f', '-'],
    `table ip lab {
  chain in {
    type nat hook prerouting priority -100
    ${to(controlPorts.kubernetes)}
    ${to(controlPorts.nats)}
  }
}\n`,
  )
}

/** SIGKILLs every process in a host's namespace. */
export const endAllIn = async (lab: Lab, host: Host): Promise<void> => {
  const listed = await lab.on('client')(['ip', 'netns', 'pids', lab.spaceOf(host)])
  for (const pid of listed.split('\n').filter((line) => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch (error) {
      // One that was told of already ended with the one it belonged to.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  }
}

export interface Said {
  readonly said: string
  readonly code: number
}

interface ControlOptions {
  readonly lab: Lab
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
}

/** The control plane of the lab as a process: `control-plane.ts`, in its namespace. */
export const createControl = ({ lab, folder, env }: ControlOptions) => {
  const state = join(folder, 'control')
  mkdirSync(state)
  const session = () => ({
    WEIR_API: `http://127.0.0.1:${controlPorts.api}`,
    WEIR_TOKEN: readFileSync(join(state, 'token'), 'utf8'),
    WEIR_TENANT: 'local',
  })
  return {
    start: () =>
      new Promise<void>((ready, failed) => {
        const script = join(import.meta.dirname, 'control-plane.ts')
        const argv = ['netns', 'exec', lab.spaceOf('control'), process.execPath, script, state]
        const child = spawn('ip', argv, { stdio: ['pipe', 'pipe', 'inherit'], env })
        child.stdout.on('data', (said: Buffer) => {
          if (said.includes('READY')) ready()
          else failed(new Error(`the control plane did not start: ${String(said)}`))
        })
        child.on('exit', () => failed(new Error('the control plane ended')))
      }),
    /** What is in its namespace is all of it. */
    kill: () => endAllIn(lab, 'control'),
    session,
    weir: (args: readonly string[]) => {
      const command = [process.execPath, join(root, 'cli/main.ts'), ...args]
      return new Promise<Said>((resolve) => {
        const argv = ['netns', 'exec', lab.spaceOf('control'), ...command]
        execFile('ip', argv, { env: { ...env, ...session() } }, (error, out, err) =>
          resolve({ said: `${out}${err}`, code: error === null ? 0 : Number(error.code) }),
        )
      })
    },
  }
}
