import type { RecordedEvent, TenantId } from '@weir/contract'
import { createHeldAbsences, type HeldAbsence } from './absences.ts'
import { createPlaces, type Places } from './places.ts'
import { createSuspects, type Suspects } from './suspects.ts'

/** The part of the log that an audit reads; `@weir/eventlog` has this shape. */
export interface AuditLog {
  tenants(): Promise<readonly TenantId[]>
  head(tenant: TenantId): Promise<number>
  after(tenant: TenantId, sequence: number, limit: number): Promise<readonly RecordedEvent[]>
  story(tenant: TenantId, correlationId: string): Promise<readonly RecordedEvent[]>
  claims(
    scope: 'address' | 'frontend',
    prefix: string,
  ): Promise<
    readonly { readonly key: string; readonly holder: string | null; readonly tenant: TenantId }[]
  >
  /** Milliseconds since the epoch by the log's own clock. */
  now(): Promise<number>
}

/** A resource's end, for the bound that is promised for it. */
export interface Ended {
  /** Who confirmed that it is absent. */
  readonly by: string
  /** Seconds from the release of its Service to that, by the log's clock. */
  readonly seconds: number
}

/** What was read of the log, and reads on from there. One serves the audits of all drivers. */
export interface LogFollower {
  /**
   * Reads every tenant's log up to where it ends now. Undefined when all of it was reached, else what
   * was not: an answer that stops short of the head is a broken or an old log.
   */
  catchUp(): Promise<string | undefined>
  readonly places: Places
  readonly suspects: Suspects
  /** Clusters of which so much is missing that nothing is released there. */
  absences(): readonly HeldAbsence[]
  /** The installation that the newest intent was made for; undefined while there is none. */
  installation(): string | undefined
}

const batch = 2000

export const createLogFollower = (
  log: AuditLog,
  onEnded: (ended: Ended) => void = () => undefined,
): LogFollower => {
  const places = createPlaces()
  const suspects = createSuspects()
  const absences = createHeldAbsences()
  const ends = createEnds(onEnded)
  const cursors = new Map<TenantId, number>()
  let newest = { at: 0, installation: undefined as string | undefined }
  let reading: Promise<unknown> = Promise.resolve()

  const take = (event: RecordedEvent): void => {
    places.take(event)
    suspects.take(event)
    absences.take(event)
    ends.take(event)
    if (event.type !== 'ResourceIntended') return
    const at = Date.parse(event.recordedtime)
    if (at >= newest.at) newest = { at, installation: event.data.desired.marks.installation }
  }
  const readTenant = async (tenant: TenantId): Promise<string | undefined> => {
    const head = await log.head(tenant)
    for (let at = cursors.get(tenant) ?? 0; at < head; at = cursors.get(tenant) ?? 0) {
      const events = await log.after(tenant, at, batch)
      for (const event of events) {
        if (event.sequence !== at + 1) return gap(tenant, at, head)
        take(event)
        at = event.sequence
        cursors.set(tenant, at)
      }
      if (events.length === 0) return gap(tenant, at, head)
    }
    const known = cursors.get(tenant) ?? 0
    return head < known
      ? `the log of ${tenant} ends at ${head} and was read to ${known}`
      : undefined
  }
  const readAll = async (): Promise<string | undefined> => {
    // Of what was there when this process began nobody is told again how long it took.
    ends.quiet(cursors.size === 0)
    for (const tenant of await log.tenants()) {
      const problem = await readTenant(tenant)
      if (problem !== undefined) return problem
    }
    return undefined
  }
  return {
    // One at a time: two that read the same part would take events twice.
    catchUp: () => {
      const next = reading.then(readAll, readAll)
      reading = next
      return next
    },
    places,
    suspects,
    absences: absences.open,
    installation: () => newest.installation,
  }
}

const gap = (tenant: TenantId, at: number, head: number): string =>
  `the log of ${tenant} was read to ${at} of ${head}`

/** Tells how long ends took; keeps only the Services that are on their way out. */
const createEnds = (onEnded: (ended: Ended) => void) => {
  const releasedAt = new Map<string, number>()
  let quiet = true
  return {
    quiet: (is: boolean) => (quiet = is),
    take: (event: RecordedEvent): void => {
      const name = `${event.tenantid}/${event.correlationid}`
      const at = Date.parse(event.recordedtime)
      if (event.type === 'ReleaseRequested') releasedAt.set(name, at)
      if (event.type === 'FrontendsReleased') releasedAt.delete(name)
      const since = event.type === 'ResourceAbsent' ? releasedAt.get(name) : undefined
      if (since === undefined || quiet) return
      releasedAt.delete(name)
      onEnded({ by: event.actor, seconds: (at - since) / 1000 })
    },
  }
}
