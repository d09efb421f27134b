/** Runs tasks one at a time per key, and many keys at once up to a bound. */
export interface KeyedQueue {
  /** Resolves with the task's result once every earlier task of the same key has ended. */
  run<T>(key: string, task: () => Promise<T>): Promise<T>
  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void>
}

/**
 * @param concurrency most tasks that run at the same time, over all keys.
 */
export const createKeyedQueue = (concurrency: number): KeyedQueue => {
  const tails = new Map<string, Promise<void>>()
  const waiting: (() => void)[] = []
  let running = 0

  const enter = async (): Promise<void> => {
    if (running >= concurrency) await new Promise<void>((admit) => waiting.push(admit))
    else running += 1
  }
  // A leaving task hands its place on, so `running` only falls when nobody waits.
  const leave = (): void => {
    const next = waiting.shift()
    if (next) next()
    else running -= 1
  }

  return {
    run: async <T>(key: string, task: () => Promise<T>): Promise<T> => {
      const before = tails.get(key) ?? Promise.resolve()
      let finished: () => void = () => undefined
      const mine = new Promise<void>((resolve) => (finished = resolve))
      const tail = before.then(() => mine)
      tails.set(key, tail)
      await before
      await enter()
      try {
        return await task()
      } finally {
        leave()
        if (tails.get(key) === tail) tails.delete(key)
        finished()
      }
    },
    idle: async () => {
      while (tails.size > 0) await Promise.all(tails.values())
    },
  }
}
