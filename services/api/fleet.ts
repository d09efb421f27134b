// What exists outside, judged by the log, for whoever asks. Nothing is changed here; gc acts on the same
// judgement by itself.
import { edgeHeartbeat, streams, type EdgeHeartbeat, type FleetName } from '@weir/contract'
import type { Bus } from '@weir/bus'
import {
  createAuditor,
  type Auditor,
  type Driver,
  type Finding as Found,
  type StrayClaim,
  type Verdict,
} from '@weir/drivers'
import type { EventLog } from '@weir/eventlog'
import { createKeyedQueue } from '@weir/kernel'
import type { FleetReader } from './routes/fleet.ts'

/** Something that exists without a reason, and what becomes of it. */
export interface Finding {
  readonly kind: Verdict | 'held-without-reason'
  readonly ref: string
  readonly tenant: string | null
  readonly service: string | null
  readonly problem: string
}

export interface FleetPorts {
  readonly bus: Bus
  readonly log: EventLog
  readonly drivers: readonly Driver[]
  readonly fleet: FleetName
  readonly installation: string
}

const problems: Readonly<Record<Verdict, string>> = {
  live: 'it must exist',
  superseded: 'an earlier incarnation of what must exist; its successor replaces it',
  orphan: 'its reason to exist is gone; gc removes it after two scans and a grace',
  'no-intent':
    'it carries our marks but the log knows no intent: never deleted by itself, look at it',
  foreign: "it carries another installation's marks: never touched",
  unmarked: 'it carries no marks that we can read: never touched',
}

export const createFleetReader = (ports: FleetPorts): FleetReader => {
  const { bus, log, drivers, fleet, installation } = ports
  const audits = drivers.map((driver) => ({
    driver,
    auditor: createAuditor({ driver, log, installation }),
  }))
  // An auditor folds the log as it reads on, so one audit of a driver runs at a time.
  const queue = createKeyedQueue(1)

  return {
    edges: async () => {
      const found: EdgeHeartbeat[] = []
      const beats = bus.lastOfEach(streams.edge.name, `weir.edge.${fleet}.heartbeat.*`)
      for await (const message of beats) {
        // An edge of another version that says something else hides none of the others.
        const beat = edgeHeartbeat.safeParse(parseJson(message.body))
        if (beat.success) found.push(beat.data)
      }
      return found.toSorted((a, b) => (a.edge < b.edge ? -1 : 1))
    },
    report: async () => {
      const reports = await Promise.all(
        audits.map((each) => queue.run(each.driver.name, () => auditOne(each))),
      )
      // Claims belong to no driver: every audit reads all of them.
      const strays = reports[0]?.strayClaims ?? []
      return {
        examined: reports.reduce((sum, { examined }) => sum + examined, 0),
        findings: [...reports.flatMap(({ findings }) => findings), ...strays.map(strayFinding)],
      }
    },
  }
}

interface Audited {
  readonly examined: number
  readonly findings: readonly Finding[]
  readonly strayClaims: readonly StrayClaim[]
}

const auditOne = async (at: { driver: Driver; auditor: Auditor }): Promise<Audited> => {
  const { listed, findings, strayClaims } = await at.auditor.audit()
  return { examined: listed, findings: findings.map(findingOf), strayClaims }
}

const findingOf = ({ item, verdict }: Found): Finding => ({
  kind: verdict,
  ref: item.ref,
  tenant: item.marks?.tenant ?? null,
  service: item.marks?.service ?? null,
  problem: problems[verdict],
})

const strayFinding = ({ scope, key, holder }: StrayClaim): Finding => ({
  kind: 'held-without-reason',
  ref: `${scope} ${key}`,
  tenant: null,
  service: holder,
  problem: `the ${scope} is held although its holder's story is over`,
})

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
