import {
  driverName,
  type DriverAccount,
  type DriverName,
  type LoadBalancerIntent,
  type TenantId,
} from '@weir/contract'

/** What the allocator needs to know of a driver. */
export interface KnownDriver {
  /** Whether our pools hold the addresses, or its provider gives its own. */
  readonly addresses: 'pool' | 'provider'
  /** Who may use it; null for every tenant. */
  readonly tenant: TenantId | null
  /** It makes nothing new; what it made goes on until it is released. */
  readonly removed: boolean
  /** A further fleet whose edges end connections, so that nodes answer to them. */
  readonly proxies?: boolean
}

export type Drivers = ReadonlyMap<DriverName, KnownDriver>

/** Our own fleet needs no account. Fleets serve addresses of our pools. */
export const builtInDrivers: Drivers = new Map([
  [driverName.parse('edge'), { addresses: 'pool', tenant: null, removed: false }],
])

/** A driver that was configured: every cloud gives addresses of its own, and no fleet does. */
export const configured = (drivers: Drivers, account: DriverAccount): Drivers => {
  const { name, kind, tenant, settings } = account
  const addresses = kind === 'fleet' ? 'pool' : 'provider'
  const proxies = kind === 'fleet' && settings['dataPlane'] !== 'kernel'
  return new Map([...drivers, [name, { addresses, tenant, removed: false, proxies }]])
}

/** A driver that makes nothing new. */
export const removed = (drivers: Drivers, name: DriverName): Drivers => {
  const known = drivers.get(name)
  return known ? new Map([...drivers, [name, { ...known, removed: true }]]) : drivers
}

type Problem = LoadBalancerIntent['invalid'][number]

/**
 * Why nothing new may be made by a driver for this tenant; undefined when it may. A driver of somebody
 * else is told of like one that does not exist.
 */
export const driverProblem = (
  drivers: Drivers,
  wanted: { readonly driver: DriverName; readonly tenant: TenantId; readonly byClass: boolean },
): Problem | undefined => {
  const { driver, tenant, byClass } = wanted
  const open = [...drivers].filter(([, known]) => isOpen(known, tenant)).map(([name]) => name)
  if (open.includes(driver)) return undefined
  const names = open.toSorted().join(', ').slice(0, 300)
  return byClass
    ? {
        field: 'spec.loadBalancerClass',
        problem: `names the driver "${driver}", which is not open to this tenant; open are ${names}`,
      }
    : {
        field: 'the cluster',
        problem: `has the default driver "${driver}", which is not open to this tenant; open are ${names}`,
      }
}

/** What serves Services of a cluster that name no driver, and why it is another than the cluster's own. */
export interface DefaultDriver {
  readonly driver: DriverName
  readonly because: 'cluster-default' | 'direct-return'
}

/**
 * The cluster's own default, unless its nodes cannot answer clients directly and a fleet of proxies is open:
 * then the first of those by name. Without one the cluster's own goes on, and serves who it can.
 * @param failing the driver whose edges found that nodes cannot; null while nobody did
 */
export const defaultDriver = (
  cluster: { readonly driver: DriverName; readonly failing: DriverName | null },
  drivers: Drivers,
  tenant: TenantId,
): DefaultDriver => {
  const own = { driver: cluster.driver, because: 'cluster-default' } as const
  if (cluster.failing !== cluster.driver) return own
  const [proxy] = [...drivers]
    .filter(([, known]) => known.proxies === true && isOpen(known, tenant))
    .map(([name]) => name)
    .toSorted()
  return proxy === undefined ? own : { driver: proxy, because: 'direct-return' }
}

const isOpen = (known: KnownDriver, tenant: TenantId): boolean =>
  !known.removed && (known.tenant === null || known.tenant === tenant)
