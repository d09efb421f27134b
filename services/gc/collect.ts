import { event, type DomainEvent, type RecordedEvent } from '@weir/contract'
import {
  judgeTold,
  marksOf,
  owesAbsence,
  tellResource,
  type Driver,
  type Outcome,
  type ResourceTold,
  type Suspect,
} from '@weir/drivers'
import type { EventLog } from '@weir/eventlog'
import { record } from './record.ts'
import { partOf } from './verdicts.ts'

export interface CollectPorts {
  readonly log: Pick<EventLog, 'story' | 'append' | 'now'>
  readonly driver: Driver
  /** When a read first found each thing absent, by ref: only in memory, so a restart reads again. */
  readonly absences: Map<string, number>
  /** Milliseconds that two reads which confirm an absence are apart at least. */
  readonly apartMs: number
}

export type Collected =
  /** Two reads found it absent, and the log says so. */
  | { readonly status: 'removed'; readonly seconds: number | null }
  /** Asked to go, or absent by one read so far. */
  | { readonly status: 'going' }
  /** The provider's rate is used up: come back then. */
  | { readonly status: 'wait'; readonly afterMs: number }
  /** It is no orphan any more, is not ours, or somebody else decided first. */
  | { readonly status: 'left'; readonly why: string }

/**
 * Takes a condemned thing one step further: reads its story once more, intends the delete at the version
 * just read, lets the driver delete what has these marks and this ref, and records the removal once two
 * reads found nothing. Called again after a crash anywhere, it goes on from the log and the provider.
 */
export const collect = async (ports: CollectPorts, thing: Suspect): Promise<Collected> => {
  const told = await readTold(ports, thing)
  const orphan = whyLeft(told, thing)
  if (orphan !== undefined) return { status: 'left', why: orphan }
  const marks = marksOf(told, thing)
  if (marks === undefined) return { status: 'left', why: 'the log knows no intent for it' }
  if (!(await intendDelete(ports, told, thing))) return conflict
  const { kind, ref } = thing
  const outcome = await ports.driver.release({ kind, ref, marks })
  if (outcome.status !== 'done') {
    ports.absences.delete(ref)
    return waitingFor(outcome)
  }
  // Absent once. A provider may say so too early, so the same must be read again, well after.
  const now = await ports.log.now()
  const since = ports.absences.get(ref)
  if (since === undefined) ports.absences.set(ref, now)
  if (since === undefined || now - since < ports.apartMs) return { status: 'going' }
  return recordRemoval(ports, thing)
}

const conflict: Collected = { status: 'left', why: 'somebody else moved it first' }

const readTold = async ({ log }: CollectPorts, thing: Suspect): Promise<ResourceTold> =>
  tellResource(await log.story(thing.tenant, thing.service), thing.key)

/** Why it must not be touched by what the log says now; undefined when it may go. */
const whyLeft = (told: ResourceTold, thing: Suspect): string | undefined => {
  if (told.condemned.get(thing.ref)?.id !== thing.condemned) return 'it is not condemned any more'
  const { verdict, evidence } = judgeTold(thing, told)
  return verdict === 'orphan' || verdict === 'superseded' ? undefined : evidence
}

/** The intent is newer than every condemnation of this incarnation, so that it covers all its parts. */
const intendDelete = async (
  { log }: CollectPorts,
  told: ResourceTold,
  thing: Suspect,
): Promise<boolean> => {
  const { tenant, service, key, epoch, condemned } = thing
  const newest = [...told.condemned.values()]
    .filter((at) => at.epoch === epoch)
    .reduce((most, { sequence }) => Math.max(most, sequence), 0)
  const { deleted } = told
  if (deleted?.epoch === epoch && deleted.sequence > newest) return true
  const intent = { key, epoch, reason: 'orphan', evidence: condemned } as const
  return record(log, {
    tenant,
    service,
    key,
    version: told.version,
    what: `delete/${epoch}`,
    causationId: condemned,
    events: [event('ResourceDeleteIntended', intent)],
  })
}

const waitingFor = (outcome: Exclude<Outcome, { status: 'done' }>): Collected => {
  switch (outcome.status) {
    case 'retry':
      return { status: 'wait', afterMs: outcome.afterMs }
    case 'refused':
      return { status: 'left', why: outcome.problem }
    case 'superseded':
      return { status: 'left', why: `epoch ${outcome.epoch} took its place at the provider` }
    case 'pending':
    case 'locked':
    case 'unknown':
      return { status: 'going' }
    default:
      return outcome satisfies never
  }
}

/** The story is read again: others may have said more while the provider was asked. */
const recordRemoval = async (ports: CollectPorts, thing: Suspect): Promise<Collected> => {
  const { log, driver, absences } = ports
  const { tenant, service, key, condemned, ref } = thing
  const story = await log.story(tenant, service)
  const told = tellResource(story, key)
  if (told.condemned.get(ref)?.id !== condemned) return conflict
  const removed = event('OrphanRemoved', { ...partOf(thing), confirmedBy: [driver.name] })
  // The absence of the newest ends the life, so it is told when nothing else is left.
  const absent = formersOwe(story, thing.epoch) ? [] : await endOfLife(ports, told, thing)
  const done = await record(log, {
    tenant,
    service,
    key,
    version: told.version,
    what: `removed/${ref}`.slice(0, 150),
    causationId: condemned,
    events: [removed, ...absent],
  })
  if (!done) return conflict
  absences.delete(ref)
  const { goneAt } = judgeTold(thing, told)
  const seconds = goneAt === null ? null : ((await log.now()) - goneAt) / 1000
  return { status: 'removed', seconds }
}

/** Whether an earlier incarnation was intended, at whichever driver, and not yet read as absent. */
const formersOwe = (story: readonly RecordedEvent[], epoch: number): boolean => {
  const open = new Set<number>()
  for (const { type, data } of story) {
    if (type === 'ResourceIntended' && data.epoch < epoch) open.add(data.epoch)
    if (type === 'ResourceAbsent') open.delete(data.epoch)
  }
  return open.size > 0
}

/**
 * A life ends with one absence, of all that was made for it. It is said when the newest incarnation is an
 * orphan, nobody has said it, and the driver finds nothing left under its marks.
 */
const endOfLife = async (
  { driver }: CollectPorts,
  told: ResourceTold,
  thing: Suspect,
): Promise<readonly DomainEvent[]> => {
  const { key, epoch } = thing
  const marks = marksOf(told, thing)
  const isEnd = judgeTold(thing, told).verdict === 'orphan' && told.intent?.epoch === epoch
  if (!isEnd || !owesAbsence(told) || marks === undefined) return []
  const seen = await driver.observe(marks)
  if (seen.status !== 'absent') return []
  return [event('ResourceAbsent', { key, epoch, confirmedBy: [...seen.confirmedBy] })]
}
