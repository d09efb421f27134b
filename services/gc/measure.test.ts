import { createMetrics } from '@weir/runtime'
import { expect, test } from 'vitest'
import { measureCycles } from './measure.ts'

test('what the last cycle found can be read, and what all of them removed', async () => {
  const metrics = createMetrics('gc')
  const onCycle = measureCycles(metrics)
  const counts = { live: 0, superseded: 0, orphan: 2, 'no-intent': 0, foreign: 1, unmarked: 0 }
  const report = { counts, listed: 9, expected: 6 } as never
  onCycle({ status: 'done', report, removed: ['a', 'b'], held: null })
  onCycle({ status: 'done', report, removed: ['c'], held: 'too many' })
  onCycle({ status: 'elsewhere', removed: [], held: null })
  const { text } = await metrics.exposition()
  expect(text).toContain('weir_gc_resources{verdict="orphan",service="gc"} 2')
  expect(text).toContain('weir_gc_resources{verdict="listed",service="gc"} 9')
  expect(text).not.toContain('verdict="live"')
  expect(text).toContain('weir_gc_removed_total{service="gc"} 3')
  expect(text).toContain('weir_gc_cycles_total{status="elsewhere",service="gc"} 1')
})
