import type { Bus } from '@weir/bus'
import type { DriverName, InstallationId } from '@weir/contract'
import type { Driver } from '@weir/drivers'
import type { Store } from '@weir/eventlog'
import type { Clock, Ids, Logger } from '@weir/kernel'
import type { ClusterCredentials, KubeConnection } from '@weir/kube'
import type { Actor } from '../scheduler/actor.ts'

/** What one process of one service runs on: its own clock and its own ends of everything shared. */
export interface Machine {
  readonly actor: Actor
  readonly store: Store
  readonly bus: Bus
  readonly clock: Clock
  /** Aborts when the whole schedule is over, and not when the process dies: a crash tells nobody. */
  readonly signal: AbortSignal
  readonly ids: Ids
  readonly logger: Logger
  readonly installation: InstallationId
  readonly drivers: ReadonlyMap<DriverName, Driver>
  readonly connect: (credentials: ClusterCredentials) => KubeConnection
  readonly pace: Pace
  /** A loop of the process ended with an error: an invariant of its own is broken. */
  readonly onBroken: (error: unknown) => void
}

/** How often things are looked at: configuration in production, drawn by the seed here. */
export interface Pace {
  readonly passMs: number
  readonly relayPollMs: number
  readonly relayLeaseMs: number
  readonly lookEveryMs: number
  readonly clusterLeaseMs: number
  readonly publishAgainMs: number
  readonly gcIntervalMs: number
  readonly gcGraceMs: number
}

/** Where a planted bug sits. */
export interface Place {
  readonly service: ServiceName
  readonly actor: Actor
}

/** Ports of processes that a planted bug wraps; nothing of this is in the product. */
export interface Plants {
  readonly store?: (store: Store, at: Place) => Store
  readonly bus?: (bus: Bus, at: Place) => Bus
  readonly driver?: (driver: Driver, at: Place) => Driver
  readonly connection?: (connection: KubeConnection, at: Place) => KubeConnection
}

export const serviceNames = ['watcher', 'allocator', 'provisioner', 'gc'] as const
export type ServiceName = (typeof serviceNames)[number]

export const silentTrace = {
  span: <T>(
    _name: string,
    _options: unknown,
    work: (span: { readonly traceparent: string; set: () => void }) => Promise<T>,
  ): Promise<T> => work({ traceparent: '', set: () => undefined }),
  current: () => undefined,
}
