/**
 * The bus: a fast, lossy, reordering, duplicating hint. Two implementations keep these promises, held by
 * `bus.conformance.ts`: JetStream, and a twin in memory that misbehaves on request.
 *
 * - What was acknowledged is usually delivered, perhaps twice, perhaps late, perhaps out of order.
 * - Nothing here is the truth: a reader that needs all of it reads the log.
 * - A consumer goes on by itself after its consumer, its stream or the server vanished.
 */
export interface Bus {
  /**
   * Makes the streams OBS, EVT and EDGE where they are missing. Resolves with the names it had to make:
   * after a loss of the bus, whoever owns last values publishes them again.
   */
  ensureStreams(): Promise<readonly string[]>

  /**
   * Resolves when the stream has the message. The same `id` within the stream's window is stored once.
   * Messages published together keep their order.
   */
  publish(messages: readonly OutgoingMessage[]): Promise<readonly PublishedMessage[]>

  /**
   * Delivers a stream's messages in batches until `signal` aborts, one batch at a time; a batch is
   * acknowledged when `handle` resolves, and comes again when it rejects. Survives everything but abort.
   */
  consume(options: ConsumeOptions): Promise<void>

  /** The newest message on one subject of a stream that keeps last values. */
  last(stream: string, subject: string): Promise<IncomingMessage | undefined>

  /** The newest message of every subject that matches `filter`, read in pages; memory stays flat. */
  lastOfEach(stream: string, filter: string): AsyncIterable<IncomingMessage>

  /** Tells whoever listens, at most once, now. */
  hint(subject: string, body: string): void

  /**
   * Calls `handle` for each hint on `subject` (wildcards allowed) until `signal` aborts. One that throws
   * misses that hint alone.
   */
  onHint(
    subject: string,
    handle: (body: string, subject: string) => void,
    signal: AbortSignal,
  ): void

  /**
   * Calls back when streams had to be made again, that is after the bus lost everything, until `signal`
   * aborts.
   */
  onRebuilt(handle: (streams: readonly string[]) => void, signal: AbortSignal): void

  /** Whether the server answers now. */
  connected(): boolean

  /** Ends every consumer after the batch in its hand, and then the connection. */
  close(): Promise<void>
}

export interface OutgoingMessage {
  readonly subject: string
  readonly body: string
  /** Names the message for the stream's dedupe window. */
  readonly id?: string
  readonly headers?: Readonly<Record<string, string>>
  /**
   * How long a stream of last values keeps the message, in milliseconds, at least a second; rounded up
   * to whole seconds. For ever unless said otherwise, and on servers older than 2.11. A newer message
   * of the subject goes by its own lifetime, and the older one never comes back. Refused on EVT.
   */
  readonly ttlMs?: number
}

export interface PublishedMessage {
  /** The stream's own sequence of the message. */
  readonly streamSequence: number
  readonly duplicate: boolean
}

export interface IncomingMessage {
  readonly subject: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
  readonly streamSequence: number
  /** 1 for the first delivery. */
  readonly deliveries: number
}

export interface ConsumeOptions {
  readonly stream: string
  /** Subjects to take, one filter. */
  readonly filter: string
  /**
   * Name of the durable consumer that replicas share; without one the consumer is this process's own
   * and ends with it.
   */
  readonly durable?: string
  /** Where a consumer that is new begins. */
  readonly from: 'new' | 'last-of-each'
  readonly handle: (messages: readonly IncomingMessage[]) => Promise<void>
  readonly signal: AbortSignal
  /** Most messages per batch. */
  readonly batch?: number
}
