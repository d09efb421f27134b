import type { Clock } from '@weir/kernel'

/** Runs `work` for a key once it was quiet for `quietMs`, but no later than `mostMs` after the first. */
export interface Debounce {
  touch(key: string): void
}

export const createDebounce = (
  options: { readonly quietMs: number; readonly mostMs: number; readonly clock: Clock },
  work: (key: string) => Promise<void>,
  signal: AbortSignal,
): Debounce => {
  const { clock, quietMs, mostMs } = options
  const touched = new Map<string, { readonly first: number; last: number }>()

  const settle = async (key: string, entry: { readonly first: number; last: number }) => {
    for (;;) {
      const due = Math.min(entry.last + quietMs, entry.first + mostMs)
      const wait = due - clock.now()
      if (wait <= 0 || signal.aborted) break
      await clock.sleep(wait, signal)
    }
    touched.delete(key)
    if (!signal.aborted) await work(key)
  }

  return {
    touch: (key) => {
      const now = clock.now()
      const entry = touched.get(key)
      if (entry !== undefined) {
        entry.last = now
        return
      }
      const fresh = { first: now, last: now }
      touched.set(key, fresh)
      void settle(key, fresh)
    },
  }
}
