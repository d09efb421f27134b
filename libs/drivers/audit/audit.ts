// One complete comparison of a provider with the log, in memory that does not grow with what is in order.
//
// First the whole inventory is read, page by page, and then the log to where it ends after that. A page
// is looked at with what is known of the log so far, and what that calls live is dropped at once. That is
// safe: the older log may call something live that was released since, which the next scan finds; it can
// never take anything for an orphan, because whatever it does not call live is only kept, and judged by
// its Service's story when that is read, after the inventory is. So memory holds one page and what is
// out of order, and a resource whose intent was recorded while the scan went on is never condemned.
import type { DriverName } from '@weir/contract'
import { explainError, OperatingError } from '@weir/kernel'
import type { Driver, InventoryItem } from '../driver.ts'
import { judgeByMarks, judgeTold, type Judgement, type Verdict } from './judge.ts'
import type { AuditLog, LogFollower } from './log-follower.ts'
import { driverOf } from './places.ts'
import { tellResource } from './resource-told.ts'

/** A thing that is not live, or that is and was condemned before. */
export interface Finding extends Judgement {
  readonly item: InventoryItem
  /** Version of its resource stream when it was judged. */
  readonly version: number
}

/** A precondition that does not hold, by name. Nothing may be condemned, spared or deleted then. */
export interface Hindrance {
  readonly name:
    | 'inventory-incomplete'
    | 'inventory-empty'
    | 'too-many-findings'
    | 'log-horizon'
    | 'account'
    | 'installation'
    | 'schema'
  readonly why: string
}

export interface AuditReport {
  readonly driver: DriverName
  /** The log's clock before the inventory was read, and after the log was, milliseconds. */
  readonly began: number
  readonly at: number
  readonly hindrances: readonly Hindrance[]
  readonly counts: Readonly<Record<Verdict, number>>
  /** By ref. Of things that are not ours to touch only the first thousand. */
  readonly findings: readonly Finding[]
  /** Resources that the log says must exist, and things found. */
  readonly expected: number
  readonly listed: number
  /** Things with our marks, by tenant. */
  readonly listedByTenant: Readonly<Record<string, number>>
}

export interface AuditPorts {
  readonly driver: Driver
  readonly log: AuditLog
  readonly follower: LogFollower
  readonly installation: string
  /** Why the database's schema is not this program's; null when it is. */
  readonly schemaProblem: () => Promise<string | null>
  /** The account that the driver's credentials must turn out to be; undefined when none is recorded. */
  readonly account?: () => Promise<string | undefined>
}

/** A bound on pages, far beyond any provider: a list that never ends is a broken list. */
const maxPages = 100_000
/** Things with our marks that are out of order; more than this is a disaster, not garbage. */
const maxCandidates = 50_000
/** Things that are not ours to touch which a report names. */
const maxForeign = 1000
/** Orphans read again before anybody is told: more would use up the provider's rate. */
const maxRechecks = 100
/** A list may be this old, milliseconds: what was released before and is still listed is there. */
const staleMs = 300_000
const storiesAtOnce = 256

/**
 * Compares now.
 * @throws OperatingError when the log does not answer. What hinders at the provider is in the report.
 */
export const audit = async (ports: AuditPorts): Promise<AuditReport> => {
  const { driver, log, follower } = ports
  const name = driver.name as DriverName
  const hindrances: Hindrance[] = []
  const began = await log.now()
  await follower.catchUp()
  const scan = await readInventory(ports).catch(asHindrance('inventory-incomplete', hindrances))
  const missed = await follower.catchUp()
  if (missed !== undefined) hindrances.push({ name: 'log-horizon', why: missed })
  hindrances.push(...(await preconditions(ports)))
  const seen = scan ?? emptyScan()
  const expected = follower.places.expected(name)
  if (scan !== undefined && seen.listed === 0 && expected > 0) {
    const why = `the inventory is empty while the log has ${expected} live resources`
    hindrances.push({ name: 'inventory-empty', why })
  }
  if (seen.candidates.length >= maxCandidates) {
    const why = `more than ${maxCandidates} things are out of order`
    hindrances.push({ name: 'too-many-findings', why })
  }
  const judged = [...seen.foreign, ...(await judgeCandidates(ports, seen.candidates))]
  const at = await log.now()
  const findings = await withoutTheAbsent(driver, judged, at)
  return {
    driver: name,
    began,
    at,
    hindrances,
    counts: countVerdicts(seen, findings),
    findings: findings.toSorted((a, b) => (a.item.ref < b.item.ref ? -1 : 1)),
    expected,
    listed: seen.listed,
    listedByTenant: Object.fromEntries(seen.byTenant),
  }
}

type OurItem = InventoryItem & { readonly marks: NonNullable<InventoryItem['marks']> }

interface Scan {
  listed: number
  live: number
  unnamed: Record<'foreign' | 'unmarked', number>
  readonly byTenant: Map<string, number>
  readonly foreign: Finding[]
  readonly candidates: OurItem[]
}

const emptyScan = (): Scan => ({
  listed: 0,
  live: 0,
  unnamed: { foreign: 0, unmarked: 0 },
  byTenant: new Map(),
  foreign: [],
  candidates: [],
})

const readInventory = async (ports: AuditPorts): Promise<Scan> => {
  const { driver } = ports
  const scan = emptyScan()
  let cursor: string | undefined
  for (let page = 0; page < maxPages; page += 1) {
    const { resources, next } = await driver.inventory(cursor)
    for (const item of resources) takeItem(ports, scan, item)
    if (next === undefined) return scan
    if (next === cursor) break
    cursor = next
  }
  throw new OperatingError(`cannot list ${driver.name}: its pages do not end`)
}

const takeItem = (
  { driver, follower, installation }: AuditPorts,
  scan: Scan,
  item: InventoryItem,
) => {
  scan.listed += 1
  const judged = judgeByMarks(item, installation)
  if (judged !== undefined || item.marks === null) {
    const { verdict } = judged ?? { verdict: 'unmarked' }
    if (verdict === 'foreign' || verdict === 'unmarked') scan.unnamed[verdict] += 1
    const room = scan.foreign.length < maxForeign
    if (judged !== undefined && room) scan.foreign.push({ ...judged, item, version: 0 })
    return
  }
  const { tenant, service, key, epoch } = item.marks
  scan.byTenant.set(tenant, (scan.byTenant.get(tenant) ?? 0) + 1)
  const live = follower.places.isLive({ tenant, service, driver: driverOf(key), epoch })
  const suspected = follower.suspects.of(driver.name).has(item.ref)
  if (live && !suspected) scan.live += 1
  else if (scan.candidates.length < maxCandidates) {
    scan.candidates.push({ ...item, marks: item.marks })
  }
}

/** Judges by whole stories, read now: the inventory was complete before. */
const judgeCandidates = async (
  { driver, log }: AuditPorts,
  candidates: readonly OurItem[],
): Promise<readonly Finding[]> => {
  const findings: Finding[] = []
  for (let from = 0; from < candidates.length; from += storiesAtOnce) {
    const some = candidates.slice(from, from + storiesAtOnce)
    const judged = some.map(async (item): Promise<Finding> => {
      const { tenant, service, key, epoch } = item.marks
      const told = tellResource(await log.story(tenant, service), key)
      // Another driver of ours may share the account: what is its to keep is no garbage of this one's.
      const other = driverOf(key) !== driver.name
      const judgement = judgeTold({ epoch }, told)
      const verdict = other && judgement.verdict === 'orphan' ? 'no-intent' : judgement.verdict
      return { ...judgement, verdict, item, version: told.version }
    })
    findings.push(...(await Promise.all(judged)))
  }
  return findings
}

const preconditions = async (ports: AuditPorts): Promise<readonly Hindrance[]> => {
  const { driver, follower, installation } = ports
  const found: Hindrance[] = []
  const schema = await ports.schemaProblem()
  if (schema !== null) found.push({ name: 'schema', why: schema })
  const logs = follower.installation()
  if (logs !== undefined && logs !== installation) {
    const why = `the log is of installation ${logs}, and this is ${installation}`
    found.push({ name: 'installation', why })
  }
  const probed = await driver.probe().catch(asHindrance('account', found))
  if (probed?.status === 'refused') found.push({ name: 'account', why: probed.problem })
  const expected = await ports.account?.()
  if (probed?.status === 'ready' && expected !== undefined && probed.account !== expected) {
    const why = `the credentials are of account ${probed.account}, expected ${expected}`
    found.push({ name: 'account', why })
  }
  return found
}

const asHindrance =
  (name: Hindrance['name'], into: Hindrance[]) =>
  (error: unknown): undefined => {
    if (!(error instanceof OperatingError)) throw error
    into.push({ name, why: explainError(error) })
  }

/**
 * Leaves out orphans that a fresh read does not find: an inventory may list what went a moment ago, and
 * nobody should be told of a leak that is none.
 */
const withoutTheAbsent = async (
  driver: Driver,
  judged: readonly Finding[],
  now: number,
): Promise<readonly Finding[]> => {
  const kept: Finding[] = []
  let left = maxRechecks
  for (const finding of judged) {
    const fresh = finding.verdict === 'orphan' && now - (finding.goneAt ?? now) < staleMs
    const marks = fresh ? finding.item.marks : null
    if (marks === null || left === 0) {
      kept.push(finding)
      continue
    }
    left -= 1
    const seen = await driver.observe(marks).catch(unreadable)
    if (seen?.status !== 'absent') kept.push(finding)
  }
  return kept
}

const unreadable = (error: unknown): undefined => {
  if (!(error instanceof OperatingError)) throw error
}

const countVerdicts = (scan: Scan, findings: readonly Finding[]): Record<Verdict, number> => {
  const counts = { live: scan.live, superseded: 0, orphan: 0, 'no-intent': 0, ...scan.unnamed }
  for (const { verdict } of findings) {
    if (verdict !== 'foreign' && verdict !== 'unmarked') counts[verdict] += 1
  }
  return counts
}
