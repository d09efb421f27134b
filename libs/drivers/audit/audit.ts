import type { RecordedEvent, TenantId } from '@weir/contract'
import { OperatingError } from '@weir/kernel'
import type { Driver, InventoryItem } from '../driver.ts'
import { classify, type Verdict } from './classify.ts'
import { createLogFacts, type LogFacts } from './log-facts.ts'

/** The part of the log that an audit reads; `@weir/eventlog` has this shape. */
export interface AuditLog {
  tenants(): Promise<readonly TenantId[]>
  head(tenant: TenantId): Promise<number>
  after(tenant: TenantId, sequence: number, limit: number): Promise<readonly RecordedEvent[]>
  claims(
    scope: 'address' | 'frontend',
    prefix: string,
  ): Promise<readonly { readonly key: string; readonly holder: string | null }[]>
  /** Milliseconds since the epoch by the log's own clock. */
  now(): Promise<number>
}

export interface Finding {
  readonly item: InventoryItem
  readonly verdict: Verdict
}

/** An address or frontend that is held although its holder's life is over. */
export interface StrayClaim {
  readonly scope: 'address' | 'frontend'
  readonly key: string
  readonly holder: string
}

/** One complete comparison of a provider with the log. */
export interface AuditReport {
  readonly driver: string
  /** When the log was read, by its own clock. */
  readonly at: number
  readonly counts: Readonly<Record<Verdict, number>>
  /** Everything that is not `live`, by ref. */
  readonly findings: readonly Finding[]
  readonly strayClaims: readonly StrayClaim[]
  /** Resources that the log says must exist, and those found. */
  readonly expected: number
  readonly listed: number
  readonly listedByTenant: Readonly<Record<string, number>>
}

/** Audits one provider; keeps what it read of the log, so that the next audit reads only what is new. */
export interface Auditor {
  /**
   * Compares now. The whole inventory is read first and the log after it, so that whatever was listed
   * has its intent in what is read.
   * @throws OperatingError when the inventory cannot be completed or the log does not answer.
   */
  audit(): Promise<AuditReport>
  readonly facts: LogFacts
}

const batch = 2000
/** A bound on pages, far beyond any provider: a list that never ends is a broken list. */
const maxPages = 100_000

export const createAuditor = (ports: {
  readonly driver: Driver
  readonly log: AuditLog
  readonly installation: string
}): Auditor => {
  const { driver, log, installation } = ports
  const facts = createLogFacts()
  const cursors = new Map<TenantId, number>()

  const catchUp = async (): Promise<void> => {
    for (const tenant of await log.tenants()) {
      const head = await log.head(tenant)
      for (let at = cursors.get(tenant) ?? 0; at < head;) {
        const events = await log.after(tenant, at, batch)
        for (const event of events) facts.take(event)
        at = events.at(-1)?.sequence ?? head
        cursors.set(tenant, at)
      }
    }
  }
  const readClaims = async (scope: StrayClaim['scope']): Promise<readonly StrayClaim[]> => {
    const claims = await log.claims(scope, '')
    return claims.flatMap(({ key, holder }) => (holder === null ? [] : [{ scope, key, holder }]))
  }
  const isStray = ({ holder }: StrayClaim): boolean =>
    (facts.service(holder)?.phase ?? 'over') === 'over'

  return {
    facts,
    audit: async () => {
      // Claims, like resources, are read before the log: whoever holds one is in what is read after.
      const items = await readInventory(driver)
      const claims = [...(await readClaims('address')), ...(await readClaims('frontend'))]
      await catchUp()
      const judged = items.map((item) => ({
        item,
        verdict: classify(item, installation, item.marks ? facts.facts(item.marks.key) : undefined),
      }))
      const findings = await withoutTheAbsent(driver, judged)
      return {
        driver: driver.name,
        at: await log.now(),
        counts: countVerdicts(findings),
        findings: findings
          .filter(({ verdict }) => verdict !== 'live')
          .toSorted((a, b) => (a.item.ref < b.item.ref ? -1 : 1)),
        strayClaims: claims.filter(isStray),
        expected: facts.live(driver.name),
        listed: items.length,
        listedByTenant: countTenants(items, installation),
      }
    },
  }
}

/**
 * Leaves out orphans that a fresh read does not find: an inventory may list what went a moment ago, and
 * nobody should be told of a leak that is none.
 */
const withoutTheAbsent = async (
  driver: Driver,
  judged: readonly Finding[],
): Promise<readonly Finding[]> => {
  const kept: Finding[] = []
  for (const finding of judged) {
    const { item, verdict } = finding
    const orphan = verdict === 'orphan' ? item.marks : null
    const gone = orphan !== null && (await driver.observe(orphan)).status === 'absent'
    if (!gone) kept.push(finding)
  }
  return kept
}

const readInventory = async (driver: Driver): Promise<readonly InventoryItem[]> => {
  const items: InventoryItem[] = []
  let cursor: string | undefined
  for (let page = 0; page < maxPages; page += 1) {
    const { resources, next } = await driver.inventory(cursor)
    items.push(...resources)
    if (next === undefined) return items
    cursor = next
  }
  throw new OperatingError(`cannot list ${driver.name}: more than ${maxPages} pages`)
}

const countVerdicts = (findings: readonly Finding[]): Record<Verdict, number> => {
  const counts = { live: 0, superseded: 0, orphan: 0, 'no-intent': 0, foreign: 0, unmarked: 0 }
  for (const { verdict } of findings) counts[verdict] += 1
  return counts
}

const countTenants = (
  items: readonly InventoryItem[],
  installation: string,
): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { marks } of items) {
    if (marks?.installation === installation) {
      counts[marks.tenant] = (counts[marks.tenant] ?? 0) + 1
    }
  }
  return counts
}
