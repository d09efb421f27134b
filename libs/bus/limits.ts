import { assert } from '@weir/kernel'

/** How long EVT keeps an event; whoever was away longer reads the log. */
export const EVENT_AGE_MS = 48 * 3_600_000

/**
 * How long a message id is remembered. Ids live in the server's memory and survive a purge, so the
 * window is short and nobody relies on it for correctness.
 */
export const DEDUPE_WINDOW_MS = 5 * 60_000

/** The shortest time for which a stream can be asked to keep a message. */
const SHORTEST_TTL_MS = 1_000

/** The server counts lifetimes in whole seconds; none ends early. */
export const ttlSeconds = (ttlMs: number): number => {
  assert(ttlMs >= SHORTEST_TTL_MS && Number.isFinite(ttlMs), `a lifetime of ${ttlMs} ms`)
  return Math.ceil(ttlMs / 1_000)
}

/** Between two deliveries of a message whose handler rejected, by the number of deliveries. */
export const REDELIVERY_BACKOFF = { minMs: 100, maxMs: 5_000 }
