import type { Clock } from '@weir/kernel'

/** Lets one call through each `1/perSecond`, however many ask; `hold` stops all for a while. */
export interface Pace {
  turn(signal?: AbortSignal): Promise<void>
  hold(forMs: number): void
}

/** A pace for one provider: cleanup may take so much of its rate and no more. */
export const createPace = (clock: Clock, perSecond: number): Pace => {
  let next = 0
  return {
    turn: async (signal) => {
      const now = clock.now()
      // A clock that was set back must not stop us for longer than one step.
      const at = Math.max(now, next > now + maxWaitMs ? now : next)
      next = at + 1000 / perSecond
      if (at > now) await clock.sleep(at - now, signal)
    },
    hold: (forMs) => {
      next = Math.max(next, clock.now() + Math.min(forMs, maxWaitMs))
    },
  }
}

const maxWaitMs = 60_000
