import type { DriverName } from '@weir/contract'
import type { Driver, LogFollower } from '@weir/drivers'
import type { Store } from '@weir/eventlog'
import { explainError, OperatingError, type Clock, type Logger } from '@weir/kernel'
import { createDriverCycle, type Cycle } from './cycle.ts'
import type { Rules } from './domain/decide.ts'
import { collectorName } from './record.ts'

export { collectorName } from './record.ts'
export type { Cycle } from './cycle.ts'

export interface CollectorPorts {
  readonly store: Pick<Store, 'log' | 'leases' | 'schemaProblem'>
  /** Asked at each cycle: drivers may come later. */
  readonly drivers: ReadonlyMap<DriverName, Driver>
  /** What was read of the log; one serves all drivers. */
  readonly follower: LogFollower
  readonly installation: string
  readonly clock: Clock
  readonly logger: Logger
  /** Names this process in the lease rows. */
  readonly holder: string
  readonly rules: Rules
  readonly intervalMs: number
  /** Milliseconds apart, at least, of the two reads that confirm an absence. */
  readonly apartMs: number
  /** Deletes, and reads after them, per second that cleanup makes at one provider; default 10. */
  readonly deletesPerSecond?: number
  /** Reports only, whatever was approved. */
  readonly observeOnly?: boolean
  /** Called after each cycle of each driver, for metrics. */
  readonly onCycle?: (cycle: Cycle) => void
}

export interface Collector {
  /**
   * One scan of each driver and what follows from it. A driver whose scan fails is left out, said aloud,
   * and fails no other's.
   */
  cycle(): Promise<readonly Cycle[]>
  /** A cycle each interval, of each driver by itself, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
}

interface Worker {
  readonly driver: Driver
  readonly work: ReturnType<typeof createDriverCycle>
}

const leaseOf = (driver: string): string => `${collectorName}-${driver}`

/** Finds what exists without a reason and removes it. All that must not be forgotten is in the log. */
export const createCollector = (ports: CollectorPorts): Collector => {
  const { store, clock, logger, holder, intervalMs } = ports
  const workers = new Map<string, Worker>()

  /** A driver that was opened anew, such as with other credentials, begins anew. */
  const workerOf = (driver: Driver): Worker => {
    const known = workers.get(driver.name)
    if (known?.driver === driver) return known
    const work = createDriverCycle({ ...ports, driver, lease: leaseOf(driver.name) })
    const fresh = { driver, work }
    workers.set(driver.name, fresh)
    return fresh
  }
  const once = async (
    { driver, work }: Worker,
    signal?: AbortSignal,
  ): Promise<readonly Cycle[]> => {
    try {
      const ended = await work(signal)
      ports.onCycle?.(ended)
      return [ended]
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error
      const problem = explainError(error)
      logger.warn({ driver: driver.name, problem }, 'no cleanup in this cycle')
      return []
    }
  }
  return {
    cycle: async () => {
      const all = [...ports.drivers.values()].map((driver) => once(workerOf(driver)))
      return (await Promise.all(all)).flat()
    },
    run: async (signal) => {
      // A cycle that is broken ends the service; one that is slow delays no other driver's.
      const broken = Promise.withResolvers<never>()
      broken.promise.catch(() => undefined)
      const running = new Map<string, Promise<unknown>>()
      while (!signal.aborted) {
        for (const [name, driver] of ports.drivers) {
          if (running.has(name)) continue
          const round = once(workerOf(driver), signal).catch(broken.reject)
          const ended = round.finally(() => running.delete(name))
          running.set(name, ended)
        }
        await Promise.race([clock.sleep(intervalMs, signal), broken.promise])
      }
      await Promise.all(running.values())
      const leases = [...workers.keys()].map((driver) =>
        store.leases.release(leaseOf(driver), holder).catch(() => undefined),
      )
      await Promise.all(leases) // what cannot be released expires anyway
    },
  }
}
