import type { ConsumeOptions } from './bus.ts'

/** How far a process has read, for the day that its consumer vanishes. */
export interface Position {
  /** Names the stream it read: a stream that was made again has another. */
  readonly incarnation: string | undefined
  /** The newest sequence it handled; 0 before the first. */
  readonly sequence: number
}

/** The first message of a consumer that has to be made. */
export type Begin =
  | { readonly at: 'last-of-each' }
  | { readonly at: 'next' }
  | { readonly at: 'first' }
  | { readonly at: 'sequence'; readonly sequence: number }

/**
 * Where a consumer that has to be made begins.
 * - Last values: with all of them again.
 * - New messages, the first time: with the next one.
 * - New messages, after the consumer vanished from a stream that is still the same: behind what this
 *   process handled, so that the gap is delivered.
 * - New messages, after the stream was made again: with its first, for all in it is new.
 */
export const beginAt = (
  from: ConsumeOptions['from'],
  position: Position | undefined,
  incarnation: string | undefined,
): Begin => {
  if (from === 'last-of-each') return { at: 'last-of-each' }
  if (position === undefined) return { at: 'next' }
  if (position.incarnation !== incarnation) return { at: 'first' }
  if (position.sequence === 0) return { at: 'next' }
  return { at: 'sequence', sequence: position.sequence + 1 }
}

/** The position after a batch was handled in the stream that `position` names. */
export const advance = (position: Position, sequences: readonly number[]): Position => ({
  ...position,
  sequence: Math.max(position.sequence, ...sequences),
})

/** Most messages per batch. */
export const batchOf = (options: ConsumeOptions): number => options.batch ?? 256
