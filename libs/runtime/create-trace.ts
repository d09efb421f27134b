import type { Ids } from '@weir/kernel'
import { createUncollectedTrace } from './trace-off.ts'
import type { Trace } from './trace.ts'

export interface CreateTraceOptions {
  readonly service: string
  readonly version: string
  readonly ids: Ids
  /** `http://host:4318` of an OTLP collector; without one nothing is collected. */
  readonly endpoint: string | undefined
}

/** The SDK and its exporter cost 140 ms to load, so they are loaded only where a collector is. */
export const createTrace = async (options: CreateTraceOptions): Promise<Trace> => {
  const { service, version, ids, endpoint } = options
  if (endpoint === undefined) return createUncollectedTrace(ids)
  const [{ createCollectedTrace }, { OTLPTraceExporter }, { BatchSpanProcessor }] =
    await Promise.all([
      import('./trace-collected.ts'),
      import('@opentelemetry/exporter-trace-otlp-proto'),
      import('@opentelemetry/sdk-trace'),
    ])
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` })
  return createCollectedTrace({ service, version, processor: new BatchSpanProcessor({ exporter }) })
}
