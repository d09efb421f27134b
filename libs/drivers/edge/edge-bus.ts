/**
 * The part of a bus that the edge driver needs; `@weir/bus` has this shape. It may lose everything:
 * what is here is told again by whoever holds the log.
 */
export interface EdgeBus {
  /** Resolves when the stream keeps the messages, in this order. */
  publish(messages: readonly EdgeTelling[]): Promise<readonly unknown[]>
  /** The newest message on one subject. */
  last(stream: string, subject: string): Promise<EdgeMessage | undefined>
  /** The newest message of each subject that matches `filter`. */
  lastOfEach(stream: string, filter: string): AsyncIterable<EdgeMessage>
  /** Delivers in batches until `signal` aborts. */
  consume(options: {
    readonly stream: string
    readonly filter: string
    readonly from: 'new' | 'last-of-each'
    readonly handle: (messages: readonly EdgeMessage[]) => Promise<void>
    readonly signal: AbortSignal
  }): Promise<void>
  /** Calls back after streams had to be made again, that is after the bus lost everything. */
  onRebuilt(handle: (streams: readonly string[]) => void, signal: AbortSignal): void
}

export interface EdgeTelling extends EdgeMessage {
  /** How long the stream keeps it, in milliseconds; for ever unless said otherwise. */
  readonly ttlMs?: number
}

export interface EdgeMessage {
  readonly subject: string
  readonly body: string
}
