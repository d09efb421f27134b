import { explainError, systemClock } from '@weir/kernel'

export interface Patience {
  /** How long the condition may take, in milliseconds. */
  readonly deadlineMs?: number
}

/**
 * Waits for a condition instead of sleeping and hoping. Asks `check` again and again until it gives
 * anything but false or undefined, and resolves with that; assertions inside `check` may throw in
 * the meantime. After the deadline it throws with what the last try said.
 */
export const eventually = async <T>(
  check: () => T | Promise<T>,
  { deadlineMs = 10_000 }: Patience = {},
): Promise<Exclude<T, false | undefined>> => {
  const end = systemClock.now() + deadlineMs
  for (let pause = 2; ; pause = Math.min(pause * 1.5, 50)) {
    const last = await attempt(check)
    if (last.held) return last.value
    if (systemClock.now() >= end) {
      throw new Error(`not within ${deadlineMs} ms: ${last.why}`, { cause: last.cause })
    }
    await systemClock.sleep(pause)
  }
}

type Attempt<T> =
  | { held: true; value: Exclude<T, false | undefined> }
  | { held: false; why: string; cause?: unknown }

const attempt = async <T>(check: () => T | Promise<T>): Promise<Attempt<T>> => {
  try {
    const value = await check()
    if (value === false || value === undefined) return { held: false, why: `got ${String(value)}` }
    return { held: true, value: value as Exclude<T, false | undefined> }
  } catch (cause) {
    return { held: false, why: explainError(cause), cause }
  }
}
