// What an operator sees of a platform: one trace for each Service, and every service's own numbers.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from '@weir/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCollector, type CollectedSpan, type Collector } from './harness/collector.ts'
import { services } from './harness/parts.ts'
import { makePlace, type Place } from './harness/place.ts'
import { startPlatform, type Platform } from './harness/platform.ts'

let collector: Collector
let platform: Platform
let place: Place
beforeAll(async () => {
  collector = await startCollector()
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }
  platform = await startPlatform({ kind: 'simulated', env })
  place = await makePlace(platform)
  await place.deploy('example', 2)
})
afterAll(async () => {
  await platform?.stop()
  await collector?.close()
})

const way = [
  'watcher: observe service',
  'allocator: allocate',
  'provisioner: provision',
  'edge: edge.obey',
  'watcher: write service',
]

const uidOf = async (name: string): Promise<string> =>
  (await place.service(name))?.metadata.uid ?? ''
const spansOf = (traceId: string): readonly CollectedSpan[] =>
  collector.spans().filter((span) => span.traceId === traceId)

test('one trace goes from the observation to the status patch, through every service', async () => {
  const names = ['one', 'two', 'three', 'four']
  await Promise.all(names.map((name) => place.expose(name, 'example')))
  for (const name of names) await place.served(name)
  for (const name of names) {
    const uid = await uidOf(name)
    const observed = await eventually(
      () =>
        collector
          .spans()
          .find((span) => span.name === 'observe service' && span.attributes['service'] === uid),
      { deadlineMs: 15_000 },
    )
    const { traceId } = observed
    await eventually(
      () => {
        const seen = new Set(spansOf(traceId).map((span) => `${span.service}: ${span.name}`))
        expect([...seen]).toEqual(expect.arrayContaining(way))
        return true
      },
      { deadlineMs: 15_000 },
    )
    // The status is written in answer to what the provisioner confirmed.
    const serviceOf = (id: string) => spansOf(traceId).find((span) => span.spanId === id)?.service
    const writes = spansOf(traceId).filter((span) => span.name === 'write service')
    expect(writes.map((span) => serviceOf(span.parentSpanId))).toContain('provisioner')
    // Every span has its parent in the trace, up to the observation.
    const ids = new Set(spansOf(traceId).map((span) => span.spanId))
    const orphans = spansOf(traceId).filter((span) => !ids.has(span.parentSpanId))
    expect(orphans.map((span) => span.name)).toEqual(['observe service'])
  }
})

test('every service serves numbers of its own', async () => {
  const own: Readonly<Record<string, readonly RegExp[]>> = {
    watcher: [/weir_reconciler_done_total\{/, /weir_stage_seconds_count\{.*stage="observe"/],
    allocator: [
      /weir_pool_addresses\{.*state="held".*\} [1-9]/,
      /weir_stage_seconds_count\{.*stage="seen-to-allocated"/,
      /weir_appends_total\{.*outcome="appended"/,
    ],
    provisioner: [
      /stage="intended-to-programmed"/,
      /weir_reconciler_done_total\{.*\} [1-9]/,
      /weir_appends_total\{/,
    ],
    gc: [/weir_gc_cycles_total\{.*status="done".*\} [1-9]/, /weir_relay_shards\{/],
    edge: [/weir_edge_connections_total\{/],
    api: [/weir_relay_shards\{/, /weir_appends_total\{.*outcome="appended"/],
  }
  for (const service of services) {
    // A number appears once the service has done the thing: gc's first cycle waits for its edges.
    const text = await eventually(
      async () => {
        const said = await metricsOf(service)
        for (const pattern of own[service] ?? []) expect(said, service).toMatch(pattern)
        return said
      },
      { deadlineMs: 90_000 },
    )
    expect(text, service).not.toMatch(/tenant="/)
  }
}, 120_000)

const metricsOf = async (service: string): Promise<string> => {
  const log = readFileSync(join(platform.state, 'run', `${service}.log`), 'utf8')
  const ready = log.matchAll(/"healthPort":(\d+)/g)
  const port = [...ready].at(-1)?.[1]
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
}
