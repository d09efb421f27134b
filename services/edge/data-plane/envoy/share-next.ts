/**
 * Many who want to look at the same thing at once share a look. Each gets one that began after it asked, so
 * at most two are under way or due.
 */
export const shareNext = <T>(look: () => Promise<T>): (() => Promise<T>) => {
  let running: Promise<unknown> | undefined
  let due: Promise<T> | undefined
  const begin = async (after: Promise<unknown> | undefined): Promise<T> => {
    await after?.catch(() => undefined)
    due = undefined
    const mine = look()
    running = mine
    try {
      return await mine
    } finally {
      if (running === mine) running = undefined
    }
  }
  return () => (due ??= begin(running))
}
