// What exists outside, judged by the log, for whoever asks. Nothing is changed here; gc acts on the same
// judgement by itself.
import {
  edgeHeartbeat,
  platformTenant,
  streams,
  type EdgeHeartbeat,
  type FleetName,
} from '@weir/contract'
import type { Fleet } from '@weir/backbone/drivers'
import type { Bus } from '@weir/bus'
import {
  audit,
  cleanupStory,
  createLogFollower,
  finalizerPatienceMs,
  findLeftFinalizers,
  findStrayClaims,
  foldCleanup,
  type AuditReport,
  type CleanupRules,
  type Driver,
  type HeldAbsence,
  type Suspect,
} from '@weir/drivers'
import type { EventLog } from '@weir/eventlog'
import { createKeyedQueue, type Clock, type Ids } from '@weir/kernel'
import { inspectEdges } from './edge-inspection.ts'
import { explainThing } from './cleanup-explain.ts'
import {
  finalizerFinding,
  findingOf,
  strayFinding,
  suspectFinding,
  type Finding,
} from './cleanup-finding.ts'
import type { FleetReader } from './routes/fleet.ts'

export type { Finding } from './cleanup-finding.ts'

export interface FleetPorts {
  readonly bus: Pick<Bus, 'lastOfEach' | 'hint' | 'onHint'>
  readonly clock: Clock
  readonly ids: Ids
  readonly log: EventLog
  /** Asked each time: drivers may come later. */
  readonly drivers: ReadonlyMap<string, Driver>
  /** Drivers that are configured and cannot be opened, and why. */
  readonly unopened?: () => readonly { readonly driver: string; readonly problem: string }[]
  readonly schemaProblem: () => Promise<string | null>
  /** The fleets of edges that there are now. */
  readonly fleets: () => Promise<readonly Fleet[]>
  readonly installation: string
  /** gc's own grace, for when an orphan is due. */
  readonly graceMs: number
}

/** Something that keeps gc from judging or deleting. */
export interface HeldBack {
  /** Null for what holds everywhere. */
  readonly driver: string | null
  readonly name: string
  readonly why: string
}

/** What cleanup may do now, and what keeps it. */
export interface CleanupReport {
  readonly examined: number
  readonly mode: CleanupRules['mode']
  readonly held: readonly HeldBack[]
  readonly drivers: readonly Pick<AuditReport, 'driver' | 'listed' | 'expected' | 'counts'>[]
  readonly findings: readonly Finding[]
}

export const createFleetReader = (ports: FleetPorts): FleetReader => {
  const { bus, log, drivers, fleets, installation, schemaProblem } = ports
  const follower = createLogFollower(log)
  // Inventories of one driver are read one at a time: each is many calls on its account.
  const queue = createKeyedQueue(4)

  const auditOne = (driver: Driver): Promise<AuditReport> =>
    queue.run(driver.name, () =>
      audit({
        driver,
        log,
        follower,
        installation,
        schemaProblem,
        account: () => accountOf(log, driver.name),
      }),
    )
  const report = async (): Promise<CleanupReport> => {
    const reports = await Promise.all([...drivers.values()].map(auditOne))
    const rules = foldCleanup(await log.story(platformTenant, cleanupStory))
    const strays = await findStrayClaims(log, follower)
    const finalizers = await findLeftFinalizers(log, follower, finalizerPatienceMs)
    return {
      examined: reports.reduce((sum, { listed }) => sum + listed, 0),
      mode: rules.mode,
      held: [
        ...heldBy(rules),
        ...unopenedOf(ports),
        ...follower.absences().map(heldAbsence),
        ...reports.flatMap(hindrancesOf),
      ],
      drivers: reports.map(({ driver, listed, expected, counts }) => ({
        driver,
        listed,
        expected,
        counts,
      })),
      findings: [
        ...reports.flatMap((each) =>
          findingsOf(each, follower.suspects.of(each.driver), ports.graceMs),
        ),
        ...strays.map(strayFinding),
        ...finalizers.map(finalizerFinding),
      ],
    }
  }
  return {
    edges: async () => {
      const found = (await fleets()).map(({ fleet }) => readEdges(bus, fleet))
      return (await Promise.all(found)).flat()
    },
    inspect: async (compare) => {
      const about = (of: Fleet) => ({
        ...ports,
        follower,
        ...of,
        known: () => readEdges(bus, of.fleet),
      })
      const asked = (await fleets()).map((each) => inspectEdges(about(each), compare))
      return (await Promise.all(asked)).flat()
    },
    report,
    explain: (text) => explainThing({ log, follower, drivers, installation }, text),
    suspects: async () => {
      await follower.catchUp()
      return [...drivers.keys()].flatMap((driver) => [...follower.suspects.of(driver).values()])
    },
  }
}

const readEdges = async (
  bus: FleetPorts['bus'],
  fleet: FleetName,
): Promise<readonly EdgeHeartbeat[]> => {
  const found: EdgeHeartbeat[] = []
  for await (const message of bus.lastOfEach(streams.edge.name, `weir.edge.${fleet}.heartbeat.*`)) {
    // An edge of another version that says something else hides none of the others.
    const beat = edgeHeartbeat.safeParse(parseJson(message.body))
    if (beat.success) found.push(beat.data)
  }
  return found.toSorted((a, b) => (a.edge < b.edge ? -1 : 1))
}

const accountOf = async (log: EventLog, driver: string): Promise<string | undefined> => {
  const story = await log.story(platformTenant, driver)
  const configured = story.findLast((each) => each.type === 'DriverConfigured')
  return configured?.data.driver.account
}

/** What a scan found, and condemned things that it did not list. */
const findingsOf = (
  { findings, hindrances, driver, at }: AuditReport,
  suspects: ReadonlyMap<string, Suspect>,
  graceMs: number,
): readonly Finding[] => {
  const found = findings
    .filter(({ verdict }) => verdict !== 'live')
    .map((each) => findingOf(driver, each, { suspect: suspects.get(each.item.ref), graceMs, at }))
  const listed = new Set(findings.map(({ item }) => item.ref))
  // What a list that is not complete does not show may be there all the same.
  const unseen = [...suspects.values()].filter(({ ref, deleting }) => !listed.has(ref) && deleting)
  const complete = hindrances.every(({ name }) => name !== 'inventory-incomplete')
  return complete ? [...found, ...unseen.map(suspectFinding)] : found
}

const heldBy = ({ mode, why, paused }: CleanupRules): readonly HeldBack[] => [
  ...(mode === 'apply'
    ? []
    : [{ driver: null, name: 'observing', why: why ?? 'it only observes' }]),
  ...[...paused].map(([tenant, because]) => ({
    driver: null,
    name: 'paused',
    why: `tenant ${tenant}: ${because}`,
  })),
]

const unopenedOf = ({ unopened }: FleetPorts): readonly HeldBack[] =>
  (unopened?.() ?? []).map(({ driver, problem }) => ({ driver, name: 'not-opened', why: problem }))

const heldAbsence = ({ tenant, cluster, missing, of }: HeldAbsence): HeldBack => ({
  driver: null,
  name: 'services-missing',
  why:
    `tenant ${tenant}: ${missing} of ${of} Services of cluster ${cluster} are missing at once and are not released; ` +
    `if they are gone: weir cluster approve-absence ${cluster} --tenant ${tenant}`,
})

const hindrancesOf = ({ driver, hindrances }: AuditReport): readonly HeldBack[] =>
  hindrances.map((each) => ({ driver, ...each }))

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
