import type { FleetName, InstallationId } from '@weir/contract'
import { createEdgeDriver, type FleetDataPlane, type Patience } from '@weir/drivers'
import type { ServiceContext } from '@weir/runtime'
import type { Backbone } from './backbone.ts'
import { createDriverKinds } from './driver-kinds.ts'
import { createDriverRegistry, type DriverRegistry } from './driver-registry.ts'

export * from './driver-credentials.ts'
export * from './driver-kinds.ts'
export * from './driver-registry.ts'
export type { ChangeHandler } from './open-drivers.ts'

/** What a service must know to open the drivers. */
export interface DriverSettings {
  readonly WEIR_INSTALLATION: InstallationId
  /** The platform's own fleet; further ones are accounts of kind `fleet`. */
  readonly WEIR_FLEET: FleetName
  /** What all edges of the fleet run. */
  readonly WEIR_FLEET_DATA_PLANE: FleetDataPlane
  /** Opens credentials; a process without it has the edge driver and no other. */
  readonly WEIR_MASTER_KEY?: Uint8Array | undefined
}

export interface DriverOptions {
  /** How long an edge may be quiet. */
  readonly patience?: Patience
  /** The trace context of whatever is being done now, which an order carries to the edges. */
  readonly traceparent?: () => string | undefined
}

type Context = Pick<ServiceContext<DriverSettings>, 'config' | 'log' | 'clock' | 'ids'>

/**
 * The drivers of this installation for one process: always `edge`, and one for each provider account or
 * further fleet in the platform's log. Nothing runs yet: `run` follows the log and the fleet.
 * @throws OperatingError when the log cannot be read
 */
export const openDrivers = async (
  { config, log, clock, ids }: Context,
  { store, bus, onNews }: Pick<Backbone, 'store' | 'bus' | 'onNews'>,
  options: DriverOptions = {},
): Promise<DriverRegistry> => {
  const { WEIR_INSTALLATION: installation, WEIR_FLEET: fleet } = config
  const { WEIR_FLEET_DATA_PLANE: dataPlane } = config
  const fleets = { ...options, bus }
  const edge = createEdgeDriver({ ...fleets, clock, fleet, dataPlane, installation, logger: log })
  const registry = createDriverRegistry({
    store,
    onNews,
    own: [{ driver: edge, account: fleet }],
    kinds: createDriverKinds(clock, fleets),
    masterKey: config.WEIR_MASTER_KEY,
    installation,
    clock,
    ids,
    logger: log,
  })
  await registry.refresh()
  return registry
}
