import type { RecordedEvent, ResourceKey, TenantId } from '@weir/contract'
import type { ResourceFacts } from './classify.ts'

/** What the log says about one Service, in few words: there may be a hundred thousand. */
export interface ServiceFacts {
  readonly tenant: TenantId
  /** Lives begun; each has its number for an epoch. */
  readonly lives: number
  /** `held` is wanted; `leaving` was released and still holds addresses; `over` holds nothing. */
  readonly phase: 'held' | 'leaving' | 'over'
  /** The event that released the newest life, which is what proves that it may go. */
  readonly releasedBy: string | null
}

/** What the log says about the resource stream of one key. */
export interface ResourceRecord {
  readonly service: string
  readonly version: number
  readonly intendedEpoch: number
  /** The incarnation whose delete was intended last, 0 when none was. */
  readonly deleteEpoch: number
  /** The incarnation whose absence was recorded last, 0 when none was. */
  readonly absentEpoch: number
}

/** The newest facts, folded from events in the order of each tenant's log. */
export interface LogFacts {
  take(event: RecordedEvent): void
  service(uid: string): ServiceFacts | undefined
  resource(key: ResourceKey): ResourceRecord | undefined
  /** What `classify` asks; undefined for a key the log has never heard of. */
  facts(key: ResourceKey): ResourceFacts | undefined
  /** Resources of `driver` that must exist now. */
  live(driver: string): number
}

export const createLogFacts = (): LogFacts => {
  const services = new Map<string, ServiceFacts>()
  const resources = new Map<string, ResourceRecord>()
  const facts = (key: string): ResourceFacts | undefined => {
    const record = resources.get(key)
    if (record === undefined) return undefined
    const owner = services.get(record.service)
    const wanted = owner?.phase === 'held' && record.intendedEpoch === owner.lives
    return { intendedEpoch: record.intendedEpoch, liveEpoch: wanted ? owner.lives : null }
  }
  return {
    take: (event) => {
      const uid = event.correlationid
      if (event.subject.startsWith('lb-')) {
        const next = evolveService(services.get(uid), event)
        if (next !== undefined) services.set(uid, next)
      } else if (event.subject.startsWith('resource-')) {
        const key = event.subject.slice('resource-'.length)
        resources.set(key, evolveResource(resources.get(key), event))
      }
    },
    service: (uid) => services.get(uid),
    resource: (key) => resources.get(key),
    facts,
    live: (driver) =>
      [...resources.keys()].filter(
        (key) => key.startsWith(`${driver}-`) && (facts(key)?.liveEpoch ?? null) !== null,
      ).length,
  }
}

const evolveService = (
  before: ServiceFacts | undefined,
  event: RecordedEvent,
): ServiceFacts | undefined => {
  switch (event.type) {
    case 'LoadBalancerRequested': {
      const lives = (before?.lives ?? 0) + 1
      return { tenant: event.tenantid, lives, phase: 'held', releasedBy: null }
    }
    case 'ReleaseRequested':
      return before && { ...before, phase: 'leaving', releasedBy: event.id }
    case 'FrontendsReleased':
      return before && { ...before, phase: 'over' }
    default:
      return before
  }
}

const unheard = { intendedEpoch: 0, deleteEpoch: 0, absentEpoch: 0 }

const evolveResource = (
  before: ResourceRecord | undefined,
  event: RecordedEvent,
): ResourceRecord => {
  const record = {
    ...unheard,
    ...before,
    service: event.correlationid,
    version: event.streamversion,
  }
  switch (event.type) {
    case 'ResourceIntended':
      return { ...record, intendedEpoch: Math.max(record.intendedEpoch, event.data.epoch) }
    case 'ResourceDeleteIntended':
      return { ...record, deleteEpoch: event.data.epoch }
    case 'ResourceAbsent':
      return { ...record, absentEpoch: Math.max(record.absentEpoch, event.data.epoch) }
    default:
      return record
  }
}
