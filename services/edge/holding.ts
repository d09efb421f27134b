import {
  desiredHash,
  type EdgeId,
  type EdgeOrder,
  type EdgeReport,
  type FleetName,
  type Target,
  type TargetHealth,
} from '@weir/contract'
import type { Claim } from './announce/announcer.ts'
import type { ServeOutcome } from './data-plane/data-plane.ts'
import { generationOf, marksOf } from './domain/decide.ts'
import type { OtherWord } from './domain/emptying.ts'
import type { NodeHealth } from './domain/health.ts'
import type { WeightedTarget } from './domain/usable-targets.ts'
import type { Probe } from './health/ask-node.ts'

export type Disk =
  | { readonly status: 'saved' }
  | { readonly status: 'pending' }
  | { readonly status: 'failed'; readonly problem: string }

type Outcome = ServeOutcome | { readonly status: 'absent' }

/** The order obeyed for one resource, and what came of it. */
export interface Holding {
  readonly order: EdgeOrder
  /**
   * When it was taken up by this process, in milliseconds since the Unix epoch; when the first was of those
   * that wait for their node ports.
   */
  since: number
  /** `desiredHash` of what is served, empty after a tombstone. */
  readonly hash: string
  /** Undefined until the data plane has answered. */
  outcome: Outcome | undefined
  /** Whether a restart would know of this order. */
  disk: Disk
  /** The nodes that take new flows. */
  targets: readonly WeightedTarget[]
  /** Since when, in milliseconds since the Unix epoch. */
  flowsSince: number
  /** Whether they are none by health, as the other edges were asked about. */
  emptied: boolean
  /** Whether the others are being asked. */
  doubted: boolean
  /** Refusals in a row. */
  attempts: number
  /** Whether its node ports answer, or were waited for long enough. */
  reached: boolean
  /** What is in force of it, as far as its addresses are announced by that. */
  claim: Claim
  /** Whether its addresses were announced, where that was due. */
  told: boolean
  /** Why they are not announced, once that takes long. */
  untold: string | undefined
}

export const createHolding = (order: EdgeOrder, disk: Disk, since: number): Holding => ({
  order,
  since,
  hash: order.order === 'serve' ? desiredHash(order.desired) : '',
  outcome: undefined,
  disk,
  targets: [],
  flowsSince: since,
  emptied: false,
  doubted: false,
  attempts: 0,
  reached: false,
  claim: { open: new Set(), usable: false },
  told: false,
  untold: undefined,
})

const addressesOf = (order: EdgeOrder): ReadonlySet<string> =>
  new Set(order.order === 'serve' ? order.desired.frontends.map(({ ip }) => ip) : [])

/** Of nodes that took flows, those that another order lets take some. */
const stillOrdered = (
  serving: readonly WeightedTarget[],
  order: EdgeOrder,
): readonly WeightedTarget[] => {
  const ordered = order.order === 'serve' ? order.desired.targets : []
  const mayServe = new Set(ordered.filter(({ weight }) => weight > 0).map(placeOf))
  return serving.filter((target) => mayServe.has(placeOf(target)))
}

const placeOf = ({ node, ip }: { readonly node: string; readonly ip: string }): string =>
  `${node} ${ip}`

/** What goes on under a new order until it is in force: addresses that left it are not served any more. */
export const continued = (holding: Holding, before: Holding): void => {
  holding.targets = stillOrdered(before.targets, holding.order)
  if (holding.targets.length === before.targets.length) holding.flowsSince = before.flowsSince
  const addresses = addressesOf(holding.order)
  const earlier = addressesOf(before.order)
  const open = new Set([...before.claim.open].filter((ip) => addresses.has(ip)))
  holding.claim = { open, usable: before.claim.usable && open.size > 0 }
  holding.told = before.told && [...addresses].every((ip) => earlier.has(ip))
}

/** What an answer of the data plane means for the addresses. */
export const claimAfter = ({ order, claim, targets }: Holding, outcome: ServeOutcome): Claim => {
  if (outcome.status === 'serving') return { open: addressesOf(order), usable: targets.length > 0 }
  if (outcome.served === undefined) return claim
  return { open: new Set(outcome.served.addresses), usable: outcome.served.nodes > 0 }
}

/** Whether two orders of one version say the same. */
export const sameContent = (a: EdgeOrder, b: EdgeOrder): boolean =>
  a.order === 'serve' && b.order === 'serve'
    ? desiredHash(a.desired) === desiredHash(b.desired)
    : a.order === b.order

/** What to ask of each node of a resource. */
export const probesOf = (order: EdgeOrder): readonly Probe[] =>
  order.order === 'serve' ? order.desired.targets.map((target) => probeOf(order, target)) : []

/** What to ask of one node. */
export const probeOf = (order: Extract<EdgeOrder, { order: 'serve' }>, target: Target): Probe => ({
  ip: target.ip,
  ...order.desired.health,
})

/** The nodes of a resource that the probes of this edge find healthy; undefined when it is not served here. */
export const healthyNodes = (
  { order }: Holding,
  epoch: number,
  healthOf: (probe: Probe) => NodeHealth,
): OtherWord['healthy'] | undefined => {
  if (order.order === 'remove' || marksOf(order).epoch !== epoch) return undefined
  return order.desired.targets.flatMap((target) => {
    const { state, weight } = healthOf(probeOf(order, target))
    return state === 'healthy' ? [{ node: target.node, weight }] : []
  })
}

export interface ReportContext {
  readonly fleet: FleetName
  readonly edge: EdgeId
  readonly healthOf: (probe: Probe) => NodeHealth
  /** Milliseconds since the Unix epoch. */
  readonly now: number
}

/** Why it is not served as it should be; null when it is. */
const refusalOf = ({ order, told, untold }: Holding, outcome: Outcome): string | null => {
  if (outcome.status === 'refused') return outcome.problem
  if (outcome.status === 'absent' || told || untold === undefined) return null
  return `${[...addressesOf(order)].join(', ')} can't be announced: ${untold}`
}

/**
 * The report of one resource; undefined while there is nothing to say. `serving` and `absent` promise
 * that a restart of this edge ends in the same state, so an order that is not on disk is `refused`.
 * `serving` is not said before the node ports had their time to open, and the addresses were announced.
 */
export const reportOf = (holding: Holding, context: ReportContext): EdgeReport | undefined => {
  const { order, outcome, disk } = holding
  if (!outcome || disk.status === 'pending') return undefined
  const problem = disk.status === 'failed' ? disk.problem : refusalOf(holding, outcome)
  const state = problem === null ? outcome.status : 'refused'
  if (state === 'serving' && !(holding.reached && holding.told)) return undefined
  const { fleet, edge, healthOf } = context
  const targets = order.order === 'serve' ? order.desired.targets : []
  const flows = new Map(holding.targets.map(({ node, weight }) => [node, weight]))
  return {
    fleet,
    edge,
    key: marksOf(order).key,
    marks: marksOf(order),
    generation: generationOf(order),
    state,
    problem: problem && problem.slice(0, 500),
    hash: holding.hash,
    targets: targets.map((target): TargetHealth => {
      const health = order.order === 'serve' ? healthOf(probeOf(order, target)) : undefined
      return {
        node: target.node,
        state: health?.state ?? 'unknown',
        weight: health?.weight ?? null,
        problem: health?.problem ?? null,
        flows: flows.get(target.node) ?? 0,
      }
    }),
    flowsSince: new Date(holding.flowsSince).toISOString(),
    at: new Date(context.now).toISOString(),
  }
}
