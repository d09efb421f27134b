import { explainError, systemClock } from '@weir/kernel'

/** Something that was started: how it ends, and how to end it. */
export interface Running {
  /** Resolves when it has ended, for whatever reason, with words such as `SIGKILL`. */
  readonly ended: Promise<string>
  stop(): Promise<void>
}

export interface Kept<P> {
  /** What the first start gave. */
  readonly first: P
  /** Ends it for good, also in the middle of a restart. */
  stop(): Promise<void>
}

export interface KeepOptions<P> {
  readonly name: string
  readonly start: () => Promise<P>
  readonly onRestart: (name: string, how: string) => void
}

const pauseMs = 500

/**
 * Starts a part, and starts it again whenever it ends by itself; a restart that fails is tried again.
 * @throws whatever the first start throws
 */
export const keepRunning = async <P extends Running>(options: KeepOptions<P>): Promise<Kept<P>> => {
  const { name, start, onRestart } = options
  const stopping = new AbortController()
  const first = await start()
  let current: Promise<P | undefined> = Promise.resolve(first)

  const startAgain = async (): Promise<P | undefined> => {
    for (;;) {
      await systemClock.sleep(pauseMs, stopping.signal)
      if (stopping.signal.aborted) return undefined
      try {
        return await start()
      } catch (error) {
        onRestart(name, explainError(error))
      }
    }
  }
  const watch = async (): Promise<void> => {
    for (let running = await current; running !== undefined; running = await current) {
      const how = await running.ended
      if (stopping.signal.aborted) return
      onRestart(name, how)
      current = startAgain()
    }
  }
  void watch()
  return {
    first,
    stop: async () => {
      stopping.abort()
      await (await current)?.stop()
    },
  }
}
