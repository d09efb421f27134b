/** A stream as it was found or just made. */
export interface FoundStream {
  readonly name: string
  /** Differs between a stream and the one made after it was lost. */
  readonly incarnation: string
  /** Whether it was missing and is made by this process now. */
  readonly made: boolean
}

/** Notices that the bus lost its streams, once per loss, whoever made them again. */
export interface RebuiltWatch {
  /** Takes what was found; tells the listeners, and returns, what is another than before. */
  note(found: readonly FoundStream[]): readonly string[]
  onRebuilt(handle: (streams: readonly string[]) => void, signal: AbortSignal): void
}

export const createRebuiltWatch = (): RebuiltWatch => {
  const seen = new Map<string, string>()
  const handlers = new Set<(streams: readonly string[]) => void>()
  let untold: readonly string[] = []

  return {
    note: (found) => {
      const renewed = found.filter(({ name, incarnation, made }) => {
        const before = seen.get(name)
        seen.set(name, incarnation)
        return before === undefined ? made : before !== incarnation
      })
      const names = renewed.map((stream) => stream.name)
      if (names.length === 0) return names
      // Streams that are missing when a process starts are made before anyone can listen, so the
      // first listener is told about them.
      if (handlers.size === 0) untold = names
      for (const handle of handlers) handle(names)
      return names
    },
    onRebuilt: (handle, signal) => {
      if (signal.aborted) return
      handlers.add(handle)
      signal.addEventListener('abort', () => handlers.delete(handle), { once: true })
      if (untold.length === 0) return
      const names = untold
      untold = []
      queueMicrotask(() => handle(names))
    },
  }
}
