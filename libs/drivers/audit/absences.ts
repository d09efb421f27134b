import type { RecordedEvent, TenantId } from '@weir/contract'

/** A cluster that lost so much at once that nothing of it is released until a person has said it is true. */
export interface HeldAbsence {
  readonly tenant: TenantId
  /** The cluster's name, or its id where the log has no name for it. */
  readonly cluster: string
  readonly missing: number
  readonly of: number
}

/** Folded from events in the order of each tenant's log. */
export interface HeldAbsences {
  take(event: RecordedEvent): void
  /** Those that nobody has approved and that are not over. */
  open(): readonly HeldAbsence[]
}

export const createHeldAbsences = (): HeldAbsences => {
  const names = new Map<string, string>()
  const held = new Map<string, HeldAbsence>()
  return {
    take: ({ tenantid: tenant, ...event }) => {
      switch (event.type) {
        case 'ClusterConnected':
        case 'ClusterChanged':
          names.set(event.data.cluster.id, event.data.cluster.name)
          return
        case 'ServicesMissing': {
          const { id, missing, of } = event.data
          held.set(id, { tenant, cluster: names.get(id) ?? id, missing, of })
          return
        }
        case 'ServicesReturned':
        case 'AbsenceApproved':
          held.delete(event.data.id)
          return
        case 'ClusterDeregistered':
          held.delete(event.data.id)
          names.delete(event.data.id)
          return
        default:
          return
      }
    },
    open: () => [...held.values()],
  }
}
