// The process that `weir up` supervises. It tells its progress as JSON lines on standard output, and
// ends when it is told to or when whoever started it is gone, which closes standard input.
import { explainError } from '@weir/kernel'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readArguments } from './arguments.ts'
import { startMinicluster } from './start.ts'

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

const stopped = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve())
  process.stdin.on('close', () => resolve()).resume()
})

// A reader that is gone must not end us before the cluster is stopped.
process.stdout.on('error', () => undefined)

try {
  const { kind, options } = readArguments(process.argv.slice(2))
  const onProgress = (progress: string): void => say({ progress })
  const cluster = await startMinicluster(kind, { ...options, onProgress })
  const kubeconfigFile = join(options.stateDir, 'kubeconfig')
  await mkdir(options.stateDir, { recursive: true })
  await writeFile(kubeconfigFile, cluster.kubeconfig, { mode: 0o600 })
  const nodes = cluster.nodes.map(({ name, address }) => ({ name, address }))
  say({ ready: { kind, server: cluster.server, kubeconfigFile, nodes } })
  await stopped
  await cluster.stop()
  process.exit(0)
} catch (error) {
  say({ failed: explainError(error) })
  process.exit(1)
}
