// Why one thing is kept, condemned or gone: the verdict of now, what proves it, and the events that led
// there. The thing is named by its ref at the provider, by its key, or by its Service's UID.
import { serviceUid, type RecordedEvent, type ServiceUid, type TenantId } from '@weir/contract'
import {
  judgeByMarks,
  judgeTold,
  tellResource,
  type Driver,
  type InventoryItem,
  type LogFollower,
  type Verdict,
} from '@weir/drivers'
import type { EventLog } from '@weir/eventlog'
import { explainError, OperatingError } from '@weir/kernel'

export interface ExplainedThing {
  readonly driver: string
  readonly what: string
  readonly ref: string
  readonly tenant: string | null
  readonly service: string | null
  readonly epoch: number | null
  /** `absent` for what the log speaks of and the inventory does not list. */
  readonly verdict: Verdict | 'absent'
  readonly evidence: string
}

export interface ToldEvent {
  readonly at: string
  readonly type: string
  readonly actor: string
  readonly id: string
  readonly about: string
}

export interface Explanation {
  readonly things: readonly ExplainedThing[]
  readonly events: readonly ToldEvent[]
  /** Drivers whose inventory could not be read, and why. */
  readonly unread: readonly { readonly driver: string; readonly problem: string }[]
}

interface ExplainPorts {
  readonly log: EventLog
  readonly follower: LogFollower
  readonly drivers: ReadonlyMap<string, Driver>
  readonly installation: string
}

interface Owner {
  readonly tenant: TenantId
  readonly service: ServiceUid
}

const maxPages = 100_000
const maxThings = 50
const maxEvents = 200

/** Undefined when neither a provider nor the log knows it. */
export const explainThing = async (
  ports: ExplainPorts,
  text: string,
): Promise<Explanation | undefined> => {
  const unread: { driver: string; problem: string }[] = []
  const things: ExplainedThing[] = []
  const owners = new Map<string, Owner>()
  const own = (owner: Owner): void => void owners.set(`${owner.tenant}/${owner.service}`, owner)
  for (const driver of ports.drivers.values()) {
    const items = await matching(driver, text).catch((error: unknown) => {
      if (!(error instanceof OperatingError)) throw error
      unread.push({ driver: driver.name, problem: explainError(error) })
      return []
    })
    for (const item of items) {
      things.push(await explainItem(ports, driver.name, item))
      if (item.marks?.installation === ports.installation) own(item.marks)
    }
  }
  await ports.follower.catchUp()
  for (const driver of ports.drivers.keys()) {
    for (const suspect of ports.follower.suspects.of(driver).values()) {
      if (isNamed({ ref: suspect.ref, marks: suspect }, text)) own(suspect)
    }
  }
  if (owners.size === 0) for (const owner of await inAnyLog(ports.log, text)) own(owner)
  const stories = await Promise.all(
    [...owners.values()].map(({ tenant, service }) => ports.log.story(tenant, service)),
  )
  const events = stories.flat()
  const gone = absentOnes(events, new Set(things.map(({ ref }) => ref)))
  const all = [...things, ...gone]
  if (all.length === 0 && events.length === 0) return undefined
  return { things: all, events: events.filter(isTold).map(toldOf).slice(-maxEvents), unread }
}

const isNamed = (
  { ref, marks }: { ref: string; marks: { key: string; service: string } | null },
  text: string,
): boolean => ref === text || marks?.key === text || marks?.service === text

const matching = async (driver: Driver, text: string): Promise<readonly InventoryItem[]> => {
  const found: InventoryItem[] = []
  let cursor: string | undefined
  for (let page = 0; page < maxPages && found.length < maxThings; page += 1) {
    const { resources, next } = await driver.inventory(cursor)
    found.push(...resources.filter((item) => isNamed(item, text)))
    if (next === undefined) break
    cursor = next
  }
  return found
}

const explainItem = async (
  { log, installation }: ExplainPorts,
  driver: string,
  item: InventoryItem,
): Promise<ExplainedThing> => {
  const { kind: what, ref, marks } = item
  const { tenant = null, service = null, epoch = null } = marks ?? {}
  const thing = { driver, what, ref, tenant, service, epoch }
  const plain = judgeByMarks(item, installation)
  if (plain !== undefined || marks === null) {
    const { verdict, evidence } = plain ?? { verdict: 'unmarked', evidence: '' }
    return { ...thing, verdict, evidence }
  }
  const told = tellResource(await log.story(marks.tenant, marks.service), marks.key)
  const { verdict, evidence } = judgeTold(marks, told)
  return { ...thing, verdict, evidence }
}

const inAnyLog = async (log: EventLog, text: string): Promise<readonly Owner[]> => {
  const service = serviceUid.safeParse(text.slice(-36))
  if (!service.success) return []
  const owners: Owner[] = []
  for (const tenant of await log.tenants()) {
    const story = await log.story(tenant, service.data)
    if (story.length > 0) owners.push({ tenant, service: service.data })
  }
  return owners
}

/** Things that were condemned once and are not listed now. */
const absentOnes = (
  events: readonly RecordedEvent[],
  listed: ReadonlySet<string>,
): readonly ExplainedThing[] => {
  const last = new Map<string, ExplainedThing>()
  for (const event of events) {
    if (!isOrphanEvent(event) || listed.has(event.data.ref)) continue
    const { driver, kind: what, ref, epoch } = event.data
    const { tenantid: tenant, correlationid: service } = event
    const evidence = `${event.type} ${event.id}`
    last.set(ref, { driver, what, ref, tenant, service, epoch, verdict: 'absent', evidence })
  }
  return [...last.values()].slice(0, maxThings)
}

type OrphanEvent = Extract<
  RecordedEvent,
  { type: 'OrphanCondemned' | 'OrphanSpared' | 'OrphanRemoved' }
>

const isOrphanEvent = (event: RecordedEvent): event is OrphanEvent =>
  event.type.startsWith('Orphan')

const isTold = ({ subject }: RecordedEvent): boolean => /^(lb|resource)-/.test(subject)

const toldOf = (event: RecordedEvent): ToldEvent => ({
  at: event.recordedtime,
  type: event.type,
  actor: event.actor,
  id: event.id,
  about: aboutOf(event),
})

const aboutOf = (event: RecordedEvent): string => {
  switch (event.type) {
    case 'OrphanCondemned':
      return `${event.data.kind} ${event.data.ref}: ${event.data.evidence}`
    case 'OrphanSpared':
      return `${event.data.kind} ${event.data.ref}: ${event.data.why}`
    case 'OrphanRemoved':
      return `${event.data.kind} ${event.data.ref}: absent by two reads`
    case 'ResourceIntended':
      return `epoch ${event.data.epoch}, generation ${event.data.generation}`
    case 'ResourceDeleteIntended':
      return `epoch ${event.data.epoch}: ${event.data.reason}, by ${event.data.evidence}`
    case 'ResourceAbsent':
      return `epoch ${event.data.epoch}, confirmed by ${event.data.confirmedBy.join(', ')}`
    case 'ReleaseRequested':
      return event.data.reason
    case 'DriverChanged':
      return `from ${event.data.from} to ${event.data.to}`
    default:
      return ''
  }
}
