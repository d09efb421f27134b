/**
 * A small Kubernetes cluster on this machine: an API server that stock `kubectl` and weir can use, and
 * hollow nodes that answer as kube-proxy and pods would. Two implementations keep these promises, held
 * by `minicluster.conformance.ts`:
 *
 * - `start` resolves once the API server answers `/readyz` and every hollow node is registered Ready.
 * - State lives in `stateDir` alone; starting again on the same folder finds every object as it was,
 *   at the same address and port, with the same kubeconfig.
 * - `stop` ends every process and socket that `start` made, and may be called twice.
 * - What an implementation does not do it refuses with 501 and a sentence, never with a wrong answer.
 */
export interface Minicluster {
  readonly kind: MiniclusterKind
  /** The API server's address, `https://127.0.0.1:PORT`. */
  readonly server: string
  /** A kubeconfig (YAML) with an administrator's credentials inline: CA and client certificate. */
  readonly kubeconfig: string
  /** The hollow nodes by name, in the order they were asked for. */
  readonly nodes: readonly HollowNode[]
  stop(): Promise<void>
}

export type MiniclusterKind = 'simulated' | 'kubernetes'

export interface MiniclusterOptions {
  /** Everything the cluster keeps is below this folder; it is made when missing. */
  readonly stateDir: string
  /** TCP port of the API server on 127.0.0.1; 0 picks a free one, which `stateDir` then remembers. */
  readonly port: number
  readonly nodes: readonly HollowNodeSpec[]
  /** Whether other processes answer at the nodes' addresses: `node-main.ts`, one where each node is. */
  readonly answeredElsewhere?: boolean
  /** Called with one short line per part that came up, for a person to read. */
  readonly onProgress?: (line: string) => void
}

export interface HollowNodeSpec {
  /** Node name, a DNS-1123 subdomain. */
  readonly name: string
  /** The node's InternalIP: an address in 127.0.0.0/8 of its own, on which its NodePorts answer. */
  readonly address: string
  /** Labels beside the usual `kubernetes.io/hostname`. */
  readonly labels?: Readonly<Record<string, string>>
}

/** A node without a kubelet: it registers, keeps its Lease, runs echo pods and answers NodePorts. */
export interface HollowNode {
  readonly name: string
  readonly address: string
  /** Stops the node's kube-proxy stand-in: NodePorts and health ports stop answering; pods stay. */
  pauseProxy(): Promise<void>
  resumeProxy(): Promise<void>
}
