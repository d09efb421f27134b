import { systemClock } from '@weir/kernel'

/**
 * Asks `check` until it says true, at most for `deadlineMs`. Resolves with whether it ever did, so
 * that the caller, who knows what was waited for, words the failure.
 */
export const waitUntil = async (
  check: () => boolean | Promise<boolean>,
  deadlineMs: number,
): Promise<boolean> => {
  const end = systemClock.now() + deadlineMs
  // Starting a server takes from 30 ms to seconds: ask often at first, then less often.
  for (let pause = 5; ; pause = Math.min(pause * 1.5, 100)) {
    if (await check()) return true
    if (systemClock.now() >= end) return false
    await systemClock.sleep(pause)
  }
}
