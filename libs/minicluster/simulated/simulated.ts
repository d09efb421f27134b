import type { Clock, Ids } from '@weir/kernel'
import type { Faults } from './faults.ts'

export interface SimulatedApiServerOptions {
  /** Objects, certificates and the port are kept below this folder; it is made when missing. */
  readonly stateDir: string
  /** TCP port on 127.0.0.1; 0 picks a free one, which `stateDir` then remembers. */
  readonly port: number
  readonly onProgress?: (line: string) => void
  /** The machine's clock and randomness when absent. */
  readonly clock?: Clock
  readonly ids?: Ids
}

/** A Kubernetes API server in this process, with the controllers that turn Deployments into pods. */
export interface SimulatedApiServer {
  /** `https://127.0.0.1:PORT`. */
  readonly server: string
  /** A kubeconfig (YAML) with an administrator's credentials inline. */
  readonly kubeconfig: string
  /** The CA that signed the server's certificate, PEM. */
  readonly caPem: string
  /** Makes it misbehave, for tests and benches. */
  readonly faults: Faults
  /** Ends every socket and timer; may be called twice. Every acknowledged write is on disk already. */
  stop(): Promise<void>
}

/** Starts the API server alone; hollow nodes join it through its kubeconfig. */
export declare const startSimulatedApiServer: (
  options: SimulatedApiServerOptions,
) => Promise<SimulatedApiServer>
