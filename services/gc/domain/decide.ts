// What to do about what one scan found. All preconditions hold or nothing is done at all.
//
//   thing \ scan   orphan                              not listed             listed, and no orphan
//   unknown        condemn, once the reason is gone    nothing                nothing
//                  for a while
//   condemned      remove, after grace and a later     spare                  spare
//                  scan, within the limits
//   deleting       remove: goes on                     look again, until      spare
//                                                      absent twice
//
// Only a condemned thing is ever removed, and only when a complete scan that began after it was condemned
// saw it again. So two complete scans agree, and the grace runs from the first, by the log's clock.

/** A thing at the provider whose reason to exist is gone. */
export interface Orphan {
  readonly ref: string
  readonly tenant: string
  readonly key: string
  readonly epoch: number
  /** When its reason went, milliseconds by the log's clock; null when that is not known. */
  readonly goneAt: number | null
}

/** A condemned thing, as the log has it. */
export interface Condemned {
  readonly ref: string
  readonly tenant: string
  readonly key: string
  readonly epoch: number
  /** Id of the event. */
  readonly condemned: string
  /** When the log took the event: never when the thing was made. */
  readonly since: number
  readonly deleting: boolean
}

export interface Rules {
  /** Milliseconds a reason must be gone before its resource is condemned: the provisioner's time. */
  readonly settleMs: number
  /** Milliseconds from then until it may be deleted. */
  readonly graceMs: number
  /** Most things of one tenant deleted in one cycle: this many, or this share of what it has, if more. */
  readonly atMost: number
  readonly atMostShare: number
  /**
   * More than so many, and more than this share of what a tenant has or of all, due at once without an
   * approval since they were condemned: something else is wrong, and nothing is deleted.
   */
  readonly breakerAtLeast: number
  readonly breakerShare: number
}

/** What people decided. */
export interface Permission {
  readonly mode: 'observe' | 'apply'
  readonly why: string | null
  readonly approvedAt: number
  readonly paused: ReadonlyMap<string, string>
  readonly ordered: ReadonlySet<string>
}

/** What one scan found. */
export interface Scan<O extends Orphan = Orphan, C extends Condemned = Condemned> {
  /** The log's clock before the inventory was read, and after the log was. */
  readonly began: number
  readonly at: number
  /** Preconditions that do not hold. */
  readonly hindrances: readonly string[]
  readonly listed: number
  readonly listedByTenant: Readonly<Record<string, number>>
  readonly orphans: readonly O[]
  /** Refs of condemned things that were listed and are no orphans, and why. */
  readonly reprieved: ReadonlyMap<string, string>
  readonly condemned: readonly C[]
  /** How often each was tried in vain, by ref: those go last. */
  readonly tries: ReadonlyMap<string, number>
}

export interface Decision<O extends Orphan = Orphan, C extends Condemned = Condemned> {
  readonly condemn: readonly O[]
  readonly spare: readonly { readonly thing: C; readonly why: string }[]
  /** What to delete now, or to go on deleting. */
  readonly remove: readonly C[]
  /** Deleted, and not listed any more: to be read until its absence is certain. */
  readonly confirm: readonly C[]
  /** Why something that is due stays; empty when nothing is held back. */
  readonly held: readonly string[]
  /** The breaker opens for this reason. */
  readonly suspend: string | null
}

const nothing = { condemn: [], spare: [], remove: [], confirm: [], suspend: null }

/** Condemned in one cycle; the rest is condemned in the next. */
const condemnAtMost = 20_000

export const decide = <O extends Orphan, C extends Condemned>(
  scan: Scan<O, C>,
  permission: Permission,
  rules: Rules,
): Decision<O, C> => {
  if (scan.hindrances.length > 0) return { ...nothing, held: scan.hindrances }
  const orphans = new Map(scan.orphans.map((orphan) => [orphan.ref, orphan]))
  const known = new Map(scan.condemned.map((thing) => [thing.ref, thing]))
  const again = scan.condemned.filter((thing) => isSame(thing, orphans.get(thing.ref)))
  const gone = scan.condemned.filter((thing) => !isSame(thing, orphans.get(thing.ref)))
  const condemn = scan.orphans
    .filter((orphan) => !isSame(known.get(orphan.ref), orphan) && isSettled(orphan, scan, rules))
    .toSorted(byRef)
    .slice(0, condemnAtMost)
  const isLost = ({ deleting, ref }: C): boolean =>
    deleting && !orphans.has(ref) && !scan.reprieved.has(ref)
  const lost = gone.filter(isLost)
  const spare = gone
    .filter((thing) => !isLost(thing))
    .map((thing) => ({ thing, why: scan.reprieved.get(thing.ref) ?? 'it is not there any more' }))
  const due = again.filter((thing) => isDue(thing, scan, rules))
  return { condemn, spare, ...removals({ due, lost }, scan, { permission, rules }) }
}

const byRef = (a: { readonly ref: string }, b: { readonly ref: string }): number =>
  a.ref < b.ref ? -1 : 1

const isSame = (thing: Condemned | undefined, orphan: Orphan | undefined): boolean =>
  thing !== undefined && thing.key === orphan?.key && thing.epoch === orphan.epoch

const isSettled = ({ goneAt }: Orphan, { at }: Scan, { settleMs }: Rules): boolean =>
  goneAt === null || at - goneAt >= settleMs

const isDue = ({ since }: Condemned, { began, at }: Scan, { graceMs }: Rules): boolean =>
  since < began && at - since >= graceMs

interface Judges {
  readonly permission: Permission
  readonly rules: Rules
}

const removals = <C extends Condemned>(
  { due, lost }: { readonly due: readonly C[]; readonly lost: readonly C[] },
  scan: Scan,
  judges: Judges,
): Pick<Decision<Orphan, C>, 'remove' | 'confirm' | 'held' | 'suspend'> => {
  const { permission } = judges
  const tripped = whyTooMany(due, scan, judges)
  if (tripped !== undefined) return { remove: [], confirm: [], held: [tripped], suspend: tripped }
  const may = ({ tenant, condemned }: C): boolean =>
    !permission.paused.has(tenant) &&
    (permission.mode === 'apply' || permission.ordered.has(condemned))
  const allowed = due.filter(may)
  const remove = withinLimits(allowed, scan, judges.rules)
  const paused = due.filter(({ tenant }) => permission.paused.has(tenant)).length
  const observed = due.length - allowed.length - paused
  return {
    remove,
    confirm: lost.filter(may),
    held: [
      ...told(observed, permission.why ?? 'observe mode'),
      ...told(paused, 'cleanup of their tenant is paused'),
      ...told(allowed.length - remove.length, 'limit per cycle'),
    ],
    suspend: null,
  }
}

const told = (count: number, why: string): readonly string[] =>
  count === 0 ? [] : [`${count} orphans stay: ${why}`]

/** Why so many things being due at once is no garbage; undefined when they are few. */
const whyTooMany = (
  due: readonly Condemned[],
  scan: Scan,
  { permission, rules }: Judges,
): string | undefined => {
  if (permission.mode === 'observe') return undefined
  const fresh = due.filter(
    ({ deleting, since, condemned }) =>
      !deleting && since > permission.approvedAt && !permission.ordered.has(condemned),
  )
  const { breakerAtLeast, breakerShare } = rules
  const isTooMany = (count: number, of: number): boolean =>
    count > breakerAtLeast && count > of * breakerShare
  const ours = Object.values(scan.listedByTenant).reduce((sum, each) => sum + each, 0)
  if (isTooMany(fresh.length, ours)) return tooMany(fresh.length, ours, 'all')
  const byTenant = Map.groupBy(fresh, ({ tenant }) => tenant)
  for (const [tenant, things] of byTenant) {
    const of = scan.listedByTenant[tenant] ?? 0
    if (isTooMany(things.length, of)) return tooMany(things.length, of, tenant)
  }
  return undefined
}

const tooMany = (count: number, of: number, whose: string): string =>
  `${count} of ${of} resources of ${whose} lost their reason at once; ` +
  'see weir gc report, then weir gc approve if that is right'

const withinLimits = <C extends Condemned>(
  due: readonly C[],
  scan: Scan,
  rules: Rules,
): readonly C[] => {
  const taken = new Map<string, number>()
  const tries = ({ ref }: C): number => scan.tries.get(ref) ?? 0
  return due
    .toSorted((a, b) => tries(a) - tries(b) || byRef(a, b))
    .filter(({ tenant }) => {
      const share = Math.floor((scan.listedByTenant[tenant] ?? 0) * rules.atMostShare)
      const count = (taken.get(tenant) ?? 0) + 1
      taken.set(tenant, count)
      return count <= Math.max(rules.atMost, share)
    })
}
