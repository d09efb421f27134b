import type { AppendOutcome, Reconciler, Relay } from '@weir/eventlog'
import type { Metrics } from '@weir/runtime'

/** A number by its name in the metrics, without `weir_` in front. */
type Numbers = Readonly<Record<string, number>>

/** What a reconciler reports, alike for every service: its backlog, and what came of its work. */
export const measureReconciler = (metrics: Metrics, reconciler: Reconciler): void => {
  const gauges = createGauges(metrics, {
    reconciler_active: 'Keys in work',
    reconciler_waiting: 'Keys that wait in memory for a place',
    reconciler_lag_events: 'Events that the last pass found not taken in',
    reconciler_lag_tenants: 'Tenants whose events the last pass found not taken in',
  })
  const counters = createCounters(metrics, {
    reconciler_done_total: 'Keys brought to where the log says',
    reconciler_failed_total: 'Attempts that failed and come back',
    reconciler_lost_total: 'Results that came after the lease had gone, or could not be written',
    reconciler_ingested_total: 'Events taken in',
    reconciler_duplicates_total: 'Events that came more than once',
    reconciler_gap_fills_total:
      'Times that events were read from the log, as the bus did not bring them',
  })
  metrics.beforeReading(() => {
    const { active, waiting, lag, counts } = reconciler.health()
    gauges({
      reconciler_active: active,
      reconciler_waiting: waiting,
      reconciler_lag_events: lag.events,
      reconciler_lag_tenants: lag.tenants,
    })
    counters({
      reconciler_done_total: counts.done,
      reconciler_failed_total: counts.failed,
      reconciler_lost_total: counts.lost,
      reconciler_ingested_total: counts.ingested,
      reconciler_duplicates_total: counts.duplicates,
      reconciler_gap_fills_total: counts.gapFills,
    })
  })
}

/** This process's share of the relay. */
export const measureRelay = (metrics: Metrics, relay: Relay): void => {
  const gauges = createGauges(metrics, {
    relay_shards: 'Shards of the relay that this process carries',
    relay_lag_events: 'Events in the log of our shards that were not published at the last look',
  })
  const counters = createCounters(metrics, {
    relay_published_total: 'Events given to the bus',
    relay_reads_total: 'Reads of the log, for events that nobody offered',
    relay_failures_total: 'Attempts to publish that failed',
  })
  metrics.beforeReading(() => {
    const { shards, lag, counts } = relay.health()
    gauges({ relay_shards: shards, relay_lag_events: lag })
    counters({
      relay_published_total: counts.published,
      relay_reads_total: counts.reads,
      relay_failures_total: counts.failures,
    })
  })
}

/** Appends by their outcome; `conflict` and `claimed` are races that were lost. */
export const measureAppends = (
  metrics: Metrics,
): ((outcome: AppendOutcome['status'] | 'failed', seconds: number) => void) => {
  const appends = metrics.counter<'outcome'>({
    name: 'weir_appends_total',
    help: 'Appends by their outcome',
    labels: ['outcome'],
  })
  return (outcome, seconds) => {
    appends.add(1, { outcome })
    metrics.stage('append', seconds)
  }
}

const createGauges = (metrics: Metrics, helps: Readonly<Record<string, string>>) => {
  const gauges = Object.entries(helps).map(([name, help]) => {
    const gauge = metrics.gauge({ name: `weir_${name}`, help })
    return { name, gauge }
  })
  return (numbers: Numbers): void => {
    for (const { name, gauge } of gauges) gauge.set(numbers[name] ?? 0, {})
  }
}

/** Carries totals that are counted elsewhere into counters, which only take what was added. */
const createCounters = (metrics: Metrics, helps: Readonly<Record<string, string>>) => {
  const counters = Object.entries(helps).map(([name, help]) => {
    const counter = metrics.counter({ name: `weir_${name}`, help })
    return { name, counter, before: 0 }
  })
  return (totals: Numbers): void => {
    for (const each of counters) {
      const total = totals[each.name] ?? 0
      each.counter.add(total - each.before, {})
      each.before = total
    }
  }
}
