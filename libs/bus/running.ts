import type { ConsumeOptions } from './bus.ts'
import { assertConsumable } from './begin.ts'

/** The consumers of one handle, so that closing it ends them in order. */
export interface RunningConsumers {
  /** Runs a consumer until its own signal aborts or all shall end. */
  run(options: ConsumeOptions, consume: (until: ConsumeOptions) => Promise<void>): Promise<void>
  /** Tells all to end, and resolves when they have, or after a bounded time. */
  end(): Promise<void>
}

/** A handler that hangs does not keep its process from ending. */
const END_DEADLINE_MS = 5_000

export const createRunningConsumers = (): RunningConsumers => {
  const life = new AbortController()
  const running = new Set<Promise<void>>()
  return {
    run: async (options, consume) => {
      assertConsumable(options)
      const signal = AbortSignal.any([options.signal, life.signal])
      const ended = consume({ ...options, signal })
      running.add(ended)
      try {
        await ended
      } finally {
        running.delete(ended)
      }
    },
    end: async () => {
      life.abort()
      const late = Promise.withResolvers<void>()
      const timer = setTimeout(() => late.resolve(), END_DEADLINE_MS)
      await Promise.race([Promise.allSettled(running), late.promise])
      clearTimeout(timer)
    },
  }
}
