import { event, streamOf, type DomainEvent, type OwnershipMarks } from '@weir/contract'
import { carryOut, classify, createLogFacts, type Driver, type ResourceRecord } from '@weir/drivers'
import type { EventLog } from '@weir/eventlog'

export interface CollectPorts {
  readonly store: { readonly log: Pick<EventLog, 'story' | 'append'> }
  readonly driver: Driver
  readonly installation: string
}

/**
 * Removes one orphan: reads its story once more, intends the delete at the version just read, asks the
 * provider, and records the absence that a read confirms. True when it is confirmed gone. False when it
 * is none any more, when somebody else decided first, or while it still goes: the next cycle looks again.
 */
export const collect = async (ports: CollectPorts, marks: OwnershipMarks): Promise<boolean> => {
  const { driver } = ports
  const before = await readOrphan(ports, marks)
  if (before === undefined) return false
  const { record, evidence } = before
  if (record.deleteEpoch !== marks.epoch) {
    const { key, epoch } = marks
    const intent = { key, epoch, reason: 'orphan', evidence } as const
    const intended = await append(ports, marks, {
      version: record.version,
      causationId: evidence,
      event: event('ResourceDeleteIntended', intent),
    })
    if (!intended) return false
  }
  // What the driver removes is fenced by the epoch: a later incarnation is never touched.
  const { seen: after } = await carryOut(driver, { order: 'remove', marks })
  const seen = after ?? (await driver.observe(marks))
  if (seen.status !== 'absent') return false
  const now = await readOrphan(ports, marks)
  // A life ends with one absence; of an incarnation that ended before, nothing more is said.
  if (now === undefined || now.record.absentEpoch >= marks.epoch) return true
  return append(ports, marks, {
    version: now.record.version,
    causationId: evidence,
    event: event('ResourceAbsent', {
      key: marks.key,
      epoch: marks.epoch,
      confirmedBy: [...seen.confirmedBy],
    }),
  })
}

interface KnownOrphan {
  readonly record: ResourceRecord
  readonly evidence: string
}

/** The story's record of what is still an orphan; undefined when it is not. */
const readOrphan = async (
  { store, installation }: CollectPorts,
  marks: OwnershipMarks,
): Promise<KnownOrphan | undefined> => {
  const facts = createLogFacts()
  for (const said of await store.log.story(marks.tenant, marks.service)) facts.take(said)
  const item = { kind: '', ref: marks.key, marks, generation: 0 }
  if (classify(item, installation, facts.facts(marks.key)) !== 'orphan') return undefined
  const record = facts.resource(marks.key)
  const releasedBy = facts.service(marks.service)?.releasedBy
  if (record === undefined) return undefined
  return { record, evidence: releasedBy ?? `incarnation ${marks.epoch} ended` }
}

const append = async (
  { store }: CollectPorts,
  marks: OwnershipMarks,
  what: {
    readonly version: number
    readonly causationId: string
    readonly event: DomainEvent
  },
): Promise<boolean> => {
  const stream = streamOf('resource', marks.key)
  const outcome = await store.log.append({
    tenant: marks.tenant,
    commandId: `gc/${stream}/${what.version}`,
    events: [{ stream, expectedVersion: what.version, event: what.event }],
    actor: 'gc',
    correlationId: marks.service,
    causationId: what.causationId,
  })
  return outcome.status === 'appended' || outcome.status === 'repeated'
}
