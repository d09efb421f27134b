import {
  frontendText,
  type DesiredResource,
  type ResourceFrontend,
  type ResourceKey,
} from '@weir/contract'
import { createKeyedQueue, type Clock, type Ids } from '@weir/kernel'
import type { WeightedTarget } from '../../domain/usable-targets.ts'
import type { DataPlane, ServeOutcome } from '../data-plane.ts'
import { bindProblem } from './bind-problem.ts'
import { createFlows, type Flows } from './flows.ts'
import { createRoute, type Route } from './route.ts'
import { createTally } from './tally.ts'
import { openTcpFrontend, type OpenFrontend } from './tcp-frontend.ts'
import { openUdpFrontend } from './udp-frontend.ts'

export interface UserspaceLimits {
  /** How long a flow may go on after its node or frontend left the order. */
  readonly drainMs: number
  readonly udpIdleMs: number
  readonly connectTimeoutMs: number
  /** Nodes to try for one connection, the first included. */
  readonly connectAttempts: number
  readonly connectionsPerFrontend: number
  readonly udpSessionsPerFrontend: number
  readonly affinityClients: number
  /** Most bytes of one connection and direction that wait in memory for a slow reader. */
  readonly waitingBytes: number
  /** Silence before the kernel asks whether the other side lives. */
  readonly keepAliveMs: number
}

export const defaultLimits: UserspaceLimits = {
  drainMs: 300_000,
  udpIdleMs: 60_000,
  connectTimeoutMs: 2_000,
  connectAttempts: 3,
  connectionsPerFrontend: 10_000,
  udpSessionsPerFrontend: 4_096,
  affinityClients: 100_000,
  waitingBytes: 524_288,
  keepAliveMs: 30_000,
}

export interface UserspaceOptions {
  readonly clock: Clock
  readonly ids: Ids
  readonly limits?: Partial<UserspaceLimits>
}

/** One resource as it is served. */
interface Served {
  desired: DesiredResource
  answers: boolean
  readonly route: Route
  readonly flows: Flows
  readonly open: Map<string, OpenFrontend>
}

/**
 * A TCP and UDP proxy in this process, without rights and without root: the data plane of one machine
 * and of tests. It ends the client's connection and makes its own to a node port.
 *
 * While no node is usable the TCP frontends are closed, so a client is refused by the kernel at once, as
 * kube-proxy refuses for a Service without endpoints; accepting and then resetting would look to a
 * client like a server that fails. A UDP frontend closes when its last session ends.
 */
export const createUserspacePlane = ({ clock, ids, limits }: UserspaceOptions): DataPlane => {
  const bounds: UserspaceLimits = { ...defaultLimits, ...limits }
  const tally = createTally()
  const services = new Map<ResourceKey, Served>()
  const holders = new Map<string, ResourceKey>()
  const queue = createKeyedQueue(Number.MAX_SAFE_INTEGER)

  const open = (served: Served, at: ResourceFrontend): Promise<OpenFrontend> => {
    const { route, flows, desired } = served
    const frontendKey = frontendText(at)
    const shared = { frontendKey, at: { address: at.ip, port: at.port }, route, flows, tally }
    if (at.protocol === 'UDP') {
      return openUdpFrontend({
        ...shared,
        clock,
        idleMs: bounds.udpIdleMs,
        sessionsMax: bounds.udpSessionsPerFrontend,
        onIdle: () => void queue.run(desired.marks.key, () => closeUnwanted(served)),
      })
    }
    return openTcpFrontend({
      ...shared,
      connectionsMax: bounds.connectionsPerFrontend,
      connectTimeoutMs: bounds.connectTimeoutMs,
      connectAttempts: bounds.connectAttempts,
      keepAliveMs: bounds.keepAliveMs,
      waitingBytesMax: bounds.waitingBytes,
    })
  }
  const closeFrontend = async (served: Served, key: string): Promise<void> => {
    await served.open.get(key)?.close()
    served.open.delete(key)
    if (holders.get(key) === served.desired.marks.key) holders.delete(key)
  }
  const closeUnwanted = async (served: Served): Promise<void> => {
    const ordered = new Set(served.desired.frontends.map(frontendText))
    const unwanted = [...served.open].filter(
      ([key, frontend]) => !ordered.has(key) || (!served.answers && !frontend.holdsFlows()),
    )
    await Promise.all(unwanted.map(([key]) => closeFrontend(served, key)))
  }
  /** Opens one frontend; a string says why not. */
  const openOne = async (served: Served, at: ResourceFrontend): Promise<string | undefined> => {
    const key = frontendText(at)
    const cannot = whyNever(at)
    if (cannot !== undefined) return `${key} can't be opened: ${cannot}`
    const holder = holders.get(key)
    try {
      served.open.set(key, await open(served, at))
      holders.set(key, served.desired.marks.key)
      return undefined
    } catch (error) {
      return bindProblem(key, at.ip, error, holder && `resource ${holder}`)
    }
  }
  const openMissing = async (served: Served, nodes: number): Promise<ServeOutcome> => {
    const missing = served.desired.frontends.filter(
      (at) => (served.answers || whyNever(at) !== undefined) && !served.open.has(frontendText(at)),
    )
    const outcomes = await Promise.all(missing.map((at) => openOne(served, at)))
    const problems = outcomes.filter((problem) => problem !== undefined)
    if (problems.length === 0) return { status: 'serving' }
    const failed = new Set(missing.filter((_, at) => outcomes[at] !== undefined))
    const open = served.desired.frontends.filter((at) => !failed.has(at))
    const addresses = open.map(({ ip }) => ip)
    return { status: 'refused', problem: problems.join('; '), served: { addresses, nodes } }
  }

  const serve = async (
    desired: DesiredResource,
    targets: readonly WeightedTarget[],
  ): Promise<ServeOutcome> => {
    const key = desired.marks.key
    const known = services.get(key)
    const served = known ?? {
      desired,
      answers: false,
      route: createRoute(
        {
          clock,
          ids,
          affinityClientsMax: bounds.affinityClients,
          isServedHere: (frontend) => holders.has(frontend),
        },
        desired,
        targets,
      ),
      flows: createFlows({ clock, drainMs: bounds.drainMs }),
      open: new Map<string, OpenFrontend>(),
    }
    services.set(key, served)
    served.desired = desired
    served.answers = targets.length > 0
    served.route.update(desired, targets)
    served.flows.drain((flow) => served.route.orders(flow.frontend, flow.node))
    await closeUnwanted(served)
    return openMissing(served, targets.length)
  }
  const remove = async (key: ResourceKey): Promise<void> => {
    const served = services.get(key)
    if (!served) return
    services.delete(key)
    served.route.update({ ...served.desired, frontends: [] }, [])
    await Promise.all([...served.open.keys()].map((frontend) => closeFrontend(served, frontend)))
    served.flows.cutAll()
  }

  return {
    kind: 'userspace',
    serve: (desired, targets) => queue.run(desired.marks.key, () => serve(desired, targets)),
    remove: (key) => queue.run(key, () => remove(key)),
    // A proxy's frontends end with its process.
    releaseUnclaimed: () => Promise.resolve(),
    // Its sockets are its own: nobody else can change them.
    inspect: async () => ({
      repaired: null,
      problem: null,
      flows: new Map([...services].map(([key, { flows }]) => [key, flows.size])),
    }),
    repairs: () => [],
    doubt: () => undefined,
    counters: () => ({ ...tally }),
    close: async () => {
      await Promise.all([...services.keys()].map((key) => queue.run(key, () => remove(key))))
    },
  }
}

/** What no proxy can make good, whatever the nodes do; the provisioner refuses it before. */
const whyNever = ({ protocol, nodePort }: ResourceFrontend): string | undefined => {
  if (protocol === 'SCTP') return 'the userspace data plane carries TCP and UDP, not SCTP'
  if (nodePort !== undefined) return undefined
  return 'the userspace data plane sends to node ports, and it has none; allocate them'
}
