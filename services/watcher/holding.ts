import type { Leases } from '@weir/eventlog'
import { explainError, type Clock, type Ids, type Logger } from '@weir/kernel'
import { clusterName, type KnownCluster } from './registry.ts'

/**
 * Decides which clusters this process watches: each cluster is watched by the one process that holds its
 * lease. A lease only saves work; what a late holder does is fenced by epochs, versions and UIDs.
 */
export interface Holding {
  /** Takes, renews and lets go until `signal` aborts; then lets go of everything. */
  run(signal: AbortSignal): Promise<void>
  /** Looks at once, such as after news of a cluster. */
  wake(): void
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
  readonly lease: string
  readonly version: number
  readonly fence: number
  readonly stop: AbortController
  readonly ended: Promise<void>
  isOver: boolean
  until: number
}

const nameOf = ({ tenant, cluster }: KnownCluster): string => clusterName(tenant, cluster.id)
/** One lease for all tenants that name the cluster: its fence goes on from whoever held it before. */
const leaseOf = ({ cluster }: KnownCluster): string => `cluster-${cluster.id}`

export const createHolding = (ports: HoldingPorts): Holding => {
  const { leases, holder, clock, ids, logger, leaseMs = 6_000 } = ports
  const held = new Map<string, Held>()
  let nap = new AbortController()
  let clusters: readonly KnownCluster[] = []
  let readAgainAt = -Infinity

  const begin = (known: KnownCluster, fence: number, until: number): void => {
    const name = nameOf(known)
    const stop = new AbortController()
    const entry: Held = {
      lease: leaseOf(known),
      version: known.version,
      fence,
      stop,
      isOver: false,
      until,
      ended: ports
        .watch(known, fence, stop.signal)
        .catch((error: unknown) =>
          logger.warn(
            { cluster: name, problem: explainError(error) },
            'cannot watch a cluster now',
          ),
        )
        .finally(() => (entry.isOver = true)),
    }
    held.set(name, entry)
    void expire(entry)
  }

  /** Also while a renewal has no answer: who is not fed any more must not go by what they knew. */
  const expire = async (entry: Held): Promise<void> => {
    const { signal } = entry.stop
    while (!signal.aborted && !entry.isOver) {
      if (clock.now() >= entry.until) return entry.stop.abort()
      await clock.sleep(entry.until - clock.now(), signal)
    }
  }

  const end = async (name: string): Promise<void> => {
    const entry = held.get(name)
    if (entry === undefined) return
    entry.stop.abort()
    await entry.ended
    held.delete(name)
  }

  const renew = async (known: KnownCluster): Promise<void> => {
    const name = nameOf(known)
    const entry = held.get(name)
    const isOver = entry?.isOver === true || entry?.stop.signal.aborted === true
    if (isOver || (entry !== undefined && entry.version !== known.version)) await end(name)
    const asked = clock.now()
    const lease = await leases.take(leaseOf(known), holder, leaseMs)
    if (lease === undefined) return end(name)
    const until = asked + leaseMs
    // Who paused so long that another held it meanwhile would speak with an old fence, and be ignored.
    if (held.get(name)?.fence !== lease.fence) await end(name)
    const present = held.get(name)
    if (present === undefined) begin(known, lease.fence, until)
    else present.until = until
  }

  const letGo = async (name: string): Promise<void> => {
    const lease = held.get(name)?.lease
    await end(name)
    if (lease === undefined || [...held.values()].some((other) => other.lease === lease)) return
    await leases.release(lease, holder)
  }

  const round = async (): Promise<void> => {
    if (clock.now() >= readAgainAt) {
      readAgainAt = clock.now() + readEveryMs
      clusters = (await ports.clusters()).filter(({ served }) => served)
    }
    for (const known of clusters) await renew(known)
    const wanted = new Set(clusters.map(nameOf))
    for (const name of held.keys()) if (!wanted.has(name)) await letGo(name)
  }

  return {
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
        for (const [name, { stop: over }] of held) if (over.signal.aborted) await end(name)
        if (!signal.aborted)
          await clock.sleep((leaseMs / 5) * (0.75 + ids.random() / 2), nap.signal)
      }
      await Promise.allSettled([...held.keys()].map(letGo))
    },
  }
}
