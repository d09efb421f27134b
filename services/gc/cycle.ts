import { event, platformTenant, streamOf, type DriverName, type StreamId } from '@weir/contract'
import {
  audit,
  cleanupStory,
  everyScope,
  foldCleanup,
  tellResource,
  type AuditReport,
  type CleanupRules,
  type Driver,
  type Suspect,
} from '@weir/drivers'
import { explainError, OperatingError } from '@weir/kernel'
import { collect, type Collected } from './collect.ts'
import { decide, type Decision, type Scan } from './domain/decide.ts'
import type { CollectorPorts } from './handle.ts'
import { createPace } from './pace.ts'
import { collectorName } from './record.ts'
import { condemn, spare, type FoundOrphan } from './verdicts.ts'

/** What one scan of one driver found, and what was done about it. */
export interface Cycle {
  /** `elsewhere` when another process holds the driver's lease. */
  readonly status: 'done' | 'elsewhere'
  readonly driver: DriverName
  readonly report?: AuditReport
  readonly mode?: CleanupRules['mode']
  readonly condemned: number
  readonly spared: number
  /** Refs whose absence was confirmed in this cycle. */
  readonly removed: readonly string[]
  /** Seconds from the end of each one's reason to its confirmed absence, by the log's clock. */
  readonly seconds: readonly number[]
  /** Why something that is due stays, and preconditions that do not hold; empty when all is well. */
  readonly held: readonly string[]
}

interface DriverPorts extends CollectorPorts {
  readonly driver: Driver
  readonly lease: string
}

type Verdict = Decision<FoundOrphan, Suspect>

const collectsAtOnce = 8
/** A cycle ends after so many intervals, with whatever it has reached by then. */
const longestCycle = 20

/** Makes the work of one cycle for one driver; what it keeps between cycles may be lost. */
export const createDriverCycle = (ports: DriverPorts) => {
  const { store, driver, follower, installation, clock } = ports
  const name = driver.name as DriverName
  const absences = new Map<string, number>()
  const tries = new Map<string, number>()
  const pace = createPace(clock, ports.deletesPerSecond ?? 10)
  const audits = {
    driver,
    log: store.log,
    follower,
    installation,
    schemaProblem: () => store.schemaProblem(),
    account: () => accountOf(ports),
  }
  const nobody = { condemned: 0, spared: 0, removed: [], seconds: [], held: [] }
  const holdsLease = async (): Promise<boolean> =>
    (await store.leases.take(ports.lease, ports.holder, ports.intervalMs * 3)) !== undefined

  return async (signal?: AbortSignal): Promise<Cycle> => {
    if (!(await holdsLease())) {
      absences.clear()
      return { status: 'elsewhere', driver: name, ...nobody }
    }
    const report = await audit(audits)
    const rules = await readCleanup(ports)
    const scan = scanOf(report, follower.suspects.of(name), tries)
    const decision = decide(scan, rules, ports.rules)
    forgetOthers(scan, absences, tries)
    if (decision.suspend !== null) await suspend(ports, rules, decision.suspend)
    const condemned = await condemn(store, name, decision.condemn)
    const spared = await spare(store, decision.spare, (thing) => versionOf(ports, thing))
    const collected = await collectAll(
      decision,
      { signal, holdsLease, pace, absences, tries },
      ports,
    )
    const ended: Cycle = {
      status: 'done',
      driver: name,
      report,
      mode: rules.mode,
      condemned,
      spared,
      ...collected,
      held: decision.held,
    }
    say(ports, ended)
    return ended
  }
}

const readCleanup = async ({ store, observeOnly }: DriverPorts): Promise<CleanupRules> => {
  const rules = foldCleanup(await store.log.story(platformTenant, cleanupStory))
  if (observeOnly !== true) return rules
  const why = 'this process is set to observe, whatever was approved'
  return { ...rules, mode: 'observe', why, ordered: new Set() }
}

/** The account that was recorded when the driver was configured; none is for our own fleet. */
const accountOf = async ({ store, driver }: DriverPorts): Promise<string | undefined> => {
  const story = await store.log.story(platformTenant, driver.name)
  const configured = story.findLast((each) => each.type === 'DriverConfigured')
  return configured?.type === 'DriverConfigured' ? configured.data.driver.account : undefined
}

const versionOf = async ({ store }: DriverPorts, thing: Suspect): Promise<number> =>
  tellResource(await store.log.story(thing.tenant, thing.service), thing.key).version

/** The report in the words of the decision. */
const scanOf = (
  report: AuditReport,
  suspects: ReadonlyMap<string, Suspect>,
  tries: ReadonlyMap<string, number>,
): Scan<FoundOrphan, Suspect> => {
  const orphans: FoundOrphan[] = []
  const reprieved = new Map<string, string>()
  for (const finding of report.findings) {
    const { item, verdict, goneAt, evidence } = finding
    const { ref, marks } = item
    if (marks !== null && (verdict === 'orphan' || verdict === 'superseded')) {
      const { tenant, key, epoch } = marks
      orphans.push({ ref, tenant, key, epoch, goneAt, finding })
    } else if (suspects.has(ref)) reprieved.set(ref, evidence.slice(0, 500))
  }
  return {
    began: report.began,
    at: report.at,
    hindrances: report.hindrances.map(({ name, why }) => `${name}: ${why}`),
    listed: report.listed,
    listedByTenant: report.listedByTenant,
    orphans,
    reprieved,
    condemned: [...suspects.values()],
    tries,
  }
}

/** What is listed again was not absent, and of what is no suspect nothing need be known. */
const forgetOthers = (
  scan: Scan<FoundOrphan, Suspect>,
  absences: Map<string, number>,
  tries: Map<string, number>,
): void => {
  if (scan.hindrances.length > 0) return
  for (const { ref } of scan.orphans) absences.delete(ref)
  const known = new Set(scan.condemned.map(({ ref }) => ref))
  for (const ref of absences.keys()) if (!known.has(ref)) absences.delete(ref)
  for (const ref of tries.keys()) if (!known.has(ref)) tries.delete(ref)
}

/** The breaker opens: from now on gc only observes, until somebody approves again. */
const suspend = async (
  { store, logger }: DriverPorts,
  { versions }: CleanupRules,
  why: string,
): Promise<void> => {
  const stream: StreamId = streamOf('cleanup', everyScope)
  const version = versions[stream] ?? 0
  await store.log.append({
    tenant: platformTenant,
    commandId: `${collectorName}/${stream}/${version}/suspend`,
    events: [
      {
        stream,
        expectedVersion: version,
        event: event('CleanupSuspended', { why: why.slice(0, 500) }),
      },
    ],
    actor: collectorName,
    correlationId: cleanupStory,
    causationId: 'breaker',
  })
  // Whoever came first: the decision that this follows deletes nothing either way.
  logger.error({ why }, 'cleanup is suspended')
}

interface Working {
  readonly signal: AbortSignal | undefined
  readonly holdsLease: () => Promise<boolean>
  readonly pace: ReturnType<typeof createPace>
  readonly absences: Map<string, number>
  readonly tries: Map<string, number>
}

const collectAll = async (
  { remove, confirm }: Verdict,
  working: Working,
  ports: DriverPorts,
): Promise<Pick<Cycle, 'removed' | 'seconds'>> => {
  const things = [...confirm, ...remove]
  const until = ports.clock.now() + ports.intervalMs * longestCycle
  const removed: string[] = []
  const seconds: number[] = []
  for (let from = 0; from < things.length; from += collectsAtOnce) {
    const over = working.signal?.aborted === true || ports.clock.now() > until
    if (over || !(await working.holdsLease())) break
    const some = things.slice(from, from + collectsAtOnce)
    const ended = await Promise.all(some.map((thing) => collectOne(ports, working, thing)))
    for (const [index, each] of ended.entries()) {
      const thing = some[index]
      if (thing === undefined || each.status !== 'removed') continue
      removed.push(thing.ref)
      if (each.seconds !== null) seconds.push(each.seconds)
    }
  }
  return { removed, seconds }
}

/** Asks to come back so often in one cycle that more would be a quarrel. */
const waitsAtMost = 20

/** One orphan that fails delays only itself. */
const collectOne = async (
  ports: DriverPorts,
  { pace, absences, tries, signal }: Working,
  thing: Suspect,
): Promise<Collected> => {
  const { store, driver, apartMs, logger } = ports
  tries.set(thing.ref, (tries.get(thing.ref) ?? 0) + 1)
  for (let wait = 0; ; wait += 1) {
    await pace.turn(signal)
    try {
      const ended = await collect({ log: store.log, driver, absences, apartMs }, thing)
      if (ended.status === 'left') logger.info({ ref: thing.ref, why: ended.why }, 'left alone')
      if (ended.status !== 'wait' || wait === waitsAtMost || signal?.aborted) return ended
      pace.hold(ended.afterMs)
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error
      const problem = explainError(error)
      logger.warn({ key: thing.key, ref: thing.ref, problem }, 'an orphan stays for now')
      return { status: 'going' }
    }
  }
}

const say = ({ logger }: DriverPorts, cycle: Cycle): void => {
  const { driver, report, condemned, spared, removed, held, mode } = cycle
  const counts = report?.counts
  const said = condemned + spared + removed.length + held.length
  if (said === 0) return
  logger.info({ driver, mode, counts, condemned, spared, removed: removed.length, held }, 'cleanup')
}
