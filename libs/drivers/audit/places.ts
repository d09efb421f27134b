// Who must exist, folded from the log in as few bytes as can be: a scan asks it once for each thing that a
// provider lists, and there may be a hundred thousand. It only has to be right about `live`; whatever it
// does not call live is judged by its whole story.
import type { DriverName, RecordedEvent, TenantId } from '@weir/contract'

/** Where one Service stands. Equal places are one object: nearly all of a hundred thousand are. */
interface Place {
  readonly phase: 'unborn' | 'held' | 'leaving' | 'over'
  /** Our finalizer was put on and no removal is recorded. */
  readonly finalizer: boolean
  readonly driver: string
  /** The incarnations that must exist, by driver: one, or two while it moves. */
  readonly live: readonly (readonly [driver: string, epoch: number])[]
}

/** Which Services hold what now; what is over and asks for nothing is forgotten. */
export interface Places {
  take(event: RecordedEvent): void
  /** Whether this incarnation must exist by what was taken so far. */
  isLive(at: {
    readonly tenant: string
    readonly service: string
    readonly driver: string
    readonly epoch: number
  }): boolean
  /** Resources of `driver` that must exist. */
  expected(driver: string): number
  /**
   * False when the life of a Service is over or it never had one, and when nobody is in a sharing group, as far
   * as is known.
   */
  holds(tenant: string, holder: string): boolean
  /** Services whose life is over or never began, and that still carry our finalizer by the log. */
  leftFinalizers(): Iterable<{ readonly tenant: TenantId; readonly service: string }>
  /** How many Services are remembered. */
  size(): number
}

export const createPlaces = (): Places => {
  const byTenant = new Map<string, Map<string, Place>>()
  const shared = new Map<string, Place>()
  const counts = new Map<string, number>()
  const groups = new Map<string, Set<string>>()

  const share = (place: Place): Place => {
    const name = JSON.stringify(place)
    const known = shared.get(name)
    if (known !== undefined) return known
    shared.set(name, place)
    return place
  }
  const count = (place: Place | undefined, by: number): void => {
    for (const [driver] of place?.live ?? []) counts.set(driver, (counts.get(driver) ?? 0) + by)
  }
  const rowsOf = (tenant: string): Map<string, Place> => {
    const rows = byTenant.get(tenant) ?? new Map<string, Place>()
    byTenant.set(tenant, rows)
    return rows
  }

  return {
    take: (event) => {
      const rows = rowsOf(event.tenantid)
      const uid = event.correlationid
      if (event.type === 'SharingChanged') takeSharing(groups, event)
      const before = rows.get(uid)
      const after = evolve(before, event)
      if (after === before || after === undefined) return
      count(before, -1)
      count(after, 1)
      if (isForgotten(after)) rows.delete(uid)
      else rows.set(uid, share(after))
    },
    isLive: ({ tenant, service, driver, epoch }) =>
      byTenant
        .get(tenant)
        ?.get(service)
        ?.live.some(([at, living]) => at === driver && living === epoch) ?? false,
    expected: (driver) => counts.get(driver) ?? 0,
    holds: (tenant, holder) => {
      if (groups.has(`${tenant}/${holder}`)) return true
      const phase = byTenant.get(tenant)?.get(holder)?.phase
      return phase === 'held' || phase === 'leaving'
    },
    leftFinalizers: function* () {
      for (const [tenant, rows] of byTenant) {
        for (const [service, { phase, finalizer }] of rows) {
          if (finalizer && (phase === 'over' || phase === 'unborn')) {
            yield { tenant: tenant as TenantId, service }
          }
        }
      }
    },
    size: () => [...byTenant.values()].reduce((sum, rows) => sum + rows.size, 0),
  }
}

/** Who is in each group: the ones that hold something there. */
const takeSharing = (
  groups: Map<string, Set<string>>,
  { tenantid, data }: Extract<RecordedEvent, { type: 'SharingChanged' }>,
): void => {
  const name = `${tenantid}/${data.group}`
  const members = groups.get(name) ?? new Set()
  if (data.leases.length > 0) members.add(data.serviceUid)
  else members.delete(data.serviceUid)
  if (members.size > 0) groups.set(name, members)
  else groups.delete(name)
}

const isForgotten = ({ phase, finalizer }: Place): boolean =>
  !finalizer && (phase === 'over' || phase === 'unborn')

const unborn: Place = { phase: 'unborn', finalizer: false, driver: '', live: [] }

const evolve = (before: Place | undefined, event: RecordedEvent): Place | undefined => {
  switch (event.type) {
    case 'LoadBalancerRequested': {
      const { driver } = event.data
      return { phase: 'held', finalizer: before?.finalizer ?? false, driver, live: [] }
    }
    case 'DriverChanged':
      return before && { ...before, driver: event.data.to }
    case 'ReleaseRequested':
      return before && { ...before, phase: 'leaving', live: [] }
    case 'FrontendsReleased':
      return before && { ...before, phase: 'over', live: [] }
    case 'FinalizerAdded':
      return { ...unborn, ...before, finalizer: true }
    case 'FinalizerRemoved':
      return before && { ...before, finalizer: false }
    case 'ResourceIntended': {
      if (before?.phase !== 'held') return before
      const { driver, epoch } = event.data
      return { ...before, live: [...others(before, driver), [driver, epoch]] }
    }
    case 'ResourceDeleteIntended':
    case 'ResourceAbsent': {
      const driver = driverOf(event.data.key)
      // What the present driver lost is wanted all the same, and comes back.
      if (before === undefined || driver === before.driver) return before
      return { ...before, live: others(before, driver) }
    }
    default:
      return before
  }
}

const others = ({ live }: Place, driver: string): Place['live'] =>
  live.filter(([each]) => each !== driver)

const uuidLength = 36

/** The driver in a resource's key, `DRIVER-SERVICEUID`. */
export const driverOf = (key: string): DriverName => key.slice(0, -uuidLength - 1) as DriverName
