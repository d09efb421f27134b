/** Where the three programs are; `findKubernetesBinaries` of `@weir/embedded` finds or builds them. */
export interface KubernetesBinaries {
  readonly etcd: string
  readonly kubeApiserver: string
  readonly kubeControllerManager: string
}

export interface KubernetesApiServerOptions {
  /** Everything the control plane keeps is below this folder; it is made when missing. */
  readonly stateDir: string
  /** TCP port of the API server on 127.0.0.1; 0 picks a free one, which `stateDir` remembers. */
  readonly port: number
  readonly binaries: KubernetesBinaries
  /** The networks of ClusterIPs, by commas, the first family first; `10.96.0.0/16` when absent. */
  readonly serviceCidrs?: string
  /** Skips etcd's fsync: faster, and a power cut (not a kill) may lose the store. For tests. */
  readonly unsafeNoFsync?: boolean
  /** Called with one short line per part that came up, for a person to read. */
  readonly onProgress?: (line: string) => void
}

/**
 * A real control plane without a scheduler and without kubelets: etcd, kube-apiserver and
 * kube-controller-manager as child processes on 127.0.0.1. Resolved once `/readyz` answers and the
 * `default` namespace has its ServiceAccount, so that a pod can be made at once. Starting again on
 * the same `stateDir` finds the same objects, port, CA and kubeconfig.
 */
export interface KubernetesApiServer {
  /** `https://127.0.0.1:PORT` */
  readonly server: string
  /** A kubeconfig (YAML) with an administrator's client certificate and the CA inline. */
  readonly kubeconfig: string
  /** The certificate of the authority that signed the API server's own, PEM. */
  readonly caPem: string
  /** The process ids of what runs now, by name; changes with `startApiServer`. */
  pids(): Readonly<Record<string, number>>
  /** For tests: SIGKILLs kube-apiserver and resolves when it is gone; etcd goes on. */
  killApiServer(): Promise<void>
  /** For tests: starts kube-apiserver again on the same port and resolves when it is ready. */
  startApiServer(): Promise<void>
  /** Ends every process in order and resolves when all are gone; may be called twice. */
  stop(): Promise<void>
}

/** The shape of `startKubernetesApiServer`, exported by `./kubernetes/start.ts`. */
export type StartKubernetesApiServer = (
  options: KubernetesApiServerOptions,
) => Promise<KubernetesApiServer>
