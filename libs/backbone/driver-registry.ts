import {
  driverName,
  fleetName,
  InvalidInput,
  platformTenant,
  type DriverAccount,
  type DriverName,
  type FleetName,
  type RecordedEvent,
} from '@weir/contract'
import type { Capabilities, Driver } from '@weir/drivers'
import type { Store } from '@weir/eventlog'
import { createKeyedQueue, explainError, OperatingError } from '@weir/kernel'
import { createDriverCredentials } from './driver-credentials.ts'
import type { DriverKinds, DriverPorts } from './driver-kinds.ts'
import { createOpenDrivers, type ChangeHandler } from './open-drivers.ts'

/** A driver as the platform's log knows it, or the platform's own fleet, which needs no account. */
export interface KnownDriver {
  readonly name: DriverName
  readonly kind: DriverAccount['kind'] | 'edge'
  readonly tenant: DriverAccount['tenant']
  /** The provider account, or the fleet. */
  readonly account: string
  readonly settings: DriverAccount['settings']
  /** Makes nothing new; what it made is still observed and removed. */
  readonly removed: boolean
  /** Null while the driver cannot be opened. */
  readonly capabilities: Capabilities | null
  /** Why it cannot be opened, for people; null when it can. */
  readonly problem: string | null
}

/** The drivers of this installation, as the platform's log has them now. */
export interface DriverRegistry {
  /** Those that can be used, removed ones too. The map is live: ask it each time. */
  readonly drivers: ReadonlyMap<DriverName, Driver>
  /** All that the log knows, by name. Live too. */
  readonly known: ReadonlyMap<DriverName, KnownDriver>
  /** Reads the log up to its head; whoever has just changed a driver sees it afterwards. */
  refresh(): Promise<void>
  /** Opens a driver that the log does not know, to probe it. @throws InvalidInput, OperatingError */
  tryOut(account: DriverAccount, credentials: unknown): Promise<Driver>
  /** Calls back as `Driver.onChange`, for the drivers of now and of later. */
  onChange(handle: ChangeHandler, signal: AbortSignal): void
  /** Follows the log, and has the drivers listen, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
}

export interface Fleet {
  readonly driver: DriverName
  readonly fleet: FleetName
}

/** A driver that is there without an account of the log. */
export interface OwnDriver {
  readonly driver: Driver
  readonly account: string
}

export interface DriverRegistryPorts extends DriverPorts {
  readonly store: Pick<Store, 'log' | 'vault'>
  readonly own: readonly OwnDriver[]
  readonly kinds: DriverKinds
  /** Opens the credentials, 32 bytes; without it no driver with an account can be opened. */
  readonly masterKey: Uint8Array | undefined
  /** Calls back with the tenant of whatever was appended somewhere, until the signal aborts. */
  readonly onNews?: (handle: (tenant: string) => void, signal: AbortSignal) => void
}

/** Wait between two looks at the log; news come earlier. */
const lookEveryMs = 1000
/** Wait before a driver that could not be opened is tried again. */
const tryAgainMs = 10_000
const pageSize = 2000

interface Configured {
  readonly account: DriverAccount
  readonly removed: boolean
  /** Why it is not open; null when it is. */
  readonly problem: string | null
  readonly triedAt: number
}

/** Opens nothing yet: `refresh` or `run` first. Two may live in one process, each with its own drivers. */
export const createDriverRegistry = (ports: DriverRegistryPorts): DriverRegistry => {
  const { store, clock, logger } = ports
  const credentials = createDriverCredentials(store.vault, ports.masterKey)
  const open = createOpenDrivers()
  const known = new Map<DriverName, KnownDriver>()
  const configured = new Map<DriverName, Configured>()
  const queue = createKeyedQueue(1)
  let sequence = 0

  const readOn = async (): Promise<void> => {
    for (;;) {
      const page = await store.log.after(platformTenant, sequence, pageSize)
      for (const event of page) {
        evolve(configured, event)
        sequence = event.sequence
      }
      if (page.length < pageSize) return
    }
  }
  const tryOut: DriverRegistry['tryOut'] = async (account, secret) => {
    const kind = await ports.kinds[account.kind]()
    return kind.open(account, secret, ports)
  }
  const tryOpen = async (name: DriverName, at: Configured): Promise<void> => {
    const opening = credentials.get(at.account).then((secret) => tryOut(at.account, secret))
    const problem = await opening.then((driver) => {
      open.put(name, driver)
      return null
    }, problemOf)
    if (problem !== null) {
      open.drop(name)
      logger.error({ driver: name, problem }, 'a driver cannot be opened')
    }
    configured.set(name, { ...at, problem, triedAt: clock.now() })
  }
  const bringUp = async (): Promise<void> => {
    await readOn()
    for (const [name, at] of configured) {
      const due = at.problem !== null && clock.now() - at.triedAt >= tryAgainMs
      if (due) await tryOpen(name, at)
      known.set(name, knownOf(configured.get(name) ?? at, open.drivers.get(name)))
    }
  }

  for (const each of ports.own) {
    const name = driverName.parse(each.driver.name)
    open.put(name, each.driver)
    known.set(name, ownOf(name, each))
  }
  const refresh = (): Promise<void> => queue.run('log', bringUp)
  return {
    drivers: open.drivers,
    known,
    refresh,
    tryOut,
    onChange: open.onChange,
    run: async (signal) => {
      const running = open.run(signal)
      const look = (): Promise<void> => refresh().catch(explain(logger))
      ports.onNews?.((tenant) => {
        if (tenant === platformTenant) void look()
      }, signal)
      while (!signal.aborted) {
        await look()
        await clock.sleep(lookEveryMs, signal)
      }
      await running
    },
  }
}

/** What the world or a setting did wrong, for people. @throws what is a bug of ours */
const problemOf = (error: unknown): string => {
  if (!(error instanceof OperatingError || error instanceof InvalidInput)) throw error
  return explainError(error)
}

const evolve = (configured: Map<DriverName, Configured>, event: RecordedEvent): void => {
  if (event.type === 'DriverConfigured') {
    const account = event.data.driver
    const problem = 'it was not opened yet'
    configured.set(account.name, { account, removed: false, problem, triedAt: -Infinity })
  }
  const before = event.type === 'DriverRemoved' && configured.get(event.data.name)
  if (before) configured.set(before.account.name, { ...before, removed: true })
}

const knownOf = (
  { account, removed, problem }: Configured,
  driver: Driver | undefined,
): KnownDriver => ({
  ...account,
  removed,
  capabilities: driver?.capabilities ?? null,
  problem,
})

/** The fleets of edges that there are, each with the driver that orders it. */
export const fleetsOf = ({ known }: Pick<DriverRegistry, 'known'>): readonly Fleet[] =>
  [...known.values()].flatMap(({ name, kind, account }) => {
    const fleet = kind === 'edge' || kind === 'fleet' ? fleetName.safeParse(account) : undefined
    return fleet?.success === true ? [{ driver: name, fleet: fleet.data }] : []
  })

const ownOf = (name: DriverName, { driver, account }: OwnDriver): KnownDriver => ({
  name,
  kind: 'edge',
  tenant: null,
  account,
  settings: {},
  removed: false,
  capabilities: driver.capabilities,
  problem: null,
})

const explain =
  (logger: DriverPorts['logger']) =>
  (error: unknown): void => {
    if (!(error instanceof OperatingError)) throw error
    logger.warn({ error }, 'the drivers could not be read from the log')
  }
