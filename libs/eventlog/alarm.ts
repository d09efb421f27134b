import type { Clock } from '@weir/kernel'

/** Lets a loop sleep until the earliest of several reasons to look again. A ring is never lost. */
export interface Alarm {
  /** Ends the sleep, or the next one before it begins. */
  ring(): void
  /** Ends the sleep at this instant, in milliseconds since the epoch, if not before. */
  ringBy(at: number): void
  /** Resolves after `atMostMs`, at a ring, or when `signal` aborts. */
  wait(atMostMs: number, signal: AbortSignal): Promise<void>
}

export const createAlarm = (clock: Clock): Alarm => {
  let due = Infinity
  let interrupt = (): void => undefined
  const ringBy = (at: number): void => {
    if (at >= due) return
    due = at
    interrupt()
  }
  return {
    ring: () => ringBy(-Infinity),
    ringBy,
    wait: async (atMostMs, signal) => {
      const end = clock.now() + atMostMs
      for (;;) {
        const left = Math.min(end, due) - clock.now()
        if (signal.aborted || left <= 0) break
        const nap = new AbortController()
        interrupt = () => nap.abort()
        signal.addEventListener('abort', interrupt, { once: true })
        await clock.sleep(left, nap.signal)
        signal.removeEventListener('abort', interrupt)
      }
      if (due <= clock.now()) due = Infinity
    },
  }
}
