// What exists outside, judged by the log, for whoever asks. Nothing is changed here; gc acts on the same
// judgement by itself.
import {
  driverName,
  edgeHeartbeat,
  resourceKeyOf,
  streams,
  type EdgeHeartbeat,
  type FleetName,
  type InstallationId,
  type RecordedEvent,
} from '@weir/contract'
import type { Bus } from '@weir/bus'
import {
  classify,
  type Driver,
  type InventoryItem,
  type ResourceFacts,
  type Verdict,
} from '@weir/drivers'
import type { EventLog } from '@weir/eventlog'
import type { FleetReader } from './routes/fleet.ts'

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
  readonly installation: InstallationId
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

export const createFleetReader = (ports: FleetPorts): FleetReader => ({
  edges: async () => {
    const filter = `weir.edge.${ports.fleet}.heartbeat.*`
    const found: EdgeHeartbeat[] = []
    for await (const message of ports.bus.lastOfEach(streams.edge.name, filter)) {
      found.push(edgeHeartbeat.parse(JSON.parse(message.body)))
    }
    return found.toSorted((a, b) => (a.edge < b.edge ? -1 : 1))
  },
  report: async () => {
    const findings: Finding[] = []
    let examined = 0
    for (const driver of ports.drivers) {
      // The inventory first and the log after it, so that an intent made meanwhile is seen.
      const items = await readInventory(driver)
      examined += items.length
      for (const item of items) {
        const verdict = classify(item, ports.installation, await factsOf(ports.log, driver, item))
        if (verdict !== 'live') findings.push(findingOf(item, verdict))
      }
    }
    findings.push(...(await heldWithoutReason(ports.log)))
    return { examined, findings }
  },
})

const readInventory = async (driver: Driver): Promise<InventoryItem[]> => {
  const items: InventoryItem[] = []
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const page = await driver.inventory(cursor)
    items.push(...page.resources)
    cursor = page.next
  }
  return items
}

const findingOf = (item: InventoryItem, verdict: Verdict): Finding => ({
  kind: verdict,
  ref: item.ref,
  tenant: item.marks?.tenant ?? null,
  service: item.marks?.service ?? null,
  problem: problems[verdict],
})

/** What the log says of one resource; undefined when it has no story. */
const factsOf = async (
  log: EventLog,
  driver: Driver,
  item: InventoryItem,
): Promise<ResourceFacts | undefined> => {
  if (item.marks === null) return undefined
  const { tenant, service } = item.marks
  const story = await log.story(tenant, service)
  const key = resourceKeyOf(driverName.parse(driver.name), service)
  const mine = story.filter((event) => event.subject === `resource-${key}`)
  if (mine.length === 0) return undefined
  return mine.reduce(evolveFacts, { intendedEpoch: 0, liveEpoch: null })
}

const evolveFacts = (facts: ResourceFacts, event: RecordedEvent): ResourceFacts => {
  if (event.type === 'ResourceIntended') {
    const { epoch } = event.data
    return { intendedEpoch: Math.max(epoch, facts.intendedEpoch), liveEpoch: epoch }
  }
  // A delete that is under way is not a leak yet, so it stays live until it is confirmed absent.
  return event.type === 'ResourceAbsent' ? { ...facts, liveEpoch: null } : facts
}

/** Addresses that are held by a Service whose story says that it holds nothing. */
const heldWithoutReason = async (log: EventLog): Promise<Finding[]> => {
  const held = (await log.claims('address', '')).filter((claim) => claim.holder !== null)
  const findings: Finding[] = []
  for (const claim of held) {
    const story = await log.story(claim.tenant, claim.holder ?? '')
    const last = story.findLast((event) =>
      ['FrontendsAllocated', 'FrontendsReleased'].includes(event.type),
    )
    if (last?.type === 'FrontendsAllocated') continue
    findings.push({
      kind: 'held-without-reason',
      ref: claim.key,
      tenant: claim.tenant,
      service: claim.holder,
      problem: 'an address is held although its story has let it go',
    })
  }
  return findings
}
