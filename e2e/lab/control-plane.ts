// weir's control plane and two tenants', run by the lab in the namespace `control`: `node control-plane.ts FOLDER`.
// PostgreSQL, nats-server, etcd, kube-apiserver, kube-controller-manager and weir's services but the edges. It
// says READY when all run, and lives until its input closes. Started again on its folder it goes on.
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { obtainBinary, startNatsServer, startPostgres, type BinaryName } from '@weir/embedded'
import { migrate } from '@weir/eventlog'
import { explainError } from '@weir/kernel'
import {
  goSourceDir,
  startKubernetesMinicluster,
  startSimulatedMinicluster,
} from '@weir/minicluster'
import { createClient } from '../../cli/client.ts'
import { connectCluster, localTenant } from '../../cli/up/bootstrap.ts'
import { serviceParts, superviseService } from '../../cli/up/parts.ts'
import { parse, stringify } from 'yaml'
import { addressOf } from '../../services/edge/rig/lab.ts'
import { keepNodes } from './nodes.ts'
import { controlPorts, otherTenant, site } from './places.ts'

const [folder = ''] = process.argv.slice(2)
const env = process.env as Readonly<Record<string, string>>
const program = (name: BinaryName): Promise<string> => obtainBinary(name, { env, goSourceDir })

const ended = new Promise<void>((resolve) => {
  process.stdin.on('close', () => resolve()).resume()
})

const startCluster = async () =>
  startKubernetesMinicluster({
    stateDir: join(folder, 'cluster'),
    port: controlPorts.kubernetes,
    nodes: [],
    binaries: {
      etcd: await program('etcd'),
      kubeApiserver: await program('kube-apiserver'),
      kubeControllerManager: await program('kube-controller-manager'),
    },
    serviceCidrs: '10.96.0.0/16,fd00:10:96::/112',
    unsafeNoFsync: true,
  })

/** The other tenant's, with Services alone. */
const startOtherCluster = () =>
  startSimulatedMinicluster({
    stateDir: join(folder, 'cluster-other'),
    port: controlPorts.other,
    nodes: [],
  })

/** The same secrets at each start. */
const keepSecret = (name: string, make: () => string): string => {
  const file = join(folder, name)
  if (!existsSync(file)) writeFileSync(file, make(), { mode: 0o600 })
  return readFileSync(file, 'utf8')
}

/** What nodes see of the API server: another address, which its certificate does not have. */
const seenByNodes = (kubeconfig: string): string => {
  const config: Kubeconfig = parse(kubeconfig)
  const server = `https://${addressOf('control').IPv4}:${controlPorts.kubernetes}`
  const clusters = config.clusters.map(({ name, cluster }) => ({
    name,
    cluster: { ...cluster, server, 'tls-server-name': 'localhost' },
  }))
  return stringify({ ...config, clusters })
}

interface Kubeconfig {
  readonly clusters: readonly { readonly name: string; readonly cluster: object }[]
}

const startServers = async () => {
  const nats = await program('nats-server')
  const storeDir = join(folder, 'nats/store')
  const [cluster, other, database, bus] = await Promise.all([
    startCluster(),
    startOtherCluster(),
    startPostgres({ dataDir: join(folder, 'postgres/data'), port: 0 }),
    startNatsServer({ program: nats, storeDir, port: controlPorts.nats }),
  ])
  await migrate(database.url)
  const kubeconfigs = { own: cluster.kubeconfig, other: other.kubeconfig }
  return { ...kubeconfigs, databaseUrl: database.url, natsUrl: bus.url }
}

const start = async (): Promise<void> => {
  const { own, other, databaseUrl, natsUrl } = await startServers()
  const adminToken = keepSecret('token', () => `weir_operator_${randomBytes(24).toString('hex')}`)
  const masterKey = keepSecret('key', () => randomBytes(32).toString('base64'))
  const at = { databaseUrl, natsUrl, apiPort: controlPorts.api, adminToken, masterKey }
  const onRestart = (name: string, how: string): void =>
    void process.stderr.write(`${name} ended: ${how}\n`)
  const parts = serviceParts(folder, at).filter(({ name }) => name !== 'edge')
  await Promise.all(
    parts.map((part) => {
      const here = { WEIR_FLEET_DATA_PLANE: 'kernel', WEIR_GC_RETURN_SECONDS: '5' }
      const kernel = { ...part, env: { ...part.env, ...here } }
      return superviseService(kernel, { folder, environment: env, onRestart })
    }),
  )
  await keepNodes(own)
  writeSecret('kubeconfig.nodes', seenByNodes(own))
  for (const { tenant, name, kubeconfig } of [
    { tenant: localTenant, name: 'kubeconfig', kubeconfig: own },
    { tenant: otherTenant, name: 'kubeconfig.other', kubeconfig: other },
  ]) {
    const session = { api: `http://127.0.0.1:${at.apiPort}`, token: adminToken, tenant }
    await connectCluster(createClient(session), writeSecret(name, kubeconfig), site)
  }
}

const writeSecret = (name: string, text: string): string => {
  const file = join(folder, name)
  writeFileSync(file, text, { mode: 0o600 })
  return file
}

try {
  await start()
  process.stdout.write('READY\n')
  await ended
  // Its children die with it.
  process.exit(0)
} catch (error) {
  process.stdout.write(`FAILED ${explainError(error)}\n`)
  process.exit(1)
}
