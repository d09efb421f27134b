import { assert } from '@weir/kernel'
import type { ConsumeOptions } from './bus.ts'

/** The first message of a consumer that has to be made. */
export type Begin =
  | { readonly at: 'last-of-each' }
  | { readonly at: 'next' }
  /** The first one stored at or after this, in milliseconds of the server's clock. */
  | { readonly at: 'time'; readonly since: number }

/**
 * Where a consumer that has to be made begins.
 * - Last values: with all of them again.
 * - New messages, the first time: with the next one.
 * - New messages, after the consumer vanished: with those stored since the newest one that this
 *   process handled. A time and no sequence, for the stream may have been made again as well: then
 *   all in it is newer, while its sequences begin at one.
 *
 * @param handled when the newest handled message was stored, or when the consumer was first made.
 */
export const beginAt = (from: ConsumeOptions['from'], handled: number | undefined): Begin => {
  if (from === 'last-of-each') return { at: 'last-of-each' }
  return handled === undefined ? { at: 'next' } : { at: 'time', since: handled }
}

/** Most messages per batch. */
export const batchOf = (options: ConsumeOptions): number => options.batch ?? 256

/** A durable's name goes into subjects, so it may hold neither dots nor wildcards nor blanks. */
export const assertConsumable = ({ durable, batch }: ConsumeOptions): void => {
  assert(durable === undefined || /^[\w-]{1,64}$/.test(durable), `durable named ${durable}`)
  assert(batch === undefined || (batch > 0 && batch <= 1_000), `batch of ${batch}`)
}
