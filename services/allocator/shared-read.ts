/**
 * Many ask, one reads: everybody is answered by a read that began after they asked, and of one name only
 * one read runs at a time. So an answer is never older than the question, and a thousand questions at
 * once cost two reads.
 */
export const createSharedRead = <T>(
  read: (name: string) => Promise<T>,
): ((name: string) => Promise<T>) => {
  const running = new Map<string, Promise<unknown>>()
  const next = new Map<string, Promise<T>>()

  const begin = async (name: string): Promise<T> => {
    await running.get(name)?.catch(() => undefined) // whoever waits for that one is told
    next.delete(name)
    const mine = read(name)
    running.set(name, mine)
    try {
      return await mine
    } finally {
      if (running.get(name) === mine) running.delete(name)
    }
  }
  return (name) => {
    const known = next.get(name)
    if (known) return known
    const fresh = begin(name)
    next.set(name, fresh)
    return fresh
  }
}
