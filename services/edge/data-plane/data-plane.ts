import type { DesiredResource, EdgeHeartbeat, EdgeRepair, ResourceKey } from '@weir/contract'
import type { ReturnAnswer, ReturnCall } from '../domain/direct-return.ts'
import type { WeightedTarget } from '../domain/usable-targets.ts'

/**
 * What moves the packets of one edge machine. The agent decides what is served and which nodes are
 * usable; a data plane makes it so. Calls for different resources may overlap; the agent makes one call
 * at a time per resource.
 *
 * Promises of each implementation:
 * - Idempotent: the same call again changes nothing and says what is true.
 * - An update is for new flows. Flows that began go on while their node and frontend are still ordered,
 *   and for the drain limit after that. An update never closes a frontend that stays.
 * - What can be served is served, even when part of the order is refused.
 */
export interface DataPlane {
  readonly kind: EdgeHeartbeat['dataPlane']

  /**
   * Serves `desired` and nothing else under its key from now on, with new flows shared among `targets`
   * by weight. Without targets the frontends do not answer. Resolves when the frontends are open.
   */
  serve(desired: DesiredResource, targets: readonly WeightedTarget[]): Promise<ServeOutcome>

  /** Closes the frontends and cuts the flows of a resource. Resolves when nothing of it is left. */
  remove(key: ResourceKey): Promise<void>

  /** Gives up what an earlier process of this machine left in force and nobody ordered since. */
  releaseUnclaimed(): Promise<void>

  /**
   * Compares what is in force with what was made, and makes good what differs.
   * @throws OperatingError when it cannot look
   */
  inspect(): Promise<Inspection>

  /** What was made good of late, by `inspect` and by looks of its own, the newest last. */
  repairs(): readonly EdgeRepair[]

  /** Why nobody can say that what is in force is right; undefined while one can. */
  doubt(): string | undefined

  /**
   * Calls a node by the address of a load balancer, and says whether the answer came back. Only where nodes
   * answer clients directly. Never rejects.
   */
  callNode?(call: ReturnCall): Promise<ReturnAnswer>

  counters(): PlaneCounters

  /** Ends what this process does. `userspace` closes everything; the kernel goes on forwarding. */
  close(): Promise<void>
}

export interface Inspection {
  /** What this look found and made good. */
  readonly repaired: EdgeRepair | null
  /** What is wrong that nobody here can make good, such as nodes without a way to them; null when nothing is. */
  readonly problem: string | null
  /** Flows by resource; undefined where nobody counts them. */
  readonly flows: ReadonlyMap<ResourceKey, number> | undefined
}

export type ServeOutcome =
  | { readonly status: 'serving' }
  /** `problem` names address, port and what to do about it; another call may succeed. */
  | {
      readonly status: 'refused'
      readonly problem: string
      /** What is served all the same, by how many nodes; as before where nothing is said. */
      readonly served?: { readonly addresses: readonly string[]; readonly nodes: number }
    }

/** Totals since start, but for the two that say `Open`. */
export interface PlaneCounters {
  readonly connectionsOpen: number
  readonly connections: number
  readonly udpSessionsOpen: number
  readonly udpSessions: number
  /** Connections and datagrams from outside the source ranges. */
  readonly deniedBySource: number
  /** Connections and sessions beyond a frontend's limit. */
  readonly deniedByLimit: number
  /** Attempts to reach a node that failed. */
  readonly connectFailures: number
  /** Connections and sessions that no node took. */
  readonly unserved: number
  readonly bytesToNodes: number
  readonly bytesToClients: number
}
