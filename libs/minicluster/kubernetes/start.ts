import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import {
  assertPortFree,
  endOrphan,
  freePort,
  startChild,
  waitUntil,
  type Child,
} from '@weir/embedded'
import { OperatingError, systemClock } from '@weir/kernel'
import { statusOf } from './api-client.ts'
import { keepCertificates, readCertificates } from './certificates.ts'
import {
  apiServerFlags,
  controllerManagerFlags,
  etcdFlags,
  type ControlPlane,
} from './command-lines.ts'
import { kubeconfigFor } from './kubeconfig.ts'
import type {
  KubernetesApiServerOptions,
  KubernetesBinaries,
  StartKubernetesApiServer,
} from './kubernetes-api-server.ts'

const ETCD = 'etcd'
const API_SERVER = 'kube-apiserver'
const CONTROLLERS = 'kube-controller-manager'

// A cold start takes 4 s on two free cores; a loaded machine may need ten times that.
const START_DEADLINE_MS = 90_000
// The API server waits for its clients when asked to end. etcd holds the truth, so it need not.
const API_SERVER_GRACE_MS = 2_000

/** See `KubernetesApiServer` for what is promised. */
export const startKubernetesApiServer: StartKubernetesApiServer = async (options) => {
  const say = options.onProgress ?? ((): undefined => undefined)
  const stateDir = resolve(options.stateDir)
  const parts = createParts(stateDir, options.binaries)
  await parts.endOrphans()
  const { plane, server, kubeconfig, admin } = await settle(stateDir, options)
  const answers = (path: string) => async (): Promise<boolean> =>
    (await statusOf(server, path, admin)) === 200
  const startApiServer = async (): Promise<void> => {
    const apiServer = await parts.start(API_SERVER, apiServerFlags(plane))
    await untilReady(apiServer, answers('/readyz'))
  }
  try {
    await parts.start(ETCD, etcdFlags(plane))
    await startApiServer()
    say(`Kubernetes: API server ready on ${server}`)
    const controllers = await parts.start(CONTROLLERS, controllerManagerFlags(plane))
    // Made by a controller: until then the API server refuses every pod of the namespace.
    await untilReady(controllers, answers('/api/v1/namespaces/default/serviceaccounts/default'))
    say('Kubernetes: controllers ready')
  } catch (error) {
    await parts.stop()
    throw error
  }
  return {
    server,
    kubeconfig,
    caPem: admin.ca,
    pids: parts.pids,
    killApiServer: () => parts.kill(API_SERVER),
    startApiServer,
    stop: parts.stop,
  }
}

interface Settled {
  readonly plane: ControlPlane
  readonly server: string
  readonly kubeconfig: string
  readonly admin: { readonly ca: string; readonly cert: string; readonly key: string }
}

/** What stays the same from start to start: port, certificates, kubeconfigs. */
const settle = async (stateDir: string, options: KubernetesApiServerOptions): Promise<Settled> => {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const port = await keepPort(join(stateDir, 'port'), options.port)
  const server = `https://127.0.0.1:${port}`
  const files = await keepCertificates(join(stateDir, 'pki'), systemClock.now())
  const { ca, adminCert, adminKey, controllersCert, controllersKey } = readCertificates(files)
  const admin = { ca, cert: adminCert, key: adminKey }
  const controllers = { user: CONTROLLERS, ca, cert: controllersCert, key: controllersKey }
  const controllersKubeconfig = join(stateDir, 'controller-manager.kubeconfig')
  writeFileSync(controllersKubeconfig, kubeconfigFor(server, controllers), { mode: 0o600 })
  const plane: ControlPlane = {
    port,
    etcdDir: join(stateDir, 'etcd-data'),
    certificates: files,
    controllersKubeconfig,
    serviceCidrs: options.serviceCidrs ?? '10.96.0.0/16',
    unsafeNoFsync: options.unsafeNoFsync === true,
  }
  const kubeconfig = kubeconfigFor(server, { user: 'kubernetes-admin', ...admin })
  return { plane, server, kubeconfig, admin }
}

/** The port asked for, or else the one used before, or else a free one; written down for next time. */
const keepPort = async (file: string, wanted: number): Promise<number> => {
  const port = wanted === 0 ? (readPort(file) ?? (await freePort())) : wanted
  await assertPortFree(port, 'kube-apiserver')
  writeFileSync(file, `${port}\n`)
  return port
}

const readPort = (file: string): number | undefined => {
  try {
    const port = Number(readFileSync(file, 'utf8'))
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
  } catch {
    return undefined
  }
}

const untilReady = async (part: Child, isReady: () => Promise<boolean>): Promise<void> => {
  const inTime = await waitUntil(
    async () => part.how() !== undefined || (await isReady()),
    START_DEADLINE_MS,
  )
  if (inTime && part.how() === undefined) return
  const outcome = part.how() ?? `not ready after ${START_DEADLINE_MS / 1000} s`
  throw new OperatingError(`${part.name} did not start (${outcome}); it said:\n${part.lastWords()}`)
}

type PartName = typeof ETCD | typeof API_SERVER | typeof CONTROLLERS

interface Parts {
  start(name: PartName, args: readonly string[]): Promise<Child>
  kill(name: PartName): Promise<void>
  readonly pids: () => Readonly<Record<string, number>>
  /** Ends what an earlier owner of the folder left running. */
  endOrphans(): Promise<void>
  /** Ends all in the order that loses nothing: whoever writes before what is written to. */
  readonly stop: () => Promise<void>
}

const createParts = (runDir: string, binaries: KubernetesBinaries): Parts => {
  const running = new Map<PartName, Child>()
  const programs: Readonly<Record<PartName, string>> = {
    [CONTROLLERS]: binaries.kubeControllerManager,
    [API_SERVER]: binaries.kubeApiserver,
    [ETCD]: binaries.etcd,
  }
  const inOrder = [CONTROLLERS, API_SERVER, ETCD] as const
  return {
    start: async (name, args) => {
      const child = await startChild({
        name,
        runDir,
        program: programs[name],
        args,
        // Half of Go's default heap growth: three programs on a laptop, none of them busy for long.
        env: { GOGC: '50' },
        stopSignal: 'SIGTERM',
        deathSignal: name === ETCD ? 'SIGTERM' : 'SIGKILL',
      })
      running.set(name, child)
      return child
    },
    kill: async (name) => running.get(name)?.kill(),
    pids: () =>
      Object.fromEntries(
        [...running.values()]
          .filter((child) => child.how() === undefined)
          .map((child) => [child.name, child.pid]),
      ),
    endOrphans: async () => {
      for (const name of inOrder) await endOrphan(runDir, name, 'SIGKILL')
    },
    stop: async () => {
      for (const name of inOrder) {
        await running.get(name)?.stop(name === API_SERVER ? API_SERVER_GRACE_MS : undefined)
      }
    },
  }
}
