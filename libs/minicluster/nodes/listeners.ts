import { backoffMs, explainError, type Clock, type Ids } from '@weir/kernel'

/** Something that listens. */
export interface Listening {
  /** Stops taking new clients. */
  close(): Promise<void>
}

export type Open = () => Promise<Listening>

/** Keeps a changing set of ports open; what cannot be opened now is tried again until it can. */
export interface Listeners {
  /** The port of `key` is to be open, or closed when `open` is undefined. Returns at once. */
  want(key: string, open: Open | undefined): void
  /** Resolves when every port was opened, closed or at least tried. */
  settled(): Promise<void>
  /** Closes all ports and leaves them closed until `resume`. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Closes all ports for good. */
  close(): Promise<void>
}

interface Port {
  open: Open | undefined
  listening: Listening | undefined
  working: Promise<void> | undefined
  tried: Promise<void>
}

const retryRule = { minMs: 50, maxMs: 2_000 }

export interface ListenersOptions {
  readonly clock: Clock
  readonly ids: Ids
  /** Told once per spell of trouble with a port. */
  readonly onTrouble: (line: string) => void
}

export const createListeners = ({ clock, ids, onTrouble }: ListenersOptions): Listeners => {
  const ports = new Map<string, Port>()
  let halt = new AbortController()

  const wanted = (port: Port): Open | undefined => (halt.signal.aborted ? undefined : port.open)
  const isAsWanted = (port: Port): boolean =>
    (wanted(port) !== undefined) === (port.listening !== undefined)

  /** Opens or closes until the port is as it is wanted; only one of these runs per port. */
  const work = async (key: string, port: Port, markTried: () => void): Promise<void> => {
    for (let attempt = 0; !isAsWanted(port);) {
      const open = wanted(port)
      const { listening } = port
      port.listening = undefined
      try {
        if (open) port.listening = await open()
        else await listening?.close()
        attempt = 0
      } catch (error) {
        attempt += 1
        if (attempt === 1) onTrouble(`cannot open ${key}, trying on: ${explainError(error)}`)
        markTried()
        await clock.sleep(backoffMs(retryRule, attempt, ids.random()), halt.signal)
      }
    }
    markTried()
  }
  const start = (key: string, port: Port): void => {
    if (port.working) return
    let markTried: () => void = () => undefined
    port.tried = new Promise((resolve) => (markTried = resolve))
    // What was asked for between the last look and this callback starts another round.
    port.working = work(key, port, markTried).then(() => {
      port.working = undefined
      if (!isAsWanted(port)) start(key, port)
      else if (port.open === undefined) ports.delete(key)
    })
  }
  const startAll = (): void => ports.forEach((port, key) => start(key, port))
  const settled = async (): Promise<void> => {
    await Promise.all([...ports.values()].map((port) => port.tried))
  }
  const pause = async (): Promise<void> => {
    halt.abort()
    startAll()
    const busy = (): Promise<void>[] => [...ports.values()].flatMap((port) => port.working ?? [])
    for (let left = busy(); left.length > 0; left = busy()) await Promise.all(left)
  }

  return {
    want: (key, open) => {
      const port = ports.get(key)
      if (port) port.open = open
      else if (open) {
        const fresh: Port = {
          open,
          listening: undefined,
          working: undefined,
          tried: Promise.resolve(),
        }
        ports.set(key, fresh)
      }
      const known = ports.get(key)
      if (known) start(key, known)
    },
    settled,
    pause,
    resume: async () => {
      halt = new AbortController()
      startAll()
      await settled()
    },
    close: async () => {
      await pause()
      ports.clear()
    },
  }
}
