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
  // Undefined while the log may tell of something that is over: before the first list, and after a lost race.
  let heldBack: number | undefined

  /** False when somebody else said something first. */
  const record = async (story: readonly RecordedEvent[], said: DomainEvent): Promise<boolean> => {
    const stream = streamOf('cluster', id)
    const version = story.findLast(({ subject }) => subject === stream)?.streamversion ?? 0
    const { status } = await log.append({
      tenant,
      commandId: `${consumer}/${stream}/${version}/${said.type}`,
      events: [{ stream, expectedVersion: version, event: said }],
      actor: consumer,
      correlationId: id,
      causationId: `list:${id}`,
    })
    return status === 'appended' || status === 'repeated'
  }

  /** Of few that are missing: ends what was told of many. */
  const settle = async (): Promise<void> => {
    if (heldBack === 0) return
    const story = await log.story(tenant, id)
    const last = story.findLast(({ type }) => says.includes(type))
    const isOpen = last?.type === 'ServicesMissing'
    const ended = !isOpen || (await record(story, event('ServicesReturned', { id })))
    heldBack = ended ? 0 : undefined
  }

  /** Of many. */
  const judge = async (missing: number, of: number): Promise<boolean> => {
    const story = await log.story(tenant, id)
    const last = story.findLast(({ type }) => says.includes(type))
    const age = (await log.now()) - Date.parse(last?.recordedtime ?? '')
    if (last?.type === 'AbsenceApproved' && age < approvedForMs) return true
    logger.error({ missing, of }, 'so many Services are missing at once that nothing is released')
    if (last?.type !== 'ServicesMissing')
      await record(story, event('ServicesMissing', { id, missing, of }))
    return false
  }

  return {
    isBelieved: async (missing, of) => {
      if (!isMassive(missing, of)) {
        await settle()
        return true
      }
      const believed = await judge(missing, of)
      heldBack = believed ? 0 : missing
      return believed
    },
    heldBack: () => heldBack ?? 0,
  }
}
