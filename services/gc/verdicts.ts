// Records who is condemned and who is spared: many at once, for a scan may find thousands.
import { event, type ResourceKey } from '@weir/contract'
import type { Finding, Suspect } from '@weir/drivers'
import type { EventLog } from '@weir/eventlog'
import { record } from './record.ts'

/** An orphan that a scan found, with what a decision about it needs. */
export interface FoundOrphan {
  readonly ref: string
  readonly tenant: string
  readonly key: string
  readonly epoch: number
  readonly goneAt: number | null
  readonly finding: Finding
}

interface Log {
  readonly log: Pick<EventLog, 'append' | 'story'>
}

const atOnce = 256

/** Condemns what is one resource's together. What somebody else moved meanwhile is left to the next scan. */
export const condemn = async (
  { log }: Log,
  driver: Suspect['driver'],
  orphans: readonly FoundOrphan[],
): Promise<number> => {
  const byKey = Map.groupBy(orphans, ({ tenant, key }) => `${tenant}/${key}`)
  return inTurns([...byKey.values()], async (parts) => {
    const [first] = parts
    const marks = first?.finding.item.marks
    if (first === undefined || marks === null || marks === undefined) return 0
    const events = parts.map(({ ref, epoch, finding: { item, evidence } }) =>
      event('OrphanCondemned', { key: marks.key, epoch, driver, kind: item.kind, ref, evidence }),
    )
    const done = await record(log, {
      tenant: marks.tenant,
      service: marks.service,
      key: marks.key,
      version: first.finding.version,
      what: 'condemn',
      causationId: causeOf(first.finding.evidence),
      events,
    })
    return done ? parts.length : 0
  })
}

/** Spares one resource's things together. */
export const spare = async (
  { log }: Log,
  spared: readonly { readonly thing: Suspect; readonly why: string }[],
  versionOf: (thing: Suspect) => Promise<number>,
): Promise<number> => {
  const byKey = Map.groupBy(spared, ({ thing }) => `${thing.tenant}/${thing.key}`)
  return inTurns([...byKey.values()], async (parts) => {
    const [first] = parts
    if (first === undefined) return 0
    const { tenant, service, key, condemned } = first.thing
    const done = await record(log, {
      tenant,
      service,
      key,
      version: await versionOf(first.thing),
      what: 'spare',
      causationId: condemned,
      events: parts.map(({ thing, why }) => event('OrphanSpared', { ...partOf(thing), why })),
    })
    return done ? parts.length : 0
  })
}

/** The part of a suspect that its events name. */
export const partOf = ({ key, epoch, driver, kind, ref }: Suspect) => ({
  key: key satisfies ResourceKey,
  epoch,
  driver,
  kind,
  ref,
})

/** The id of the event that evidence names: `TYPE ID: ...`. */
const causeOf = (evidence: string): string => evidence.split(/[ :]/)[1] ?? 'inventory'

const inTurns = async <T>(
  all: readonly T[],
  each: (one: T) => Promise<number>,
): Promise<number> => {
  let sum = 0
  for (let from = 0; from < all.length; from += atOnce) {
    const counts = await Promise.all(all.slice(from, from + atOnce).map(each))
    sum += counts.reduce((a, b) => a + b, 0)
  }
  return sum
}
