import type { Ended } from '@weir/drivers'
import type { Metrics } from '@weir/runtime'
import { collectorName, type Cycle } from './handle.ts'
import type { Left } from './reminders.ts'

/** Seconds; from a delete that nobody had to wait for to one that somebody must look after. */
const buckets = [1, 5, 15, 30, 60, 120, 180, 240, 300, 600, 1800, 3600, 14_400, 86_400]

/** What cycles find and do, and how long it takes until what lost its reason is confirmed absent. */
export const measureCleanup = (metrics: Metrics) => {
  const found = metrics.gauge<'driver' | 'verdict'>({
    name: 'weir_gc_resources',
    help: 'What the last cycle found at the provider: in all, expected by the log, and by verdict',
    labels: ['driver', 'verdict'],
  })
  const hindered = metrics.gauge<'driver'>({
    name: 'weir_gc_hindered',
    help: '1 while a precondition fails at this provider, so that nothing is judged or deleted',
    labels: ['driver'],
  })
  const held = metrics.gauge<'driver'>({
    name: 'weir_gc_held',
    help: '1 while something that is due is not deleted, for whatever reason',
    labels: ['driver'],
  })
  const observing = metrics.gauge({
    name: 'weir_gc_observing',
    help: '1 while cleanup only observes: not approved yet, or suspended',
  })
  const removed = metrics.counter<'driver'>({
    name: 'weir_gc_removed_total',
    help: 'Orphans whose absence was confirmed',
    labels: ['driver'],
  })
  const cycles = metrics.counter<'driver' | 'status'>({
    name: 'weir_gc_cycles_total',
    help: 'Cycles that were done here, or left to another process',
    labels: ['driver', 'status'],
  })
  const toAbsent = metrics.histogram<'by'>({
    name: 'weir_gc_time_to_absent_seconds',
    help: 'Seconds from the end of the reason for a resource to its confirmed absence',
    labels: ['by'],
    buckets,
  })
  const left = metrics.gauge<'what'>({
    name: 'weir_gc_left',
    help: 'Rows and finalizers of lives that are over, which their owners are asked to let go of',
    labels: ['what'],
  })
  return {
    onLook: ({ rows, finalizers }: Left) => {
      left.set(rows, { what: 'row' })
      left.set(finalizers, { what: 'finalizer' })
    },
    onEnded: ({ by, seconds }: Ended) => {
      // Its own removals are told by the cycle that made them.
      if (by !== collectorName) toAbsent.observe(seconds, { by })
    },
    onCycle: ({ status, driver, report, mode, seconds, ...cycle }: Cycle) => {
      cycles.add(1, { driver, status })
      removed.add(cycle.removed.length, { driver })
      for (const each of seconds) toAbsent.observe(each, { by: 'gc' })
      if (report === undefined) return
      hindered.set(report.hindrances.length > 0 ? 1 : 0, { driver })
      held.set(cycle.held.length > 0 ? 1 : 0, { driver })
      observing.set(mode === 'observe' ? 1 : 0, {})
      const { live: _live, ...others } = report.counts // only what is not live is counted one by one
      for (const [verdict, count] of Object.entries(others)) found.set(count, { driver, verdict })
      found.set(report.listed, { driver, verdict: 'listed' })
      found.set(report.expected, { driver, verdict: 'expected' })
    },
  }
}
