import type { Metrics } from '@weir/runtime'
import type { Cycle } from './handle.ts'

/** What the last cycle found, and what cycles have removed. */
export const measureCycles = (metrics: Metrics): ((cycle: Cycle) => void) => {
  const found = metrics.gauge<'verdict'>({
    name: 'weir_gc_resources',
    help: 'What the last cycle found at the provider: in all, expected by the log, and by verdict',
    labels: ['verdict'],
  })
  const held = metrics.gauge({
    name: 'weir_gc_held',
    help: '1 while a precondition fails and nothing is deleted',
  })
  const removed = metrics.counter({
    name: 'weir_gc_removed_total',
    help: 'Orphans whose absence was confirmed',
  })
  const cycles = metrics.counter<'status'>({
    name: 'weir_gc_cycles_total',
    help: 'Cycles that were done here, or left to another process',
    labels: ['status'],
  })
  return ({ status, report, removed: gone, held: why }) => {
    cycles.add(1, { status })
    removed.add(gone.length, {})
    held.set(why === null ? 0 : 1, {})
    if (report === undefined) return
    const { listed, expected, counts } = report
    const { live: _live, ...others } = counts // only what is not live is counted one by one
    for (const [verdict, count] of Object.entries({ listed, expected, ...others })) {
      found.set(count, { verdict })
    }
  }
}
