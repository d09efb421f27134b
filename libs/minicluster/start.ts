import { OperatingError } from '@weir/kernel'
import type { KubernetesApiServer, KubernetesBinaries } from './kubernetes/kubernetes-api-server.ts'
import type { Minicluster, MiniclusterKind, MiniclusterOptions } from './minicluster.ts'
import { credentialsOf } from './nodes/api.ts'
import { startHollowNodes } from './nodes/hollow-nodes.ts'
import type { Faults } from './simulated/faults.ts'

/** A minicluster whose API server can be told to misbehave. */
export interface SimulatedMinicluster extends Minicluster {
  readonly kind: 'simulated'
  readonly faults: Faults
}

/** A minicluster on real etcd, kube-apiserver and kube-controller-manager, which can be killed. */
export interface KubernetesMinicluster
  extends Minicluster, Pick<KubernetesApiServer, 'pids' | 'killApiServer' | 'startApiServer'> {
  readonly kind: 'kubernetes'
}

export interface KubernetesMiniclusterOptions extends MiniclusterOptions {
  /** The three programs; `obtainBinary` of `@weir/embedded` finds or builds them. */
  readonly binaries: KubernetesBinaries
  /** The networks of ClusterIPs, by commas; `10.96.0.0/16` when absent. */
  readonly serviceCidrs?: string
  /** Skips etcd's fsync, for tests. */
  readonly unsafeNoFsync?: boolean
}

interface ApiServer {
  readonly server: string
  readonly kubeconfig: string
  stop(): Promise<void>
}

/** Lets the hollow nodes join, and stops the API server when they cannot. */
const join = async (
  apiServer: ApiServer,
  options: MiniclusterOptions,
): Promise<Omit<Minicluster, 'kind'>> => {
  const { server, kubeconfig } = apiServer
  try {
    const half = options.answeredElsewhere === true ? ({ half: 'kubelet' } as const) : {}
    const hollow = await startHollowNodes({ ...options, ...credentialsOf(kubeconfig), ...half })
    const stop = async (): Promise<void> => {
      await hollow.stop()
      await apiServer.stop()
    }
    return { server, kubeconfig, nodes: hollow.nodes, stop }
  } catch (error) {
    await apiServer.stop()
    throw error
  }
}

// Either kind is loaded only when it is asked for, since each brings libraries that the other lacks.
export const startSimulatedMinicluster = async (
  options: MiniclusterOptions,
): Promise<SimulatedMinicluster> => {
  const { startSimulatedApiServer } = await import('./simulated/simulated.ts')
  const apiServer = await startSimulatedApiServer(options)
  return { ...(await join(apiServer, options)), kind: 'simulated', faults: apiServer.faults }
}

export const startKubernetesMinicluster = async (
  options: KubernetesMiniclusterOptions,
): Promise<KubernetesMinicluster> => {
  const { startKubernetesApiServer } = await import('./kubernetes/start.ts')
  const apiServer = await startKubernetesApiServer(options)
  return {
    ...(await join(apiServer, options)),
    kind: 'kubernetes',
    pids: () => apiServer.pids(),
    killApiServer: () => apiServer.killApiServer(),
    startApiServer: () => apiServer.startApiServer(),
  }
}

/**
 * Starts either kind; `Minicluster` says what both promise. Throws OperatingError when the programs of a
 * real one are not named, OperatingError when a part does not come up.
 */
export const startMinicluster = (
  kind: MiniclusterKind,
  options: MiniclusterOptions & Partial<KubernetesMiniclusterOptions>,
): Promise<Minicluster> => {
  if (kind === 'simulated') return startSimulatedMinicluster(options)
  const { binaries } = options
  if (binaries) return startKubernetesMinicluster({ ...options, binaries })
  throw new OperatingError('a kubernetes minicluster needs the paths of its programs')
}
