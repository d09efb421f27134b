import type { DriverName } from '@weir/contract'
import type { Driver, ProviderChange } from '@weir/drivers'

/** Drivers in use, by name; whoever listens hears those of now and those of later. */
export interface OpenDrivers {
  readonly drivers: ReadonlyMap<DriverName, Driver>
  /** Puts a driver in, in the place of an earlier one of the name. */
  put(name: DriverName, driver: Driver): void
  drop(name: DriverName): void
  onChange(handle: ChangeHandler, signal: AbortSignal): void
  /** Has those of now and those of later listen, each until it is dropped and all until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
}

export type ChangeHandler = (change: ProviderChange, driver: DriverName) => void

interface Listener {
  readonly handle: ChangeHandler
  readonly signal: AbortSignal
}

export const createOpenDrivers = (): OpenDrivers => {
  const drivers = new Map<DriverName, Driver>()
  const closing = new Map<DriverName, AbortController>()
  const listeners = new Set<Listener>()
  const runs = new Set<(name: DriverName) => void>()

  const until = (name: DriverName, signal: AbortSignal): AbortSignal => {
    const closed = closing.get(name)?.signal
    return closed === undefined ? signal : AbortSignal.any([closed, signal])
  }
  const listen = (name: DriverName, { handle, signal }: Listener): void => {
    drivers.get(name)?.onChange((change) => handle(change, name), until(name, signal))
  }
  const drop = (name: DriverName): void => {
    closing.get(name)?.abort()
    closing.delete(name)
    drivers.delete(name)
  }
  return {
    drivers,
    drop,
    put: (name, driver) => {
      drop(name)
      drivers.set(name, driver)
      closing.set(name, new AbortController())
      for (const listener of listeners) listen(name, listener)
      for (const run of runs) run(name)
    },
    onChange: (handle, signal) => {
      const listener = { handle, signal }
      listeners.add(listener)
      signal.addEventListener('abort', () => listeners.delete(listener), { once: true })
      for (const name of drivers.keys()) listen(name, listener)
    },
    run: async (signal) => {
      const running = new Set<Promise<void>>()
      const runOne = (name: DriverName): void => {
        const one = drivers.get(name)?.run?.(until(name, signal))
        if (one === undefined) return
        running.add(one)
        void one.then(() => running.delete(one))
      }
      runs.add(runOne)
      for (const name of drivers.keys()) runOne(name)
      if (!signal.aborted) {
        await new Promise((over) => signal.addEventListener('abort', over, { once: true }))
      }
      runs.delete(runOne)
      await Promise.all(running)
    },
  }
}
