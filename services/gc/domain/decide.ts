// Which orphans may go in this cycle. All preconditions hold or nothing is deleted.

/** A resource at the provider whose reason to exist is gone. */
export interface Orphan {
  readonly ref: string
  readonly tenant: string
}

/** How long each orphan has been one, by ref; kept between scans, by the log's clock. */
export type Suspects = Readonly<Record<string, Suspect>>

export interface Suspect {
  /** When it was first seen as an orphan, milliseconds since the epoch; never when it was made. */
  readonly since: number
  readonly scans: number
}

export interface Rules {
  readonly mode: 'observe' | 'apply'
  /** Scans in a row that must see an orphan. */
  readonly scans: number
  /** Milliseconds since it was first seen as one. */
  readonly graceMs: number
  /** Most deletes of one tenant in one cycle: this many, or this share of what it has, if more. */
  readonly atMost: number
  readonly atMostShare: number
}

/** What one complete scan found. */
export interface Scan {
  readonly at: number
  /** Resources the log says must exist. */
  readonly expected: number
  /** Resources listed, whatever they are, and how many each tenant has. */
  readonly listed: number
  readonly listedByTenant: Readonly<Record<string, number>>
  readonly orphans: readonly Orphan[]
}

export interface Decision {
  /** What to delete now, in the order of refs. */
  readonly remove: readonly Orphan[]
  readonly suspects: Suspects
  /** Why nothing is deleted although something is due; null when nothing holds us. */
  readonly held: string | null
}

export const decide = (scan: Scan, before: Suspects, rules: Rules): Decision => {
  // A provider that lists nothing while the log knows of live resources has lost its memory, or we
  // ask the wrong one. Such a scan does not count: not for a delete, and not as a second look.
  if (scan.listed === 0 && scan.expected > 0) {
    const held = `the inventory is empty while the log has ${scan.expected} live resources`
    return { remove: [], suspects: {}, held }
  }
  const suspects = Object.fromEntries(
    scan.orphans.map(({ ref }) => [ref, seenAgain(before[ref], scan.at)]),
  )
  const due = scan.orphans
    .filter(({ ref }) => isDue(suspects[ref], scan.at, rules))
    .toSorted((a, b) => (a.ref < b.ref ? -1 : 1))
  if (due.length === 0) return { remove: [], suspects, held: null }
  if (rules.mode === 'observe') {
    return { remove: [], suspects, held: `observe mode: ${due.length} orphans are left` }
  }
  const remove = withinLimits(due, scan, rules)
  const left = due.length - remove.length
  const held = left === 0 ? null : `${left} orphans wait for the next cycle: limit per cycle`
  return { remove, suspects, held }
}

const seenAgain = (before: Suspect | undefined, at: number): Suspect =>
  before === undefined ? { since: at, scans: 1 } : { ...before, scans: before.scans + 1 }

const isDue = (suspect: Suspect | undefined, at: number, rules: Rules): boolean =>
  suspect !== undefined && suspect.scans >= rules.scans && at - suspect.since >= rules.graceMs

const withinLimits = (due: readonly Orphan[], scan: Scan, rules: Rules): readonly Orphan[] => {
  const taken: Record<string, number> = {}
  return due.filter(({ tenant }) => {
    const share = Math.floor((scan.listedByTenant[tenant] ?? 0) * rules.atMostShare)
    taken[tenant] = (taken[tenant] ?? 0) + 1
    return taken[tenant] <= Math.max(rules.atMost, share)
  })
}
