import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'

/**
 * Numbers about this process, read at /metrics. Label names are fixed when a metric is made, so that a
 * wrong one does not compile. A tenant is never a label: tenants are without bound, and a metric with
 * one series per tenant kills the system that stores it.
 */
export interface Metrics {
  /** Counts what only grows; the name ends in `_total`. */
  counter<Label extends string = never>(definition: MetricDefinition<Label>): Counting<Label>
  /** Measures what goes up and down. */
  gauge<Label extends string = never>(definition: MetricDefinition<Label>): Measuring<Label>
  /** Distributes durations in seconds; the name ends in `_seconds`. */
  histogram<Label extends string = never>(
    definition: MetricDefinition<Label> & { readonly buckets?: readonly number[] },
  ): Observing<Label>
  /** `weir_stage_seconds{stage}`: seconds that one stage of a load balancer's way took. */
  stage(stage: string, seconds: number): void
  /** Calls `update` before every reading, for numbers that are kept elsewhere. */
  beforeReading(update: () => void): void
  /** The text that Prometheus reads, and its content type. */
  exposition(): Promise<{ readonly contentType: string; readonly text: string }>
}

export interface MetricDefinition<Label extends string> {
  readonly name: string
  readonly help: string
  readonly labels?: readonly Exclude<Label, 'tenant'>[]
}

type Labels<Label extends string> = Readonly<Record<Label, string>>

export interface Counting<Label extends string> {
  add(amount: number, labels: Labels<Label>): void
}
export interface Measuring<Label extends string> {
  set(value: number, labels: Labels<Label>): void
}
export interface Observing<Label extends string> {
  observe(seconds: number, labels: Labels<Label>): void
}

/** Seconds; from the cost of one hint over the bus to a provider that takes minutes. */
const DEFAULT_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
]

/** @param service becomes the label `service` of every series. */
export const createMetrics = (service: string): Metrics => {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry })
  const updates: (() => void)[] = []
  const stages = new Histogram({
    name: 'weir_stage_seconds',
    help: 'Seconds that one stage of a load balancer took',
    labelNames: ['stage'],
    buckets: DEFAULT_BUCKETS,
    registers: [registry],
  })
  return {
    counter: ({ name, help, labels = [] }) => {
      const metric = new Counter({ name, help, labelNames: labels, registers: [registry] })
      return { add: (amount, values) => metric.inc(values, amount) }
    },
    gauge: ({ name, help, labels = [] }) => {
      const metric = new Gauge({ name, help, labelNames: labels, registers: [registry] })
      return { set: (value, values) => metric.set(values, value) }
    },
    histogram: ({ name, help, labels = [], buckets = DEFAULT_BUCKETS }) => {
      const options = { name, help, labelNames: labels, buckets: [...buckets] }
      const metric = new Histogram({ ...options, registers: [registry] })
      return { observe: (seconds, values) => metric.observe(values, seconds) }
    },
    stage: (stage, seconds) => stages.observe({ stage }, seconds),
    beforeReading: (update) => void updates.push(update),
    exposition: async () => {
      for (const update of updates) update()
      return { contentType: registry.contentType, text: await registry.metrics() }
    },
  }
}
