// The minicluster as a child process of its own: it tells its progress as JSON lines.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { findBinary, obtainBinary, type BinaryName } from '@weir/embedded'
import type { MiniclusterKind } from '@weir/minicluster'
import { z } from 'zod'
import { CommandFailed } from '../exit.ts'

const minicluster = resolve(import.meta.dirname, '../../libs/minicluster')
export const goSourceDir = join(minicluster, 'kubernetes/program')
const realParts: readonly BinaryName[] = ['etcd', 'kube-apiserver', 'kube-controller-manager']

const line = z.union([
  z.object({ progress: z.string() }),
  z.object({ failed: z.string() }),
  z.object({
    ready: z.object({
      server: z.string(),
      kubeconfigFile: z.string(),
      nodes: z.array(z.object({ name: z.string(), address: z.string() })),
    }),
  }),
])

export interface ClusterOptions {
  readonly kind: MiniclusterKind
  readonly folder: string
  readonly port: number
  /** Where its nodes are. */
  readonly nodes: readonly { readonly name: string; readonly address: string }[]
  /** Whether what answers there is started by somebody else. */
  readonly answeredElsewhere: boolean
  readonly environment: Readonly<Record<string, string>>
  readonly onProgress: (line: string) => void
}

export interface RunningCluster {
  readonly server: string
  readonly kubeconfigFile: string
  readonly pid: number
  /** Resolves when the process has ended, with its exit code. */
  readonly ended: Promise<number | null>
  stop(): Promise<void>
}

/** Which minicluster to start when nobody says: the real one where its programs are at hand. */
export const kindAtHand = (env: Readonly<Record<string, string>>): MiniclusterKind =>
  realParts.every((name) => findBinary(name, { env, goSourceDir }) !== undefined)
    ? 'kubernetes'
    : 'simulated'

/** Three hollow nodes on addresses of their own, on a 127.x network from 0 to 63. */
export const loopbackNodes = (network: number) =>
  [1, 2, 3].map((n) => ({ name: `node-${n}`, address: `127.${64 + network}.0.${n}` }))

export const startCluster = async (options: ClusterOptions): Promise<RunningCluster> => {
  const args = [
    '--kind',
    options.kind,
    '--state',
    join(options.folder, `cluster-${options.kind}`),
    '--port',
    String(options.port),
  ]
  for (const { name, address } of options.nodes) args.push('--node', `${name}=${address}`)
  if (options.answeredElsewhere) args.push('--answered-elsewhere')
  if (options.kind === 'kubernetes') {
    for (const name of realParts) {
      const { environment: env, onProgress } = options
      args.push(`--${name}`, await obtainBinary(name, { env, goSourceDir, onProgress }))
    }
  }
  const child = spawn(process.execPath, [join(minicluster, 'main.ts'), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true, // Ctrl-C in the terminal reaches us alone, and we stop it in order
    env: options.environment,
  })
  const ended = once(child, 'exit').then(([code]) => code as number | null)
  const stop = async (): Promise<void> => {
    child.stdin.end()
    await ended
  }
  for await (const text of createInterface({ input: child.stdout })) {
    const told = line.parse(JSON.parse(text))
    if ('progress' in told) options.onProgress(told.progress)
    if ('failed' in told)
      throw new CommandFailed('failed', `the minicluster did not start: ${told.failed}`)
    if ('ready' in told) {
      child.stdout.resume()
      return { ...told.ready, pid: child.pid ?? 0, ended, stop }
    }
  }
  throw new CommandFailed('failed', 'the minicluster ended before it was ready')
}
