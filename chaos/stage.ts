// Everything that a run needs, as real processes on this machine: PostgreSQL, nats-server, the control
// plane of one cluster, the services (two of each that scales on one machine), and the providers.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  freePort,
  obtainBinary,
  startChild,
  startNatsServer,
  startPostgres,
  type BinaryName,
} from '@weir/embedded'
import {
  goSourceDir,
  startKubernetesMinicluster,
  type KubernetesMinicluster,
} from '@weir/minicluster'
import { migrate } from '@weir/eventlog'
import { createClient, type ApiClient } from '../cli/client.ts'
import { connectCluster, loopbackSite } from '../cli/up/bootstrap.ts'
import { childEnvironment } from '../e2e/harness/environment.ts'
import { openApiServer, type ApiServer } from './api-server.ts'
import { startPart, type Part } from './part.ts'

export const tenant = 'local'
export const installation = 'chaos'

/** A Node and its address. */
export interface NodeAt {
  readonly name: string
  readonly address: string
}

export interface Stage {
  readonly folder: string
  readonly databaseUrl: string
  readonly cluster: KubernetesMinicluster
  readonly kube: ApiServer
  readonly nodes: readonly NodeAt[]
  /** The weir API. */
  readonly api: ApiClient
  readonly services: readonly Part[]
  readonly postgres: Part
  readonly nats: Part
  /** Every VIP of the edge driver begins with this. */
  readonly addresses: string
  readonly edgeState: string
  /** What a child of ours may see of this machine. */
  readonly environment: Readonly<Record<string, string>>
  /** Takes nats-server down, loses all that JetStream keeps, and lets it come back. */
  loseBus(): Promise<void>
}

const root = resolve(import.meta.dirname, '..')

/** Services and how many of each: two edges of one fleet would want the same addresses of this machine. */
const replicas = { edge: 1, allocator: 2, provisioner: 2, watcher: 2, gc: 2, api: 1 } as const
type ServiceName = keyof typeof replicas

/** Short times, so that a run of minutes sees what takes hours in production. */
const brisk: Readonly<Partial<Record<ServiceName, Readonly<Record<string, string>>>>> = {
  gc: {
    WEIR_GC_INTERVAL_SECONDS: '5',
    WEIR_GC_SETTLE_SECONDS: '10',
    WEIR_GC_GRACE_SECONDS: '10',
    WEIR_GC_CONFIRM_SECONDS: '3',
  },
}

export const setStage = async (
  say: (line: string) => void,
  onStop: (stop: () => Promise<void>) => void,
): Promise<Stage> => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-chaos-'))
  onStop(async () => rmSync(folder, { recursive: true, force: true }))
  say(`everything is kept below ${folder}`)
  mkdirSync(join(folder, 'home'))
  const environment = childEnvironment(join(folder, 'home'))
  const network = 20 + Math.floor(Math.random() * 40)
  const nodes = [1, 2, 3].map((n) => ({ name: `node-${n}`, address: `127.${64 + network}.0.${n}` }))
  const clustering = startCluster(folder, nodes, environment)
  clustering.catch(() => undefined)
  onStop(() => stopWhenStarted(clustering))
  const database = await startDatabase(folder)
  onStop(() => database.part.stop())
  const bus = await startBus(folder, environment)
  onStop(() => bus.part.stop())
  say('PostgreSQL and nats-server run')
  await migrate(database.url)
  const secrets = {
    masterKey: randomBytes(32).toString('base64'),
    adminToken: `weir_operator_${randomBytes(32).toString('base64url')}`,
  }
  const apiPort = await freePort()
  const edgeState = join(folder, 'edge')
  const services: Part[] = []
  onStop(async () => void (await Promise.all(services.map((each) => each.stop()))))
  const env = {
    ...environment,
    ...settingsFor({ databaseUrl: database.url, natsUrl: bus.url, apiPort, edgeState, ...secrets }),
  }
  for (const [name, count] of Object.entries(replicas) as [ServiceName, number][]) {
    for (let at = 1; at <= count; at += 1) {
      services.push(await startService(folder, { name, at, env: { ...env, ...brisk[name] } }))
    }
  }
  await Promise.all(services.map((each) => each.up()))
  say(`${services.length} processes of the six services run`)
  const cluster = await clustering
  const kubeconfig = join(folder, 'kubeconfig')
  writeFileSync(kubeconfig, cluster.kubeconfig, { mode: 0o600 })
  const { adminToken: token } = secrets
  const api = createClient({ api: `http://127.0.0.1:${apiPort}`, token, tenant })
  await connectCluster(api, kubeconfig, loopbackSite(network))
  say(`the cluster at ${cluster.server} is connected`)
  return {
    folder,
    databaseUrl: database.url,
    cluster,
    kube: openApiServer(cluster.kubeconfig),
    nodes,
    api,
    services,
    postgres: database.part,
    nats: bus.part,
    addresses: `127.${128 + network}.`,
    edgeState,
    environment,
    loseBus: bus.lose,
  }
}

interface Addresses {
  readonly databaseUrl: string
  readonly natsUrl: string
  readonly apiPort: number
  readonly edgeState: string
  readonly masterKey: string
  readonly adminToken: string
}

/** A cluster that never came up has nothing to stop. */
const stopWhenStarted = (starting: ReturnType<typeof startCluster>): Promise<void> =>
  starting.then(
    (cluster) => cluster.stop(),
    () => undefined,
  )

/** One environment for all services; each reads what it needs. */
const settingsFor = (at: Addresses): Record<string, string> => ({
  DATABASE_URL: at.databaseUrl,
  NATS_URL: at.natsUrl,
  WEIR_INSTALLATION: installation,
  WEIR_FLEET: 'local',
  WEIR_MASTER_KEY: at.masterKey,
  WEIR_ADMIN_TOKEN: at.adminToken,
  WEIR_API_PORT: String(at.apiPort),
  WEIR_CLUSTER_NETWORKS: '127.0.0.0/8',
  WEIR_EDGE_ID: 'edge-1',
  WEIR_EDGE_STATE_DIR: at.edgeState,
})

const startCluster = async (
  folder: string,
  nodes: readonly NodeAt[],
  env: Readonly<Record<string, string>>,
): Promise<KubernetesMinicluster> => {
  const program = (name: BinaryName): Promise<string> => obtainBinary(name, { env, goSourceDir })
  const binaries = {
    etcd: await program('etcd'),
    kubeApiserver: await program('kube-apiserver'),
    kubeControllerManager: await program('kube-controller-manager'),
  }
  const stateDir = join(folder, 'cluster')
  return startKubernetesMinicluster({ stateDir, port: 0, nodes, binaries, unsafeNoFsync: true })
}

const startDatabase = async (folder: string): Promise<{ part: Part; url: string }> => {
  const port = await freePort()
  let url = ''
  const part = await startPart({
    name: 'postgres',
    start: async () => {
      const server = await startPostgres({ dataDir: join(folder, 'postgres/data'), port })
      url = server.url
      return server
    },
    ready: async () => true,
  })
  return { part, url }
}

const startBus = async (folder: string, env: Readonly<Record<string, string>>) => {
  const port = await freePort()
  const storeDir = join(folder, 'nats/store')
  const program = await obtainBinary('nats-server', { env })
  const part = await startPart({
    name: 'nats',
    start: () => startNatsServer({ program, storeDir, port }),
    ready: async () => true,
  })
  const wipe = (): void => {
    const files = join(storeDir, 'jetstream')
    if (!existsSync(files)) return
    renameSync(files, `${files}.lost`)
    rmSync(`${files}.lost`, { recursive: true, force: true })
  }
  const lose = async (): Promise<void> => (await part.holdDown(wipe))()
  return { part, url: `nats://127.0.0.1:${port}`, lose }
}

interface ServiceStart {
  readonly name: ServiceName
  readonly at: number
  readonly env: Readonly<Record<string, string>>
}

const startService = async (folder: string, { name, at, env }: ServiceStart): Promise<Part> => {
  const healthPort = await freePort()
  const called = `${name}-${at}`
  return startPart({
    name: called,
    start: () =>
      startChild({
        name: called,
        runDir: join(folder, 'run'),
        program: process.execPath,
        args: ['--disable-warning=ExperimentalWarning', join(root, 'services', name, 'main.ts')],
        env: { ...env, HEALTH_PORT: String(healthPort) },
        stopSignal: 'SIGTERM',
      }),
    ready: async () => {
      const signal = AbortSignal.timeout(2000)
      const answer = await fetch(`http://127.0.0.1:${healthPort}/readyz`, { signal })
      await answer.arrayBuffer()
      return answer.ok
    },
  })
}
