import {
  cidrContains,
  familyOf,
  type Cidr,
  type EndpointsObservation,
  type IpFamily,
  type NodesObservation,
  type ObservedNode,
  type Target,
  type TrafficPolicy,
} from '@weir/contract'

/** What decides where traffic goes. */
export interface TargetSources {
  /** Undefined while no node list has been seen. */
  readonly nodes: NodesObservation | undefined
  /** Undefined while no endpoints have been seen. */
  readonly endpoints: EndpointsObservation | undefined
  /** Node addresses outside these blocks are no targets: a tenant's Node may claim any address. */
  readonly nodeCidrs: readonly Cidr[]
}

/** Which nodes a driver can send traffic to. */
export interface TargetReach {
  readonly ipFamilies: readonly IpFamily[]
  /** It names nodes by their providerID with this prefix; null for addresses. */
  readonly targetsByProviderId: string | null
}

export interface TargetWish {
  readonly policy: TrafficPolicy
  /** Of the load balancer's address. */
  readonly family: IpFamily
  readonly reach: TargetReach
}

export interface TargetPlan {
  readonly targets: readonly Target[]
  readonly excluded: readonly ExcludedNode[]
}

export interface ExcludedNode {
  readonly node: string
  readonly reason:
    | NonNullable<ObservedNode['excluded']>
    | 'no-address'
    | 'address-outside-node-cidrs'
    | 'other-family'
    | 'no-provider-id'
}

/**
 * The targets of one load balancer, by node name, and the nodes left out with the reason.
 *
 * - A node is reached by its first address of the load balancer's own family, else by its first that can be
 *   reached at all: kube-proxy answers for a Service on the node's addresses of the Service's families alone,
 *   its healthCheckNodePort included.
 * - NotReady is no reason: health checks decide (KEP-3458).
 * - `Cluster` weighs every node 1; `Local` weighs a node by its ready pods, and 0 keeps old flows there.
 * - A node list that is missing or empty keeps `known`: cut off from a cluster, we go on forwarding.
 *   A list of nodes that are all excluded is a fact and empties the set.
 */
export const planTargets = (
  sources: TargetSources,
  wish: TargetWish,
  known: readonly Target[],
): TargetPlan => {
  const nodes = sources.nodes?.nodes ?? []
  if (nodes.length === 0) return { targets: known, excluded: [] }
  const places = nodes.map((node) => place(node, sources.nodeCidrs, wish))
  const weights = new Map(known.map(({ node, weight }) => [node, weight]))
  const targets = places
    .filter((at) => 'ip' in at)
    .map((at) => ({ ...at, weight: weigh(at.node, sources, wish.policy, weights) }))
    .toSorted((a, b) => (a.node < b.node ? -1 : 1))
  return { targets, excluded: places.filter((at) => 'reason' in at) }
}

const place = (
  node: ObservedNode,
  nodeCidrs: readonly Cidr[],
  { family, reach: { ipFamilies, targetsByProviderId: prefix } }: TargetWish,
): Omit<Target, 'weight'> | ExcludedNode => {
  if (node.excluded !== null) return { node: node.name, reason: node.excluded }
  if (node.addresses.length === 0) return { node: node.name, reason: 'no-address' }
  const allowed = node.addresses.filter((ip) => nodeCidrs.some((block) => cidrContains(block, ip)))
  if (allowed.length === 0) return { node: node.name, reason: 'address-outside-node-cidrs' }
  const reached = allowed.filter((address) => ipFamilies.includes(familyOf(address)))
  const ip = reached.find((address) => familyOf(address) === family) ?? reached[0]
  if (ip === undefined) return { node: node.name, reason: 'other-family' }
  // Where addresses name nodes, another id of a node must not look like another set of targets.
  if (prefix === null) return { node: node.name, ip }
  const { providerId } = node
  return providerId?.startsWith(prefix)
    ? { node: node.name, ip, providerId }
    : { node: node.name, reason: 'no-provider-id' }
}

/** Until endpoints are seen, a node keeps its weight; a new one takes part and its health decides. */
const weigh = (
  node: string,
  { endpoints }: TargetSources,
  policy: TrafficPolicy,
  known: ReadonlyMap<string, number>,
): number => {
  if (policy === 'Cluster') return 1
  if (endpoints === undefined) return known.get(node) ?? 1
  // A tenant names its nodes, also after what every object inherits.
  const ready = Object.hasOwn(endpoints.readyByNode, node) ? endpoints.readyByNode[node] : 0
  return Math.min(ready ?? 0, 65_535)
}

/** What moved between two sets: which nodes and where, or how many pods each holds. */
export const causeOfChange = (
  before: readonly Target[],
  after: readonly Target[],
): 'nodes' | 'endpoints' | 'nodes-and-endpoints' => {
  const placeOf = ({ node, ip, providerId = '' }: Target): string => `${node} ${ip} ${providerId}`
  const old = new Map(before.map((target) => [placeOf(target), target.weight]))
  const nodes = before.length !== after.length || after.some((target) => !old.has(placeOf(target)))
  const endpoints = after.some((target) => {
    const was = old.get(placeOf(target))
    return was !== undefined && was !== target.weight
  })
  if (nodes && endpoints) return 'nodes-and-endpoints'
  return nodes ? 'nodes' : 'endpoints'
}
