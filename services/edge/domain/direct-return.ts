// Which nodes let their answers out when these have a load balancer's address as their source, from calls
// that an edge makes. Pure: the calls are made elsewhere.
//
//   a node \ call    answered            nobody answers, and its own address does     neither does
//   unknown          answering           after a few in a row: silent                 unknown
//   answering        answering           after a few in a row: silent                 as before
//   silent           answering           silent                                       as before
//
// Silence alone is no evidence: a node without a ready pod is silent too, so it is called by its own address
// and node port as well, where the same pod answers. Nor is one call: kube-proxy opens an address only once
// the Service's status shows it.
import {
  frontendText,
  returnFindingsMax,
  type DesiredResource,
  type IpAddress,
  type OwnershipMarks,
  type ResourceFrontend,
  type ReturnFinding,
} from '@weir/contract'

/** One node to be called by the address of one frontend, and by its own. */
export interface ReturnCall {
  readonly marks: OwnershipMarks
  readonly node: string
  readonly nodeIp: string
  readonly vip: IpAddress
  readonly port: ResourceFrontend['port']
  readonly nodePort: number
}

/** `unknown` where the call could not be made, or the node does not answer for its own address either. */
export type ReturnAnswer = 'answered' | 'silent' | 'unknown'

/** Calls in a row that nobody answered before a node counts as silent. */
const missesMost = 3
/** A node that answers is called again after so many times the wait of others. */
const calmFactor = 10
/** Nodes of one cluster that are told by name. */
const namesMost = 50
/** Of all that is told: it goes into messages that nearly fill the megabyte which a server takes. */
const bytesMost = 60_000

interface Known {
  readonly call: ReturnCall
  readonly state: 'unknown' | 'answering' | 'silent'
  readonly misses: number
  /** Of the first miss in a row, milliseconds since the Unix epoch. */
  readonly since: number
  readonly calledAt: number
}

/** What is known of nodes, by cluster, node and family of the address. */
export interface Returns {
  /** Of `calls`, those that are due, the longest due first. Nodes that none of them calls are forgotten. */
  due(calls: readonly ReturnCall[], now: number): readonly ReturnCall[]
  note(call: ReturnCall, answer: ReturnAnswer, now: number): void
  findings(): readonly ReturnFinding[]
}

/** @param everyMs between two calls of a node that does not answer */
export const createReturns = (everyMs: number): Returns => {
  const nodes = new Map<string, Known>()

  const dueAt = (call: ReturnCall): number => {
    const known = nodes.get(nameOf(call))
    if (known === undefined) return 0
    const isCalm = known.state === 'answering' && known.misses === 0
    return known.calledAt + everyMs * (isCalm ? calmFactor : 1)
  }
  return {
    due: (calls, now) => {
      const byNode = new Map(calls.map((call) => [nameOf(call), call]))
      for (const name of nodes.keys()) if (!byNode.has(name)) nodes.delete(name)
      return [...byNode.values()]
        .filter((call) => dueAt(call) <= now)
        .toSorted((a, b) => dueAt(a) - dueAt(b))
    },
    note: (call, answer, now) => {
      const name = nameOf(call)
      nodes.set(name, after(nodes.get(name), call, answer, now))
    },
    findings: () => {
      const known = [...nodes.values()].filter(({ state }) => state !== 'unknown')
      const byCluster = [...Map.groupBy(known, ({ call }) => call.marks.cluster).values()]
      const all = byCluster
        .flatMap(([first, ...rest]) => (first === undefined ? [] : [findingOf([first, ...rest])]))
        .toSorted((a, b) => b.silent.length - a.silent.length || (a.cluster < b.cluster ? -1 : 1))
      return fitting(all.slice(0, returnFindingsMax))
    },
  }
}

/** The first of them, as many as there is room for: tenants choose how long the names of their nodes are. */
const fitting = (findings: readonly ReturnFinding[]): readonly ReturnFinding[] => {
  let room = bytesMost
  return findings.filter((finding) => {
    room -= new TextEncoder().encode(JSON.stringify(finding)).length
    return room >= 0
  })
}

/** A resource that is served, and its nodes that take new flows. */
export interface ServedHere {
  readonly desired: DesiredResource
  readonly usable: readonly { readonly node: string; readonly ip: string }[]
}

/**
 * The calls for all that is served. Under `Cluster` the nodes are the same for every resource of a cluster, so one for
 * each family tells of them all, however many there are.
 */
export const callsOfAll = (served: Iterable<ServedHere>): readonly ReturnCall[] => {
  const told = new Set<string>()
  const calls: ReturnCall[] = []
  for (const { desired, usable } of served) {
    const { marks, policy, frontends } = desired
    const nodes = `${marks.tenant} ${marks.cluster} ${[...new Set(frontends.map(({ ip }) => isSix(ip)))].join()}`
    if (policy === 'Cluster' && told.has(nodes)) continue
    const own = callsOf(desired, usable)
    if (policy === 'Cluster' && own.length > 0) told.add(nodes)
    calls.push(...own)
  }
  return calls
}

/** The calls that tell something of the nodes of one resource which take new flows. */
export const callsOf = (
  desired: DesiredResource,
  usable: ServedHere['usable'],
): readonly ReturnCall[] => {
  // A node refuses whoever is outside the ranges, and the edge may be.
  if (desired.sourceRanges.length > 0) return []
  const { marks } = desired
  return usable.flatMap(({ node, ip: nodeIp }) => {
    const at = desired.frontends.find(
      ({ ip, protocol, nodePort }) =>
        protocol === 'TCP' && nodePort !== undefined && isSix(ip) === isSix(nodeIp),
    )
    if (at?.nodePort === undefined) return []
    return [{ marks, node, nodeIp, vip: at.ip, port: at.port, nodePort: at.nodePort }]
  })
}

const nameOf = ({ marks, node, vip }: ReturnCall): string =>
  `${marks.tenant} ${marks.cluster} ${node} ${isSix(vip) ? 'IPv6' : 'IPv4'}`

const isSix = (ip: string): boolean => ip.includes(':')

const after = (
  before: Known | undefined,
  call: ReturnCall,
  answer: ReturnAnswer,
  now: number,
): Known => {
  const { state = 'unknown', misses = 0, since = now } = before ?? {}
  switch (answer) {
    case 'answered':
      return { call, state: 'answering', misses: 0, since: now, calledAt: now }
    case 'unknown':
      return { call, state, misses, since, calledAt: now }
    case 'silent': {
      const more = misses + 1
      const first = misses === 0 ? now : since
      const next = more >= missesMost ? 'silent' : state
      return { call, state: next, misses: more, since: first, calledAt: now }
    }
  }
}

const findingOf = (nodes: readonly [Known, ...Known[]]): ReturnFinding => {
  const [{ call: first }] = nodes
  const silent = nodes.filter(({ state }) => state === 'silent')
  const names = new Set(silent.map(({ call }) => call.node))
  // One that answers in one family and not in the other is silent for whoever needs both.
  const answering = new Set(nodes.map(({ call }) => call.node).filter((node) => !names.has(node)))
  const { tenant, cluster } = first.marks
  return {
    tenant,
    cluster,
    answering: [...answering].toSorted().slice(0, namesMost),
    silent: silent.slice(0, namesMost).map(({ call, since }) => ({
      node: call.node,
      service: call.marks.service,
      frontend: frontendText({ ip: call.vip, protocol: 'TCP', port: call.port }),
      since: new Date(since).toISOString(),
    })),
  }
}
