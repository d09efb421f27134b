import type { Leases } from '@weir/eventlog'
import { explainError, type Clock, type Ids, type Logger } from '@weir/kernel'
import type { ClusterId } from '@weir/contract'
import type { KnownCluster } from './registry.ts'

/**
 * Decides which clusters this process watches: each cluster is watched by the one process that holds its
 * lease. A lease only saves work; what a late holder does is fenced by epochs, versions and UIDs.
 */
export interface Holding {
  /** Takes, renews and lets go until `signal` aborts; then lets go of everything. */
  run(signal: AbortSignal): Promise<void>
  /** Looks at once, such as after news of a cluster. */
  wake(): void
  held(): readonly ClusterId[]
}

export interface HoldingPorts {
  readonly leases: Leases
  /** This process, for the lease rows. */
  readonly holder: string
  readonly clusters: () => Promise<readonly KnownCluster[]>
  /** Watches a cluster until `signal` aborts; may end early when the cluster cannot be reached. */
  readonly watch: (known: KnownCluster, fence: number, signal: AbortSignal) => Promise<void>
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** How long a cluster stays ours without renewal; 6,000 ms. */
  readonly leaseMs?: number
}

/** News of clusters comes by the log; this is for what it did not bring. */
const readEveryMs = 15_000

interface Held {
  readonly version: number
  readonly stop: AbortController
  readonly ended: Promise<void>
  isOver: boolean
  until: number
}

export const createHolding = (ports: HoldingPorts): Holding => {
  const { leases, holder, clock, ids, logger, leaseMs = 6_000 } = ports
  const held = new Map<ClusterId, Held>()
  let nap = new AbortController()
  let clusters: readonly KnownCluster[] = []
  let readAgainAt = -Infinity

  const begin = (known: KnownCluster, fence: number, until: number): void => {
    const { id } = known.cluster
    const stop = new AbortController()
    const entry: Held = {
      version: known.version,
      stop,
      isOver: false,
      until,
      ended: ports
        .watch(known, fence, stop.signal)
        .catch((error: unknown) =>
          logger.warn({ cluster: id, problem: explainError(error) }, 'cannot watch a cluster now'),
        )
        .finally(() => (entry.isOver = true)),
    }
    held.set(id, entry)
  }

  const end = async (id: ClusterId): Promise<void> => {
    const entry = held.get(id)
    if (entry === undefined) return
    entry.stop.abort()
    await entry.ended
    held.delete(id)
  }

  const renew = async (known: KnownCluster): Promise<void> => {
    const { id } = known.cluster
    const entry = held.get(id)
    if (entry !== undefined && (entry.isOver || entry.version !== known.version)) await end(id)
    const asked = clock.now()
    const lease = await leases.take(`cluster-${id}`, holder, leaseMs)
    if (lease === undefined) return end(id)
    const until = asked + leaseMs
    const present = held.get(id)
    if (present === undefined) begin(known, lease.fence, until)
    else present.until = until
  }

  const letGo = async (id: ClusterId): Promise<void> => {
    await end(id)
    await leases.release(`cluster-${id}`, holder)
  }

  const round = async (): Promise<void> => {
    if (clock.now() >= readAgainAt) {
      readAgainAt = clock.now() + readEveryMs
      clusters = (await ports.clusters()).filter(({ served }) => served)
    }
    for (const known of clusters) await renew(known)
    const wanted = new Set(clusters.map(({ cluster }) => cluster.id))
    for (const id of held.keys()) if (!wanted.has(id)) await letGo(id)
  }

  return {
    held: () => [...held.keys()],
    wake: () => {
      readAgainAt = -Infinity
      nap.abort()
    },
    run: async (signal) => {
      const stop = (): void => nap.abort()
      signal.addEventListener('abort', stop, { once: true })
      while (!signal.aborted) {
        nap = new AbortController()
        try {
          await round()
        } catch (error) {
          readAgainAt = -Infinity
          logger.warn({ problem: explainError(error) }, 'cannot look after leases, trying again')
        }
        // Whatever could not be renewed in time may be another's by now.
        for (const [id, { until }] of held) if (clock.now() >= until) await end(id)
        if (!signal.aborted)
          await clock.sleep((leaseMs / 5) * (0.75 + ids.random() / 2), nap.signal)
      }
      await Promise.allSettled([...held.keys()].map(letGo))
    },
  }
}
