import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace as api,
  TraceFlags,
} from '@opentelemetry/api'
import type { Context, Link, Span as ApiSpan, SpanContext, Tracer } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AlwaysOnSampler, ParentBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import type { SpanProcessor } from '@opentelemetry/sdk-trace'
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions'
import { explainError } from '@weir/kernel'
import { redactText } from './redact.ts'
import type { SpanOptions, Trace } from './trace.ts'
import { formatTraceparent, parseTraceparent } from './traceparent.ts'

export interface CollectedTraceOptions {
  readonly service: string
  readonly version: string
  /** Takes the spans that ended: a batch over OTLP in service, memory in tests. */
  readonly processor: SpanProcessor
}

const MOST_LINKS = 32
const STOP_DEADLINE_MS = 3_000

/**
 * Traces on the OpenTelemetry SDK, without its globals: several services may run in one process, each
 * with its own name.
 */
export const createCollectedTrace = (options: CollectedTraceOptions): Trace => {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      [ATTR_SERVICE_NAME]: options.service,
      [ATTR_SERVICE_VERSION]: options.version,
    }),
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [options.processor],
  })
  const tracer = provider.getTracer('weir', options.version)
  const open = new AsyncLocalStorageContextManager().enable()
  return {
    span: async (name, wanted, work) => {
      const span = startSpan(tracer, name, wanted, open.active())
      const inside = api.setSpan(open.active(), span)
      try {
        return await open.with(inside, () =>
          work({
            traceparent: traceparentOf(span),
            set: (attributes) => void span.setAttributes(attributes),
          }),
        )
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: redactText(explainError(error)) })
        throw error
      } finally {
        span.end()
      }
    },
    current: () => {
      const span = api.getSpan(open.active())
      return span === undefined ? undefined : traceparentOf(span)
    },
    stop: async () => {
      const late = Promise.withResolvers<void>()
      const timer = setTimeout(() => late.resolve(), STOP_DEADLINE_MS)
      // A collector that is away must not keep the service from ending.
      await Promise.race([provider.shutdown().catch(() => undefined), late.promise])
      clearTimeout(timer)
    },
  }
}

const startSpan = (
  tracer: Tracer,
  name: string,
  { parent, links = [], kind = 'internal', attributes = {} }: SpanOptions,
  active: Context,
): ApiSpan => {
  const remote = spanContextOf(parent)
  const around = remote === undefined ? active : api.setSpanContext(ROOT_CONTEXT, remote)
  const linked = links.flatMap((text): Link[] => {
    const context = spanContextOf(text)
    return context === undefined ? [] : [{ context }]
  })
  const options = { kind: kinds[kind], attributes, links: linked.slice(0, MOST_LINKS) }
  return tracer.startSpan(name, options, around)
}

const kinds = {
  internal: SpanKind.INTERNAL,
  consumer: SpanKind.CONSUMER,
  producer: SpanKind.PRODUCER,
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
} as const

const spanContextOf = (traceparent: string | undefined): SpanContext | undefined => {
  const place = parseTraceparent(traceparent)
  if (place === undefined) return undefined
  const { traceId, spanId, sampled } = place
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE
  return { traceId, spanId, traceFlags, isRemote: true }
}

const traceparentOf = (span: ApiSpan): string => {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return formatTraceparent({ traceId, spanId, sampled: (traceFlags & TraceFlags.SAMPLED) !== 0 })
}
