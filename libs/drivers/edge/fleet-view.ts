import {
  edgeHeartbeat,
  edgeOrder,
  edgeReport,
  type EdgeHeartbeat,
  type EdgeId,
  type EdgeOrder,
  type EdgeReport,
  type FleetName,
  type ResourceKey,
} from '@weir/contract'
import type { ProviderChange } from '../driver.ts'
import type { EdgeMessage } from './edge-bus.ts'
import { comparePlaces, sameOwner } from '../marks.ts'
import { orderMarks, orderPlace, type EdgeSays } from './judge.ts'

/** An edge with the time this process last heard of it, milliseconds since the epoch. */
interface Heard {
  /** With all parts of the newest revision of which all are there. */
  readonly heartbeat: EdgeHeartbeat
  readonly at: number
  /** Whether all parts of any revision were ever there; until then nobody knows what it holds. */
  readonly isWhole: boolean
}

/** How long an edge may be quiet. */
export interface Patience {
  /** Milliseconds after which an edge is silent. */
  readonly silentAfterMs: number
  /** Milliseconds after which nobody waits for it any more. */
  readonly goneAfterMs: number
}

/**
 * What this process has read of one fleet's last values: every edge, and the newest orders and reports
 * up to a bound, the least recently told forgotten first. What is forgotten is read from the bus again,
 * so the bound costs reads and never an answer.
 */
export interface FleetView {
  /** Takes one message; answers whose resources may have changed. What is malformed is `rejected`. */
  take(message: EdgeMessage, now: number): Taken
  order(key: ResourceKey): EdgeOrder | undefined
  report(edge: EdgeId, key: ResourceKey): EdgeReport | undefined
  /**
   * Every edge ever heard of, with its standing at `now`. One that has not told yet all that it holds is
   * silent at best: it lives, but what it leaves out is not absent.
   */
  edges(now: number): readonly Omit<EdgeSays, 'report'>[]
  /** Edges that are not gone and have not told yet all that they hold. */
  unread(now: number): readonly EdgeId[]
  /** Forgets orders and reports after the bus lost them; edges stay, they beat again. */
  forget(): void
}

export type Taken =
  | { readonly status: 'taken'; readonly changes: readonly ProviderChange[] }
  | { readonly status: 'rejected'; readonly problem: string }

export const createFleetView = (
  fleet: FleetName,
  patience: Patience,
  capacity: number,
): FleetView => {
  const kept: Kept = {
    orders: createRecent<EdgeOrder>(capacity),
    reports: createRecent<EdgeReport>(capacity),
    edges: new Map(),
    parts: new Map(),
  }
  const standingAfter = (quietMs: number): EdgeSays['standing'] => {
    if (quietMs < patience.silentAfterMs) return 'live'
    return quietMs < patience.goneAfterMs ? 'silent' : 'gone'
  }
  return {
    take: (message, now) => {
      const subject = message.subject.split('.')
      if (subject[2] !== fleet) return rejected('another fleet')
      const body = parseJson(message.body)
      switch (subject[3]) {
        case 'order':
          return takeOrder(kept, body)
        case 'report':
          return takeReport(kept, body, subject)
        case 'heartbeat':
          return takeHeartbeat(kept, body, { edge: subject[4], part: subject[5] ?? '0', now })
        default:
          return rejected('no such kind of message')
      }
    },
    order: (key) => kept.orders.get(key),
    report: (edge, key) => kept.reports.get(`${edge}/${key}`),
    edges: (now) =>
      [...kept.edges].map(([edge, { heartbeat, at, isWhole }]) => {
        const standing = standingAfter(now - at)
        return { edge, heartbeat, standing: standing === 'live' && !isWhole ? 'silent' : standing }
      }),
    unread: (now) =>
      [...kept.edges]
        .filter(([, { at, isWhole }]) => !isWhole && standingAfter(now - at) !== 'gone')
        .map(([edge]) => edge),
    forget: () => {
      kept.orders.clear()
      kept.reports.clear()
    },
  }
}

interface Kept {
  readonly orders: Recent<EdgeOrder>
  readonly reports: Recent<EdgeReport>
  readonly edges: Map<EdgeId, Heard>
  /** The newest of each part of each edge's inventory. */
  readonly parts: Map<EdgeId, Map<number, EdgeHeartbeat>>
}

const takeOrder = ({ orders }: Kept, body: unknown): Taken => {
  const parsed = edgeOrder.safeParse(body)
  if (!parsed.success) return rejected(parsed.error.message)
  const order = parsed.data
  const marks = orderMarks(order)
  const before = orders.get(marks.key)
  orders.set(marks.key, order)
  // An older order on top of a newer one: two workers raced, and whoever is right must tell again.
  const overtaken = before !== undefined && comparePlaces(orderPlace(order), orderPlace(before)) < 0
  return { status: 'taken', changes: overtaken ? [changeOf(marks)] : [] }
}

const takeReport = ({ reports }: Kept, body: unknown, subject: readonly string[]): Taken => {
  const parsed = edgeReport.safeParse(body)
  if (!parsed.success) return rejected(parsed.error.message)
  const report = parsed.data
  if (report.edge !== subject[4] || report.key !== subject[5]) return rejected('not its subject')
  const at = `${report.edge}/${report.key}`
  const before = reports.get(at)
  reports.set(at, report)
  return { status: 'taken', changes: saysTheSame(before, report) ? [] : [changeOf(report.marks)] }
}

const takeHeartbeat = (
  kept: Kept,
  body: unknown,
  from: { readonly edge: string | undefined; readonly part: string; readonly now: number },
): Taken => {
  const parsed = edgeHeartbeat.safeParse(body)
  if (!parsed.success) return rejected(parsed.error.message)
  const told = parsed.data
  const { edge, part } = told
  if (edge !== from.edge || `${part?.number ?? 0}` !== from.part) return rejected('not its subject')
  const { edges } = kept
  const known = edges.get(edge)
  const whole = wholeOf(kept, told)
  if (whole === undefined) {
    if (known?.isWhole !== true) {
      const at = Math.max(known?.at ?? 0, Math.min(from.now, Date.parse(told.at)))
      edges.set(edge, { heartbeat: { ...told, resources: [] }, at, isWhole: false })
    }
    return { status: 'taken', changes: [] }
  }
  const heartbeat = whole
  const before = known?.isWhole === true ? known : undefined
  // The first word on an edge may be an old last value, so its own time counts; every later one that
  // differs is fresh when it arrives, whatever the edge's clock says.
  const fresh = before !== undefined && before.heartbeat.at !== heartbeat.at
  const at = fresh ? from.now : (before?.at ?? Math.min(from.now, Date.parse(heartbeat.at)))
  edges.set(edge, { heartbeat, at, isWhole: true })
  const same = before === undefined || before.heartbeat.resources === heartbeat.resources
  return { status: 'taken', changes: same ? [] : lostOrGained(before.heartbeat, heartbeat) }
}

/** The inventory that a message completes or confirms; undefined while a part of its revision is missing. */
const wholeOf = ({ parts, edges }: Kept, told: EdgeHeartbeat): EdgeHeartbeat | undefined => {
  if (told.part === undefined) {
    parts.delete(told.edge)
    return told
  }
  const mine = parts.get(told.edge) ?? new Map<number, EdgeHeartbeat>()
  parts.set(told.edge, mine.set(told.part.number, told))
  const head = mine.get(0)
  if (head?.part === undefined) return undefined
  const { count, revision } = head.part
  const known = edges.get(told.edge)
  if (known?.isWhole === true && known.heartbeat.part?.revision === revision) {
    return { ...head, resources: known.heartbeat.resources }
  }
  const all = Array.from({ length: count }, (_, number) => mine.get(number))
  const there = all.filter((one) => one?.part?.revision === revision && one.part.count === count)
  if (there.length < count) return undefined
  return { ...head, resources: there.flatMap((one) => one?.resources ?? []) }
}

const rejected = (problem: string): Taken => ({ status: 'rejected', problem })

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // every schema rejects it and says so
  }
}

const changeOf = (marks: {
  readonly tenant: string
  readonly service: string
}): ProviderChange => ({ tenant: marks.tenant, service: marks.service })

/** Health of nodes changes all the time and moves nothing of ours; only the rest is a change. */
const saysTheSame = (before: EdgeReport | undefined, after: EdgeReport): boolean =>
  before !== undefined &&
  sameOwner(before.marks, after.marks) &&
  before.marks.epoch === after.marks.epoch &&
  before.generation === after.generation &&
  before.state === after.state &&
  before.hash === after.hash &&
  before.problem === after.problem

/** Resources that only one of two heartbeats of an edge lists. */
const lostOrGained = (before: EdgeHeartbeat, after: EdgeHeartbeat): readonly ProviderChange[] => {
  const named = ({ resources }: EdgeHeartbeat) =>
    new Map(resources.map(({ marks }) => [`${marks.key}/${marks.epoch}`, marks]))
  const [old, young] = [named(before), named(after)]
  return [
    ...[...old].filter(([name]) => !young.has(name)),
    ...[...young].filter(([name]) => !old.has(name)),
  ].map(([, marks]) => changeOf(marks))
}

interface Recent<T> {
  get(key: string): T | undefined
  set(key: string, value: T): void
  clear(): void
}

/** A map that forgets what was set longest ago once it holds more than `capacity`. */
const createRecent = <T>(capacity: number): Recent<T> => {
  const kept = new Map<string, T>()
  return {
    get: (key: string): T | undefined => kept.get(key),
    set: (key: string, value: T): void => {
      kept.delete(key)
      kept.set(key, value)
      const [oldest] = kept.keys()
      if (kept.size > capacity && oldest !== undefined) kept.delete(oldest)
    },
    clear: (): void => kept.clear(),
  }
}
