import type { ClusterId, ServiceUid, TenantId } from '@weir/contract'
import {
  createConnection,
  createEventRecorder,
  createServiceWriter,
  type AddressPolicy,
  type EventRecorder,
  type KubeConnection,
  type SeenService,
  type ServiceWriter,
} from '@weir/kube'
import {
  createKeyedQueue,
  OperatingError,
  type Clock,
  type KeyedQueue,
  type Logger,
} from '@weir/kernel'
import { clusterName, type KnownCluster, type Registry } from './registry.ts'
import { createServiceCache, type ServiceCache } from './service-cache.ts'

/** Everything that one process needs to work on one cluster. */
export interface Desk {
  readonly known: KnownCluster
  readonly connection: KubeConnection
  readonly writer: ServiceWriter
  readonly recorder: EventRecorder
  /** Filled while this process watches the cluster; else Services are read when needed. */
  readonly cache: ServiceCache
  /** What the last write of this process left on each Service, as `shownText` puts it. */
  readonly wrote: Map<ServiceUid, string>
  /** Services that this process took its finalizers off: their end surprises nobody. */
  readonly released: Set<ServiceUid>
  /** One thing at a time per Service, whether it was seen or decided. */
  readonly queue: KeyedQueue
}

/** Opens desks on demand and keeps them while the cluster's settings stay the same. */
export interface Desks {
  /**
   * Undefined when the cluster is unknown or its credentials are gone.
   * @throws OperatingError when another cluster answers at its address.
   */
  at(tenant: TenantId, id: ClusterId): Promise<Desk | undefined>
  /** Desks that are open, for whoever looks for a Service by its UID alone. */
  open(): readonly Desk[]
  /** Closes the desk, so that the next use reads settings and credentials afresh. */
  close(tenant: TenantId, id: ClusterId): Promise<void>
  closeAll(): Promise<void>
}

export interface DesksPorts {
  readonly registry: Registry
  readonly policy: AddressPolicy
  readonly clock: Clock
  readonly logger: Logger
  /** Writes at the same time per cluster. */
  readonly concurrency: number
  /** How a cluster is reached; over the network when absent. */
  readonly connect?: typeof createConnection
}

export const createDesks = (ports: DesksPorts): Desks => {
  const desks = new Map<string, Promise<Desk | undefined>>()
  const opened = new Map<string, Desk>()

  const make = async (tenant: TenantId, id: ClusterId): Promise<Desk | undefined> => {
    const known = await ports.registry.find(tenant, id)
    const credentials = known && (await ports.registry.credentials(known))
    if (known === undefined || credentials === undefined) return undefined
    const connect = ports.connect ?? createConnection
    const connection = connect(credentials, { policy: ports.policy })
    try {
      await verifyIdentity(connection, id)
    } catch (error) {
      await connection.close()
      throw error
    }
    const desk = outfit(ports, known, connection)
    opened.set(clusterName(tenant, id), desk)
    return desk
  }

  const close = async (name: string): Promise<void> => {
    const desk = opened.get(name)
    desks.delete(name)
    opened.delete(name)
    await desk?.connection.close()
  }

  return {
    at: (tenant, id) => {
      const name = clusterName(tenant, id)
      const present = desks.get(name)
      if (present !== undefined) return present
      const made = make(tenant, id)
      desks.set(name, made)
      // Neither a failure nor an absence is remembered: the next one looks again.
      const forget = (): void => void desks.delete(name)
      made.then((desk) => desk ?? forget(), forget)
      return made
    },
    open: () => [...opened.values()],
    close: (tenant, id) => close(clusterName(tenant, id)),
    closeAll: async () => void (await Promise.all([...opened.keys()].map(close))),
  }
}

/** @throws OperatingError when the API server is another cluster's: nothing it says may be believed. */
export const verifyIdentity = async (connection: KubeConnection, id: ClusterId): Promise<void> => {
  const found = await connection.identity()
  if (found === id) return
  throw new OperatingError(`${connection.server} is cluster ${found} and not ${id}`, {
    retry: { afterMs: 30_000 },
  })
}

const outfit = (
  { clock, logger, concurrency }: DesksPorts,
  known: KnownCluster,
  connection: KubeConnection,
): Desk => ({
  known,
  connection,
  writer: createServiceWriter(connection, { defaultClass: known.cluster.defaultClass }),
  recorder: createEventRecorder({ connection, clock, logger }),
  cache: createServiceCache(),
  wrote: new Map(),
  released: new Set(),
  queue: createKeyedQueue(concurrency),
})

/** What a user sees of our work on a Service, for telling whether somebody changed it. */
export const shownText = ({ ingress, reason, conditions }: SeenService): string => {
  const own = conditions.filter(({ type }) => type.startsWith('weir.dev/'))
  return JSON.stringify([ingress, reason, own.map(({ type, status }) => [type, status])])
}
