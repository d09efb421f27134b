import type { DriverName, RecordedEvent, ResourceKey, ServiceUid, TenantId } from '@weir/contract'
import { driverOf } from './places.ts'

/** A condemned thing that was neither spared nor removed: as the log has it, so a restart loses nothing. */
export interface Suspect {
  /** The id of its OrphanCondemned. */
  readonly condemned: string
  /** When the log took that, milliseconds since the epoch by the log's clock: grace runs from here. */
  readonly since: number
  readonly evidence: string
  readonly tenant: TenantId
  readonly service: ServiceUid
  readonly key: ResourceKey
  readonly epoch: number
  readonly driver: DriverName
  readonly kind: string
  readonly ref: string
  /** Its delete was intended after it was condemned. */
  readonly deleting: boolean
}

/** Suspects of all drivers, folded from events in the order of each tenant's log. */
export interface Suspects {
  take(event: RecordedEvent): void
  /** Those of one driver, by ref. */
  of(driver: string): ReadonlyMap<string, Suspect>
}

export const createSuspects = (): Suspects => {
  const byDriver = new Map<string, Map<string, Suspect>>()
  /** Refs of one incarnation, which is what a delete intent names. */
  const refsOf = new Map<string, Set<string>>()

  const rows = (driver: string): Map<string, Suspect> => {
    const known = byDriver.get(driver) ?? new Map<string, Suspect>()
    byDriver.set(driver, known)
    return known
  }
  const forget = (driver: string, ref: string): void => {
    const suspect = byDriver.get(driver)?.get(ref)
    if (suspect === undefined) return
    byDriver.get(driver)?.delete(ref)
    const name = nameOf(suspect)
    const refs = refsOf.get(name)
    refs?.delete(ref)
    if (refs?.size === 0) refsOf.delete(name)
  }
  const condemn = (suspect: Suspect): void => {
    forget(suspect.driver, suspect.ref)
    rows(suspect.driver).set(suspect.ref, suspect)
    const name = nameOf(suspect)
    refsOf.set(name, (refsOf.get(name) ?? new Set()).add(suspect.ref))
  }
  const beginDelete = (driver: string, name: string): void => {
    for (const ref of refsOf.get(name) ?? []) {
      const suspect = byDriver.get(driver)?.get(ref)
      if (suspect !== undefined) rows(driver).set(ref, { ...suspect, deleting: true })
    }
  }

  return {
    take: (event) => {
      switch (event.type) {
        case 'OrphanCondemned':
          return condemn(suspectOf(event))
        case 'OrphanSpared':
        case 'OrphanRemoved':
          return forget(event.data.driver, event.data.ref)
        case 'ResourceDeleteIntended': {
          const { key, epoch } = event.data
          return beginDelete(driverOf(key), nameOf({ tenant: event.tenantid, key, epoch }))
        }
        default:
          return undefined
      }
    },
    of: (driver) => byDriver.get(driver) ?? new Map<string, Suspect>(),
  }
}

const nameOf = (at: Pick<Suspect, 'tenant' | 'key' | 'epoch'>): string =>
  `${at.tenant}/${at.key}/${at.epoch}`

const suspectOf = (event: Extract<RecordedEvent, { type: 'OrphanCondemned' }>): Suspect => {
  const { key, epoch, driver, kind, ref, evidence } = event.data
  return {
    condemned: event.id,
    since: Date.parse(event.recordedtime),
    evidence,
    tenant: event.tenantid,
    service: event.correlationid as ServiceUid,
    key,
    epoch,
    driver,
    kind,
    ref,
    deleting: false,
  }
}
