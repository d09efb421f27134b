import { event, streamOf, type DomainEvent, type RecordedEvent } from '@weir/contract'
import type { Store } from '@weir/eventlog'
import type { Clock, Logger } from '@weir/kernel'
import type { KnownCluster } from './registry.ts'
import { consumer } from './reconcile.ts'

/** Fewer than so many, or a smaller share of all, may be gone at once without anybody being asked. */
const atLeast = 5
const share = 0.3
/** An approval is about what is missing now, and not about whatever may be missing one day. */
const approvedForMs = 3_600_000

/**
 * Whether so many Services may be gone at once. Each carries our finalizer, so none goes without us but by
 * force; many at once are a cluster that was restored from an old copy, or somebody's accident.
 */
export const isMassive = (missing: number, of: number): boolean =>
  missing >= atLeast && missing > of * share

/** Holds back what an owner audit found missing until a person has said that it is true. */
export interface Absence {
  /**
   * Whether what is missing from two complete lists may be taken for gone. A "no" is recorded once, as
   * `ServicesMissing` in the cluster's story; `AbsenceApproved` turns it into a "yes" for an hour, and a
   * list that misses few again ends it with `ServicesReturned`.
   */
  isBelieved(missing: number, of: number): Promise<boolean>
  /** How many are missing and not taken for gone, by the last list; 0 before there is one. */
  heldBack(): number
}

const says: readonly string[] = ['ServicesMissing', 'ServicesReturned', 'AbsenceApproved']

export const createAbsence = (ports: {
  readonly known: Pick<KnownCluster, 'tenant' | 'cluster'>
  readonly log: Pick<Store['log'], 'story' | 'append' | 'now'>
  readonly clock: Clock
  readonly logger: Logger
}): Absence => {
  const { known, log, logger } = ports
  const { tenant } = known
  const { id } = known.cluster
  // Undefined until a list was judged: another process may have told of something.
  let heldBack: number | undefined

  const record = async (story: readonly RecordedEvent[], said: DomainEvent): Promise<void> => {
    const stream = streamOf('cluster', id)
    const version = story.findLast(({ subject }) => subject === stream)?.streamversion ?? 0
    await log.append({
      tenant,
      commandId: `${consumer}/${stream}/${version}/${said.type}`,
      events: [{ stream, expectedVersion: version, event: said }],
      actor: consumer,
      correlationId: id,
      causationId: `list:${id}`,
    })
  }

  const judge = async (missing: number, of: number): Promise<boolean> => {
    const massive = isMassive(missing, of)
    if (!massive && heldBack === 0) return true
    const story = await log.story(tenant, id)
    const last = story.findLast(({ type }) => says.includes(type))
    const isTold = last?.type === 'ServicesMissing'
    if (!massive) {
      if (isTold) await record(story, event('ServicesReturned', { id }))
      return true
    }
    const age = (await log.now()) - Date.parse(last?.recordedtime ?? '')
    if (last?.type === 'AbsenceApproved' && age < approvedForMs) return true
    logger.error({ missing, of }, 'so many Services are missing at once that nothing is released')
    if (!isTold) await record(story, event('ServicesMissing', { id, missing, of }))
    return false
  }

  return {
    isBelieved: async (missing, of) => {
      const believed = await judge(missing, of)
      heldBack = believed ? 0 : missing
      return believed
    },
    heldBack: () => heldBack ?? 0,
  }
}
