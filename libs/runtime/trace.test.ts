import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace'
import { systemIds } from '@weir/kernel'
import { expect, test } from 'vitest'
import { createTrace } from './create-trace.ts'
import { createCollectedTrace } from './trace-collected.ts'
import { createUncollectedTrace } from './trace-off.ts'
import type { Trace } from './trace.ts'
import { formatTraceparent, parseTraceparent } from './traceparent.ts'

const exporter = (): InMemorySpanExporter => new InMemorySpanExporter()
const collected = (service: string, memory: InMemorySpanExporter): Trace =>
  createCollectedTrace({
    service,
    version: '1',
    processor: new SimpleSpanProcessor({ exporter: memory }),
  })
const remote = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test('one trace goes from the observation to the status patch, through what is stored', async () => {
  const memory = exporter()
  const on = (service: string): Trace => collected(service, memory)
  const step = (service: string, name: string, parent?: string): Promise<string> =>
    on(service).span(name, { parent, attributes: { 'weir.tenant': 'acme' } }, async (span) =>
      JSON.parse(JSON.stringify(span.traceparent)),
    )
  const observation = await step('watcher', 'observe')
  const allocated = await step('allocator', 'allocate', observation)
  const programmed = await step('provisioner', 'program', allocated)
  await step('edge', 'apply', programmed)
  await step('watcher', 'patch status', programmed)

  const spans = memory.getFinishedSpans()
  expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1)
  const nameOf = (id: string | undefined): string | undefined =>
    spans.find((span) => span.spanContext().spanId === id)?.name
  const chain = spans.map((span) => [span.name, nameOf(span.parentSpanContext?.spanId)])
  expect(chain).toEqual([
    ['observe', undefined],
    ['allocate', 'observe'],
    ['program', 'allocate'],
    ['apply', 'program'],
    ['patch status', 'program'],
  ])
  expect(spans.map((span) => span.resource.attributes['service.name'])).toEqual([
    'watcher',
    'allocator',
    'provisioner',
    'edge',
    'watcher',
  ])
})

test('spans opened inside a span are its children, across awaits', async () => {
  const memory = exporter()
  const trace = collected('allocator', memory)
  await trace.span('reconcile', { kind: 'consumer' }, async (outer) => {
    await Promise.resolve()
    expect(trace.current()).toBe(outer.traceparent)
    await trace.span('append', {}, async (inner) => {
      inner.set({ 'weir.events': 2 })
      expect(trace.current()).toBe(inner.traceparent)
    })
  })
  expect(trace.current()).toBeUndefined()
  const [append, reconcile] = memory.getFinishedSpans()
  expect(append?.parentSpanContext?.spanId).toBe(reconcile?.spanContext().spanId)
  expect(append?.attributes).toEqual({ 'weir.events': 2 })
  expect(reconcile?.kind).toBe(SpanKind.CONSUMER)
})

test('a reconcile of many messages links to each, at most 32', async () => {
  const memory = exporter()
  const many = Array.from({ length: 40 }, () => remote)
  await collected('a', memory).span('reconcile', { links: ['junk', undefined, ...many] }, work)
  expect(memory.getFinishedSpans()[0]?.links).toHaveLength(32)
  expect(memory.getFinishedSpans()[0]?.links[0]?.context.spanId).toBe('b7ad6b7169203331')
})

test('a span fails with its work, without the credentials in the error', async () => {
  const memory = exporter()
  const failing = collected('a', memory).span('connect', {}, () =>
    Promise.reject(new Error('refused by nats://a:hunter2@b')),
  )
  await expect(failing).rejects.toThrow('refused')
  expect(memory.getFinishedSpans()[0]?.status.code).toBe(SpanStatusCode.ERROR)
  expect(JSON.stringify(memory.getFinishedSpans()[0]?.status)).not.toContain('hunter2')
})

test('a trace that its first service did not sample is not collected later', async () => {
  const memory = exporter()
  const parent = remote.replace(/01$/, '00')
  await collected('a', memory).span('x', { parent }, work)
  expect(memory.getFinishedSpans()).toEqual([])
})

test('without a collector the trace still goes through', async () => {
  const trace = await createTrace({
    service: 'a',
    version: '1',
    ids: systemIds,
    endpoint: undefined,
  })
  expect(await trace.span('x', { parent: remote }, async (span) => span.traceparent)).toBe(remote)
  const own = await trace.span('x', {}, async (outer) => {
    expect(await trace.span('y', {}, async (inner) => inner.traceparent)).toBe(outer.traceparent)
    return outer.traceparent
  })
  expect(parseTraceparent(own)).toMatchObject({ sampled: false })
  expect(trace.current()).toBeUndefined()
})

test.each([
  ['nothing', undefined],
  ['words', 'hello'],
  ['a zero trace', '00-00000000000000000000000000000000-b7ad6b7169203331-01'],
  ['a zero span', '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01'],
  ['the forbidden version', remote.replace(/^00/, 'ff')],
  ['capitals', remote.toUpperCase()],
])('%s is no place in a trace, and a span with it begins a new one', async (_name, text) => {
  expect(parseTraceparent(text)).toBeUndefined()
  const trace = createUncollectedTrace(systemIds)
  const made = await trace.span('x', { parent: text }, async (span) => span.traceparent)
  expect(parseTraceparent(made)).toBeDefined()
})

test('a later version of traceparent is read, and what it adds is left out', () => {
  const place = parseTraceparent(`01${remote.slice(2)}-more`)
  expect(place && formatTraceparent(place)).toBe(remote)
})

const work = (): Promise<void> => Promise.resolve()
