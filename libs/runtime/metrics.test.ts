import { expect, test } from 'vitest'
import { createMetrics } from './metrics.ts'

test('what is counted, measured and distributed can be read', async () => {
  const metrics = createMetrics('allocator')
  const refused = metrics.counter<'reason'>({
    name: 'weir_refused_total',
    help: 'Refusals',
    labels: ['reason'],
  })
  refused.add(2, { reason: 'quota' })
  refused.add(1, { reason: 'quota' })
  metrics.gauge({ name: 'weir_leases', help: 'Leases' }).set(7, {})
  metrics.histogram({ name: 'weir_append_seconds', help: 'Append' }).observe(0.004, {})
  metrics.stage('allocate', 0.02)
  const { text, contentType } = await metrics.exposition()
  expect(contentType).toContain('text/plain')
  expect(text).toContain('weir_refused_total{reason="quota",service="allocator"} 3')
  expect(text).toContain('weir_leases{service="allocator"} 7')
  expect(text).toContain('weir_append_seconds_bucket{le="0.005",service="allocator"} 1')
  expect(text).toContain('weir_append_seconds_bucket{le="0.0025",service="allocator"} 0')
  expect(text).toContain('weir_stage_seconds_count{service="allocator",stage="allocate"} 1')
  expect(text).toContain('process_cpu_seconds_total')
})

test('numbers that are kept elsewhere are read when somebody reads', async () => {
  const metrics = createMetrics('allocator')
  const size = metrics.gauge({ name: 'weir_size', help: 'Size' })
  const kept = [1]
  metrics.beforeReading(() => size.set(kept.length, {}))
  kept.push(2)
  expect((await metrics.exposition()).text).toContain('weir_size{service="allocator"} 2')
})

test('a tenant is no label', () => {
  const metrics = createMetrics('allocator')
  // @ts-expect-error one series per tenant would have no bound
  metrics.gauge<'tenant'>({ name: 'weir_wrong', help: 'Wrong', labels: ['tenant'] })
  expect(metrics).toBeDefined()
})
