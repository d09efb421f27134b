// What a fleet has of one resource, judged from the newest order and from what its edges say. Pure.
//
// An edge is `live` while its heartbeat is fresh, `silent` when it is not, and `gone` when it was silent
// for so long that nobody waits for it. A silent edge may still forward, cut off from us, so absence
// is never concluded past it. A gone edge that comes back serves from its disk until it has read its
// orders: the tombstone ends that. When there is none any more, its heartbeat shows the resource in the
// inventory, and gc releases it with a new one.
//
// A tombstone and its answers live for a day (edgeLifetimes), and no conclusion rests on finding them:
// - a removal tells its tombstone whenever it finds none, and waits for the answers of all who count;
// - without an order, absent is what no edge that counts lists in its heartbeat, its own memory;
// - whoever waits tells a tombstone again while anybody owes an answer, so it does not end meanwhile;
// - an order that comes too late by a day, from a worker that slept through it, finds no tombstone in
//   its way; it names an incarnation that the log has ended, so gc ends it as well.
import {
  desiredHash,
  type EdgeHeartbeat,
  type EdgeId,
  type EdgeOrder,
  type EdgeReport,
  type Ingress,
  type OwnershipMarks,
  type TargetHealth,
} from '@weir/contract'
import type { Capabilities, Observed } from '../driver.ts'
import { sameOwner, type Place } from '../marks.ts'
import { flowsOf } from './flows.ts'

export interface EdgeSays {
  readonly edge: EdgeId
  readonly standing: 'live' | 'silent' | 'gone'
  readonly heartbeat: EdgeHeartbeat
  /** The edge's newest report on this resource. */
  readonly report: EdgeReport | undefined
}

export interface FleetSays {
  readonly order: EdgeOrder | undefined
  readonly edges: readonly EdgeSays[]
}

/** How many of `live` edges must serve before a resource is ready; at least one. */
export type Quorum = (live: number) => number

/** More than half of the live edges. */
export const majority: Quorum = (live) => Math.floor(live / 2) + 1

export const orderMarks = (order: EdgeOrder): OwnershipMarks =>
  order.order === 'serve' ? order.desired.marks : order.marks

export const orderPlace = (order: EdgeOrder): Place => ({
  epoch: orderMarks(order).epoch,
  generation: order.order === 'serve' ? order.desired.generation : order.generation,
})

/** Whether the edge says it holds this incarnation: by report, or by a heartbeat newer than that. */
const holds = (marks: OwnershipMarks, { report, heartbeat }: EdgeSays): boolean => {
  const mine = report !== undefined && sameOwner(report.marks, marks) ? report : undefined
  if (mine !== undefined && Date.parse(mine.at) >= Date.parse(heartbeat.at)) {
    return mine.state === 'serving' && mine.marks.epoch === marks.epoch
  }
  return heartbeat.resources.some(
    (held) => sameOwner(held.marks, marks) && held.marks.epoch === marks.epoch,
  )
}

/** The edge's report that it serves this incarnation, unless a newer heartbeat contradicts it. */
const servingReport = (marks: OwnershipMarks, says: EdgeSays): EdgeReport | undefined => {
  const { report } = says
  if (report === undefined || report.state !== 'serving') return undefined
  if (!sameOwner(report.marks, marks) || report.marks.epoch !== marks.epoch) return undefined
  return holds(marks, says) ? report : undefined
}

/** What `fleet` has under `marks`; absence only when every edge that counts says so. */
export const judge = (
  marks: OwnershipMarks,
  fleet: FleetSays,
  rules: { readonly quorum: Quorum; readonly ipMode: Capabilities['ipMode'] },
): Observed => {
  const order = ownOrder(marks, fleet)
  const counting = fleet.edges.filter(({ standing }) => standing !== 'gone')
  const ordered = order?.order === 'serve' && orderPlace(order).epoch === marks.epoch
  if (ordered || counting.some((says) => holds(marks, says))) {
    return presence(marks, order, counting, rules)
  }
  return absence(marks, order, counting)
}

/** The newest order, if it is about the same owner's resource. */
export const ownOrder = (marks: OwnershipMarks, fleet: FleetSays): EdgeOrder | undefined =>
  fleet.order !== undefined && sameOwner(orderMarks(fleet.order), marks) ? fleet.order : undefined

const presence = (
  marks: OwnershipMarks,
  order: EdgeOrder | undefined,
  counting: readonly EdgeSays[],
  rules: { readonly quorum: Quorum; readonly ipMode: Capabilities['ipMode'] },
): Observed => {
  const live = counting.filter(({ standing }) => standing === 'live')
  const reports = live
    .map((says) => servingReport(marks, says))
    .filter((report) => report !== undefined)
  const serve = order?.order === 'serve' && orderPlace(order).epoch === marks.epoch ? order : null
  // An order that the bus lost leaves edges serving what nobody orders: an empty hash equals nothing.
  const wantedHash = serve === null ? '' : desiredHash(serve.desired)
  const generation = serve?.desired.generation ?? newestGeneration(marks, counting)
  const current = reports.filter((report) => report.generation === generation)
  const asTold = current.filter((report) => report.hash === wantedHash)
  const flows = flowsOf(serve?.desired, asTold)
  return {
    status: 'present',
    marks,
    generation,
    hash: current.find((report) => report.hash !== wantedHash)?.hash ?? wantedHash,
    ready: live.length > 0 && asTold.length >= rules.quorum(live.length),
    ingress: ingressOf(serve, rules.ipMode),
    confirmedBy: asTold.map((report) => report.edge).toSorted(),
    targets: mergeHealth(reports),
    ...(flows && { flows }),
  }
}

/** The greatest generation of this incarnation that any edge told of, 0 when none did. */
export const newestGeneration = (marks: OwnershipMarks, edges: readonly EdgeSays[]): number =>
  edges
    .flatMap(({ report, heartbeat }) => [...(report ? [report] : []), ...heartbeat.resources])
    .filter((told) => sameOwner(told.marks, marks) && told.marks.epoch === marks.epoch)
    .reduce((newest, { generation }) => Math.max(newest, generation), 0)

const absence = (
  marks: OwnershipMarks,
  order: EdgeOrder | undefined,
  counting: readonly EdgeSays[],
): Observed => {
  const silent = counting.filter(({ standing }) => standing === 'silent').map(({ edge }) => edge)
  if (silent.length > 0) {
    return { status: 'unknown', problem: `no word from ${silent.join(', ')}` }
  }
  if (counting.length === 0) return { status: 'unknown', problem: 'no edge of the fleet is live' }
  // With an order out, an edge that has not answered it yet may be about to act on an earlier one.
  const owing = counting.filter(({ report }) => order !== undefined && !answers(marks, report))
  if (owing.length > 0) {
    const names = owing.map(({ edge }) => edge).join(', ')
    return { status: 'unknown', problem: `no answer yet from ${names}` }
  }
  return { status: 'absent', confirmedBy: counting.map(({ edge }) => edge).toSorted() }
}

/** Whether a report proves this incarnation's absence: it ended, or a later one took its place. */
const answers = (marks: OwnershipMarks, report: EdgeReport | undefined): boolean =>
  report !== undefined &&
  sameOwner(report.marks, marks) &&
  (report.marks.epoch > marks.epoch ||
    (report.marks.epoch === marks.epoch && report.state === 'absent'))

/**
 * Why the fleet will not reach its quorum for the order out now: so many edges refused that the rest is
 * too few. Undefined while it still can.
 */
export const refusedBy = (fleet: FleetSays, quorum: Quorum): string | undefined => {
  const { order } = fleet
  if (order?.order !== 'serve') return undefined
  const live = fleet.edges.filter(({ standing }) => standing === 'live')
  const refused = live.flatMap(({ report }) =>
    report?.state === 'refused' &&
    sameOwner(report.marks, order.desired.marks) &&
    report.marks.epoch === order.desired.marks.epoch &&
    report.generation === order.desired.generation
      ? [`${report.edge}: ${report.problem ?? 'no reason given'}`]
      : [],
  )
  if (refused.length === 0 || live.length - refused.length >= quorum(live.length)) return undefined
  return refused.join('; ')
}

/** Whether a live edge has not answered the order out now, so that telling it again may help. */
export const someoneOwes = (fleet: FleetSays): boolean => {
  const { order } = fleet
  if (order === undefined) return true
  const place = orderPlace(order)
  return fleet.edges.some(
    ({ standing, report }) =>
      standing === 'live' &&
      (report === undefined ||
        report.marks.epoch !== place.epoch ||
        report.generation < place.generation ||
        (order.order === 'remove' && report.state !== 'absent')),
  )
}

const ingressOf = (
  serve: Extract<EdgeOrder, { order: 'serve' }> | null,
  ipMode: Capabilities['ipMode'],
): readonly Ingress[] => {
  const addresses = new Set(serve?.desired.frontends.map(({ ip }) => ip) ?? [])
  return [...addresses].map((ip) => ({ ip, ipMode }))
}

/** A node is healthy when any edge reaches it: traffic gets there. */
const mergeHealth = (reports: readonly EdgeReport[]): readonly TargetHealth[] => {
  const rank = { healthy: 2, unhealthy: 1, unknown: 0 } as const
  const best = new Map<string, TargetHealth>()
  for (const health of reports.flatMap(({ targets }) => targets)) {
    const known = best.get(health.node)
    if (known === undefined || rank[health.state] > rank[known.state]) best.set(health.node, health)
  }
  return [...best.values()].toSorted((a, b) => (a.node < b.node ? -1 : 1))
}
