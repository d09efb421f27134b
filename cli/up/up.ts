import { chmodSync, copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { assertPortFree, obtainBinary, startNatsServer, startPostgres } from '@weir/embedded'
import { migrate } from '@weir/eventlog'
import { systemClock } from '@weir/kernel'
import { readEnvironment } from '@weir/runtime'
import type { MiniclusterKind } from '@weir/minicluster'
import { createClient } from '../client.ts'
import { CommandFailed } from '../exit.ts'
import { ok, print, tell, warn } from '../output.ts'
import { connectCluster, localTenant, loopbackSite } from './bootstrap.ts'
import { kindAtHand, loopbackNodes, startCluster } from './cluster-part.ts'
import { claimFolder } from './folder-lock.ts'
import { keepRunning } from './keep-running.ts'
import { startKernelPart, type KernelPart } from './kernel-part.ts'
import { serviceParts, superviseService } from './parts.ts'
import { wayIn } from './segment.ts'
import {
  emptyFolder,
  openFolder,
  openState,
  saveState,
  writeSecret,
  type PlatformState,
} from './state.ts'

export interface UpFlags {
  readonly cluster?: MiniclusterKind
  readonly fresh?: boolean
  readonly kubeconfig?: string
  readonly state: string
  /** TCP port of the weir API on 127.0.0.1; remembered for the next start. */
  readonly apiPort?: string
  /** What moves the packets; remembered for the next start. */
  readonly dataPlane?: 'userspace' | 'kernel'
}

/** A platform that runs, and how to end it. */
export interface Platform {
  readonly folder: string
  readonly kubeconfigFile: string
  readonly server: string
  readonly api: string
  stop(): Promise<void>
}

/** Starts the platform, prints what to type next, and stops all of it on Ctrl-C. */
export const up = async (flags: UpFlags): Promise<void> => {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => interrupted.abort())
  }
  const platform = await startPlatform(flags, interrupted.signal)
  print(whatNext(platform))
  await new Promise<void>((resolve) => {
    if (interrupted.signal.aborted) resolve()
    interrupted.signal.addEventListener('abort', () => resolve())
  })
  tell('stopping')
  await platform.stop()
  ok('stopped; state is kept')
}

/**
 * Starts every part, a line each. When a part fails or `signal` aborts, what was started is stopped.
 * @throws CommandFailed that names the part and what to do
 */
export const startPlatform = async (flags: UpFlags, signal: AbortSignal): Promise<Platform> => {
  const started = systemClock.now()
  const folder = openFolder(flags.state)
  const parts = createStops()
  parts.add(claimFolder(folder))
  if (flags.fresh) emptyFolder(folder)
  const interrupted = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => {
    interrupted.reject(new CommandFailed('failed', 'interrupted before everything was up'))
  })
  try {
    const starting = startParts({ flags, folder, add: parts.add })
    const platform = await Promise.race([starting, interrupted.promise])
    ok(`ready in ${((systemClock.now() - started) / 1000).toFixed(1)} s`)
    return { ...platform, stop: parts.stop }
  } catch (error) {
    await parts.stop()
    throw error
  }
}

/** What ends each part, last started first. A part that comes up after the stop is ended at once. */
const createStops = () => {
  const stops: (() => Promise<void>)[] = []
  let stopped = false
  return {
    add: (stop: () => Promise<void>): void => {
      if (stopped) void stop()
      else stops.push(stop)
    },
    stop: async (): Promise<void> => {
      stopped = true
      for (const end of stops.splice(0).toReversed()) await end()
    },
  }
}

interface Start {
  readonly flags: UpFlags
  readonly folder: string
  /** Notes how a part is ended. */
  readonly add: (stop: () => Promise<void>) => void
}

const startParts = async (start: Start): Promise<Omit<Platform, 'stop'>> => {
  const { flags, folder } = start
  const environment = readEnvironment()
  const state = await openState(folder, flags.apiPort, flags.dataPlane)
  const kernel = await kernelPart(start, state)
  await mustBeFree(state.ports.api)
  const kind = flags.cluster ?? state.cluster ?? kindAtHand(environment)
  const serving =
    flags.kubeconfig === undefined ? startMinicluster(start, state, { kind, kernel }) : undefined
  serving?.catch(() => undefined) // told below, after the other parts
  const [databaseUrl, natsUrl] = await Promise.all([database(start, state), bus(start, state)])
  await migrate(databaseUrl)
  const api = await services(start, state, { databaseUrl, natsUrl, kernel })
  const cluster = await serving
  const kubeconfigFile = flags.kubeconfig ?? join(folder, 'kubeconfig')
  if (cluster) {
    copyFileSync(cluster.kubeconfigFile, kubeconfigFile)
    chmodSync(kubeconfigFile, 0o600)
    saveState(folder, { ...state, cluster: kind })
  }
  const client = createClient({ api, token: state.adminToken, tenant: localTenant })
  const site = kernel?.site ?? loopbackSite(state.network)
  const connected = await connectCluster(client, kubeconfigFile, site)
  ok(`cluster ${connected.id} connected with the least rights it takes`)
  writeSecret(join(folder, 'weir.json'), {
    api,
    token: state.adminToken,
    tenant: localTenant,
    cluster: connected.id,
    kubeconfig: kubeconfigFile,
    pid: process.pid,
  })
  start.add(async () => rmSync(join(folder, 'weir.json'), { force: true }))
  return { folder, kubeconfigFile, server: connected.server, api }
}

/** Refuses before anything is started what the api would refuse after it. */
const mustBeFree = async (port: number): Promise<void> => {
  try {
    await assertPortFree(port, 'the API')
  } catch {
    throw new CommandFailed(
      'failed',
      `the API cannot listen on 127.0.0.1:${port}: another program does`,
      'stop that program, or use --api-port PORT',
    )
  }
}

/** The machines of a kernel edge, when that is what the platform has. */
const kernelPart = async (start: Start, state: PlatformState): Promise<KernelPart | undefined> => {
  if (state.dataPlane !== 'kernel') return undefined
  if (start.flags.kubeconfig !== undefined) {
    throw new CommandFailed(
      'usage',
      'the nodes of your own cluster are not on this machine, so an edge in its kernel does not reach them',
      'run an edge on their segment: services/edge/README.md',
    )
  }
  const { folder, add } = start
  const environment = readEnvironment()
  const { network } = state
  const kernel = await startKernelPart({ folder, network, environment, add, onRestart })
  ok('an edge and three nodes as network namespaces of this machine')
  return kernel
}

interface ClusterWish {
  readonly kind: MiniclusterKind
  readonly kernel: KernelPart | undefined
}

const startMinicluster = async (
  start: Start,
  state: PlatformState,
  { kind, kernel }: ClusterWish,
) => {
  const cluster = await startCluster({
    kind,
    folder: start.folder,
    port: state.ports.cluster,
    nodes: kernel?.segment.nodes ?? loopbackNodes(state.network),
    answeredElsewhere: kernel !== undefined,
    environment: readEnvironment(),
    onProgress: (line) => tell(`  ${line}`),
  })
  start.add(() => cluster.stop())
  await kernel?.startNodes(cluster)
  ok(`minicluster (${kind}) with three nodes at ${cluster.server}`)
  return cluster
}

const database = async ({ folder, add }: Start, state: PlatformState): Promise<string> => {
  const given = readEnvironment()['DATABASE_URL']
  if (given !== undefined) return given
  const start = () =>
    startPostgres({ dataDir: join(folder, 'postgres/data'), port: state.ports.postgres })
  const postgres = await keepRunning({ name: 'PostgreSQL', start, onRestart })
  add(() => postgres.stop())
  ok(`PostgreSQL on 127.0.0.1:${postgres.first.port}`)
  return postgres.first.url
}

const bus = async ({ folder, add }: Start, state: PlatformState): Promise<string> => {
  const env = readEnvironment()
  const given = env['NATS_URL']
  if (given !== undefined) return given
  const program = await obtainBinary('nats-server', {
    env,
    onProgress: (line) => tell(`  ${line}`),
  })
  const start = () =>
    startNatsServer({ program, storeDir: join(folder, 'nats/store'), port: state.ports.nats })
  const nats = await keepRunning({ name: 'nats-server', start, onRestart })
  add(() => nats.stop())
  ok(`nats-server with JetStream on 127.0.0.1:${nats.first.port}`)
  return nats.first.url
}

const onRestart = (name: string, how: string): void =>
  warn(`${name} ended (${how}); starting it again`)

const services = async (
  { folder, add }: Start,
  state: PlatformState,
  at: { readonly databaseUrl: string; readonly natsUrl: string; kernel: KernelPart | undefined },
): Promise<string> => {
  const { adminToken, masterKey, ports } = state
  const { kernel, ...urls } = at
  const kernelEdge = kernel && {
    machine: kernel.segment.edge,
    natsUrl: await kernel.busOf(urls.natsUrl),
  }
  const secrets = { adminToken, masterKey }
  const parts = serviceParts(folder, { ...urls, ...secrets, apiPort: ports.api, kernelEdge })
  const supervision = { folder, environment: readEnvironment(), onRestart }
  const starting = parts.map(async (part) => {
    const service = await superviseService(part, supervision)
    ok(part.name)
    return service
  })
  // Services do not wait for each other, so they end together; one that still starts is waited for.
  add(async () => {
    const settled = await Promise.allSettled(starting)
    const running = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    await Promise.all(running.map((service) => service.stop()))
  })
  await Promise.all(starting)
  return `http://127.0.0.1:${ports.api}`
}

const whatNext = ({ kubeconfigFile, server, api }: Platform): string => `
Kubernetes API   ${server}
weir API         ${api}   (documentation at ${api}/docs)
kubeconfig       ${kubeconfigFile}

In another shell:
${comingIn()}
  export KUBECONFIG=${kubeconfigFile}
  kubectl create deployment example --image=example --replicas=3
  kubectl expose deployment example --port=8765 --target-port=9376 \\
    --name=example-service --type=LoadBalancer
  kubectl get service -w
  curl $(npx weir url default/example-service)
  npx weir explain service default/example-service

Ctrl-C stops everything.`

/** A platform in a namespace of its own is reached by those who come in. */
const comingIn = (): string => {
  const way = wayIn()
  return way === undefined ? '' : `\n  ${way}`
}
