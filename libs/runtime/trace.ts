/**
 * One trace follows a load balancer from the observation to the status patch, across services and across
 * the log: a span gives a `traceparent` (W3C Trace Context §3.2) that is stored in the observation or
 * event, and the next service names it as `parent`.
 */
export interface Trace {
  /**
   * Runs `work` inside a span. The span becomes the parent of spans opened in `work`, and fails when
   * `work` rejects; the rejection passes through.
   */
  span<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>
  /** The `traceparent` of the span that is open here, if any. */
  current(): string | undefined
  /** Sends what is left and resolves; bounded in time. */
  stop(): Promise<void>
}

export interface SpanOptions {
  /** A `traceparent` that another service stored; one that does not parse is ignored. */
  readonly parent?: string | undefined
  /** A reconcile of several messages: each message's `traceparent`; the first 32 are kept. */
  readonly links?: readonly (string | undefined)[]
  readonly kind?: 'internal' | 'consumer' | 'producer' | 'client' | 'server'
  readonly attributes?: SpanAttributes
}

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

export interface Span {
  /** What to store in the observation, the event or the header. */
  readonly traceparent: string
  /** Adds attributes that are known only later. */
  set(attributes: SpanAttributes): void
}
