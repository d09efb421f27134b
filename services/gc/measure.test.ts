import { createMetrics } from '@weir/runtime'
import { expect, test } from 'vitest'
import { measureCleanup } from './measure.ts'

test('what the last cycle found can be read, what all of them removed, and how long it took', async () => {
  const metrics = createMetrics('gc')
  const { onCycle, onEnded, onLook } = measureCleanup(metrics)
  const counts = { live: 0, superseded: 0, orphan: 2, 'no-intent': 0, foreign: 1, unmarked: 0 }
  const report = { counts, listed: 9, expected: 6, hindrances: [] } as never
  const cycle = { driver: 'edge' as never, mode: 'observe', condemned: 0, spared: 0 } as const
  const done = { ...cycle, status: 'done', report, seconds: [100] } as const
  onCycle({ ...done, removed: ['a', 'b'], held: [] })
  onCycle({ ...done, removed: ['c'], held: ['too many'] })
  onCycle({ ...cycle, status: 'elsewhere', removed: [], seconds: [], held: [] })
  onEnded({ by: 'provisioner', seconds: 2 })
  onLook({ rows: 3, finalizers: 1 })
  const { text } = await metrics.exposition()
  expect(text).toContain('weir_gc_resources{driver="edge",verdict="orphan",service="gc"} 2')
  expect(text).toContain('weir_gc_resources{driver="edge",verdict="listed",service="gc"} 9')
  expect(text).not.toContain('verdict="live"')
  expect(text).toContain('weir_gc_removed_total{driver="edge",service="gc"} 3')
  expect(text).toContain('weir_gc_cycles_total{driver="edge",status="elsewhere",service="gc"} 1')
  expect(text).toContain('weir_gc_held{driver="edge",service="gc"} 1')
  expect(text).toContain('weir_gc_left{what="row",service="gc"} 3')
  expect(text).toContain('weir_gc_observing{service="gc"} 1')
  expect(text).toContain('weir_gc_time_to_absent_seconds_count{service="gc",by="gc"} 2')
  expect(text).toContain(
    'weir_gc_time_to_absent_seconds_bucket{le="5",service="gc",by="provisioner"} 1',
  )
})
