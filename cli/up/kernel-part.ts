// What a platform on one machine has beside its usual parts when its edge is a real one, in the kernel: the machines
// for the edge and the nodes, and their ways to what listens on loopback alone.
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startChild } from '@weir/embedded'
import { parse, stringify } from 'yaml'
import type { Site } from './bootstrap.ts'
import type { RunningCluster } from './cluster-part.ts'
import { forward } from './forward.ts'
import { keepRunning } from './keep-running.ts'
import { buildSegment, demandKernel, kernelPlaces, type Segment } from './segment.ts'

const nodeMain = resolve(import.meta.dirname, '../../libs/minicluster/node-main.ts')

export interface KernelPart {
  readonly segment: Segment
  readonly site: Site
  /** Where the edge reaches the bus. */
  busOf(url: string): Promise<string>
  /** Starts what answers at the addresses of the cluster's nodes. */
  startNodes(cluster: RunningCluster): Promise<void>
}

export interface KernelOptions {
  readonly folder: string
  readonly network: number
  readonly environment: Readonly<Record<string, string>>
  readonly add: (stop: () => Promise<void>) => void
  readonly onRestart: (name: string, how: string) => void
}

/** @throws CommandFailed when this machine cannot have it, with the reason and what to do */
export const startKernelPart = async (options: KernelOptions): Promise<KernelPart> => {
  const { folder, network, environment, add, onRestart } = options
  await demandKernel()
  const segment = await buildSegment(folder, network)
  add(() => segment.stop())
  const { host } = segment
  const { pool, segment: nodeCidr } = kernelPlaces(network)

  const startNodes = async (cluster: RunningCluster): Promise<void> => {
    const { hostname, port } = new URL(cluster.server)
    add(await forward({ host, port: Number(port) }, { host: hostname, port: Number(port) }))
    const kubeconfig = join(folder, 'kubeconfig.nodes')
    const server = `https://${host}:${port}`
    const seen = seenAt(server, readFileSync(cluster.kubeconfigFile, 'utf8'))
    writeFileSync(kubeconfig, seen, { mode: 0o600 })
    for (const node of segment.nodes) {
      const words = [nodeMain, kubeconfig, `${node.name}=${node.address}`]
      const start = () =>
        startChild({
          name: node.name,
          runDir: join(folder, 'run'),
          ...node.inside(process.execPath, ['--disable-warning=ExperimentalWarning', ...words]),
          env: environment,
          stopSignal: 'SIGTERM',
        })
      const kept = await keepRunning({ name: node.name, start, onRestart })
      add(() => kept.stop())
    }
  }
  return {
    segment,
    site: { pool: [rangeOf(pool)], nodeCidrs: [nodeCidr] },
    busOf: async (text) => {
      const url = new URL(text)
      const port = Number(url.port === '' ? '4222' : url.port)
      add(await forward({ host, port }, { host: url.hostname, port }))
      url.hostname = host
      return url.href
    },
    startNodes,
  }
}

/** All of a /24 but its first and last address. */
const rangeOf = (pool: string): { first: string; last: string } => {
  const network = pool.replace(/0\/24$/, '')
  return { first: `${network}1`, last: `${network}254` }
}

interface Kubeconfig {
  readonly clusters: readonly { readonly name: string; readonly cluster: object }[]
}

/** The API server at an address that its certificate does not have. */
const seenAt = (server: string, kubeconfig: string): string => {
  const config: Kubeconfig = parse(kubeconfig)
  const clusters = config.clusters.map(({ name, cluster }) => ({
    name,
    cluster: { ...cluster, server, 'tls-server-name': 'localhost' },
  }))
  return stringify({ ...config, clusters })
}
