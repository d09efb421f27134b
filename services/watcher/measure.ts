import type { Clock } from '@weir/kernel'
import type { ReflectorMetrics } from '@weir/kube'
import type { Metrics } from '@weir/runtime'
import type { Watcher } from './handle.ts'

/** Counts what reflectors do, by resource and reason. */
export const createCounts = (metrics: Metrics): ((resource: string) => ReflectorMetrics) => {
  const relists = metrics.counter({
    name: 'weir_watcher_relists_total',
    help: 'Lists that were begun, by what made them needed',
    labels: ['resource', 'reason'],
  })
  const rewatches = metrics.counter({
    name: 'weir_watcher_rewatches_total',
    help: 'Watches that were taken up again, by how the one before ended',
    labels: ['resource', 'reason'],
  })
  const malformed = metrics.counter({
    name: 'weir_watcher_malformed_total',
    help: 'Objects that could not be read and were left out',
    labels: ['resource'],
  })
  return (resource) => ({
    relisted: (reason) => relists.add(1, { resource, reason }),
    rewatched: (reason) => rewatches.add(1, { resource, reason }),
    malformed: () => malformed.add(1, { resource }),
  })
}

const measureEveryMs = 5000

/** Shows until `signal` aborts how many clusters are watched, how stale the stalest one is, and what is held back. */
export const measureStaleness = async (
  metrics: Metrics,
  watcher: Pick<Watcher, 'watching'>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> => {
  const clusters = metrics.gauge({
    name: 'weir_watcher_clusters',
    help: 'Clusters watched by this process',
  })
  const stalest = metrics.gauge({
    name: 'weir_watcher_stalest_seconds',
    help: 'Seconds since the most silent API server said anything',
  })
  const missing = metrics.gauge({
    name: 'weir_watcher_services_missing',
    help: 'Services that are missing from lists and not released, because so many are missing at once',
  })
  while (!signal.aborted) {
    const watching = watcher.watching()
    clusters.set(watching.length, {})
    stalest.set(Math.max(0, ...watching.map(({ staleMs }) => staleMs)) / 1000, {})
    missing.set(
      watching.reduce((sum, { heldBack }) => sum + heldBack, 0),
      {},
    )
    await clock.sleep(measureEveryMs, signal)
  }
}
