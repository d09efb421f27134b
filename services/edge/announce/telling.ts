import type { ResourceKey } from '@weir/contract'
import type { Clock } from '@weir/kernel'

/** Of a resource that is served: whether it is announced, and why it is not. */
export interface Telling {
  /** Whether its addresses were announced, where that was due. */
  readonly told: boolean
  /** Why they are not, once that takes long. */
  untold: string | undefined
}

export interface TellingOptions<T extends Telling> {
  readonly isCurrent: (key: ResourceKey, holding: T) => boolean
  /** Why nothing can be announced now; undefined when all is well. */
  readonly problem: () => string | undefined
  readonly clock: Pick<Clock, 'sleep'>
  readonly signal: AbortSignal
  /** How long announcing may take before that is said, and how often it is looked at from then on, ms; five seconds. */
  readonly everyMs?: number | undefined
  /** What can be said of it changed. */
  readonly onChange: (key: ResourceKey) => void
}

/** Looks after what is served until it is announced, and notes meanwhile why it is not. */
export const createTellingWatch = <T extends Telling>(options: TellingOptions<T>) => {
  const { isCurrent, problem, clock, signal, everyMs = 5_000, onChange } = options
  const watched = new Set<T>()
  return async (key: ResourceKey, holding: T): Promise<void> => {
    const isUntold = (): boolean => isCurrent(key, holding) && !holding.told
    if (watched.has(holding)) return
    watched.add(holding)
    while (isUntold()) {
      await clock.sleep(everyMs, signal)
      const before = holding.untold
      holding.untold = isUntold() ? problem() : undefined
      if (isUntold() && holding.untold !== before) onChange(key)
    }
    watched.delete(holding)
  }
}
