import type { Ingress, OwnershipMarks, TargetHealth } from '@weir/contract'
import { ipAddress } from '@weir/contract'
import type { Capabilities, Observed } from '../driver.ts'
import { sameOwner } from '../marks.ts'
import type { Reads } from './api.ts'
import {
  describeMarks,
  labelsOf,
  marksInDescription,
  ownerQuery,
  partTags,
  sameMarks,
  type Labels,
} from './marks.ts'
import type { Balancer, FloatingIp, Monitor } from './objects.ts'
import type { OctaviaSettings } from './settings.ts'
import { hashOfSeen, type PartsSeen, type PoolSeen } from './shape.ts'

/** A load balancer of the owner asked about, whichever incarnation. */
export interface Ours {
  readonly balancer: Balancer
  readonly labels: Labels
}

/** What the driver reads into its observations, and plans on. */
export interface View {
  /** When it was read, milliseconds since the epoch. */
  readonly at: number
  /** What this Octavia can do. */
  readonly capabilities: Capabilities
  /** The project that new things go to. */
  readonly project: string
  /** Load balancers with these very marks, the one to keep first. */
  readonly same: readonly Ours[]
  /** Those of other incarnations. */
  readonly others: readonly Ours[]
  /** What the first of `same` consists of; null while it is not ACTIVE, for then nothing can be changed. */
  readonly parts: PartsSeen | null
  /** Floating IPs with these marks, the attached one first. */
  readonly floatingIps: readonly FloatingIp[]
}

interface Options {
  readonly reads: Reads
  readonly settings: OctaviaSettings
  readonly capabilities: Capabilities
  readonly name: string
  readonly now: number
}

/** Reads everything that carries these marks. @throws OperatingError when any of it cannot be read */
export const observe = async (options: Options, marks: OwnershipMarks): Promise<Observed<View>> => {
  const { reads, settings, name } = options
  const { project } = await reads.access()
  const found = await reads.balancers({ project_id: project, tags: ownerQuery(marks) })
  const ours = found.flatMap((balancer) => {
    const labels = labelsOf(balancer.tags)
    const isThere = balancer.provisioning_status !== 'DELETED'
    return labels !== null && isThere && sameOwner(labels.marks, marks)
      ? [{ balancer, labels }]
      : []
  })
  const same = ours.filter(({ labels }) => labels.marks.epoch === marks.epoch).toSorted(toKeepFirst)
  const [kept] = same
  const isActive = kept?.balancer.provisioning_status === 'ACTIVE'
  const view: View = {
    at: options.now,
    capabilities: options.capabilities,
    project,
    same,
    others: ours.filter(({ labels }) => labels.marks.epoch !== marks.epoch),
    parts: isActive ? await readParts(reads, kept, project) : null,
    floatingIps: await readFloatingIps(options, marks, kept),
  }
  if (kept === undefined && view.floatingIps.length === 0) {
    return { status: 'absent', confirmedBy: [name], view }
  }
  return {
    status: 'present',
    marks,
    generation: kept?.labels.generation ?? 0,
    hash: hashSeen(view, settings),
    ready: isReady(view, settings),
    ingress: ingressOf(view, settings),
    confirmedBy: [name],
    targets: healthOf(view.parts),
    view,
  }
}

/** What serves or may serve soon comes first, the oldest of them; then what failed, then what goes. */
const toKeepFirst = (one: Ours, other: Ours): number =>
  rankOf(one) - rankOf(other) ||
  (one.balancer.created_at ?? 0) - (other.balancer.created_at ?? 0) ||
  (one.balancer.id < other.balancer.id ? -1 : 1)

const ranks: Readonly<Record<string, number>> = {
  ACTIVE: 0,
  PENDING_UPDATE: 0,
  PENDING_CREATE: 1,
  ERROR: 2,
  PENDING_DELETE: 3,
}
const rankOf = ({ balancer }: Ours): number => ranks[balancer.provisioning_status] ?? 2

const readParts = async (reads: Reads, kept: Ours, project: string): Promise<PartsSeen> => {
  const { id } = kept.balancer
  const tags = partTags(kept.labels.marks)
  const [listeners, pools, monitors] = await Promise.all([
    reads.listeners(id),
    reads.pools(id),
    reads.monitors({ project_id: project, tags }),
  ])
  const known = new Map(monitors.map((monitor) => [monitor.id, monitor]))
  const readPool = async (pool: (typeof pools)[number]): Promise<PoolSeen> => ({
    pool,
    members: await reads.members(pool.id),
    monitor: await monitorOf(reads, pool.healthmonitor_id ?? null, known),
  })
  return { listeners, pools: await Promise.all(pools.map(readPool)) }
}

/** Monitors are listed by our tags in one call; one that lost its tags is read by its id. */
const monitorOf = async (
  reads: Reads,
  id: string | null,
  known: ReadonlyMap<string, Monitor>,
): Promise<Monitor | null> => {
  if (id === null) return null
  return known.get(id) ?? reads.monitor(id)
}

const readFloatingIps = async (
  { reads, settings }: Options,
  marks: OwnershipMarks,
  kept: Ours | undefined,
): Promise<readonly FloatingIp[]> => {
  const { network, project } = await reads.access()
  if (network === null) return []
  if (settings.floatingNetworkId === undefined && settings.networkEndpoint === undefined) return []
  const port = kept?.balancer.vip_port_id
  const lists = await Promise.all([
    reads.floatingIps({ project_id: project, description: describeMarks(marks) }),
    // Somebody may have written behind the marks: then the attached one is found by its port.
    port ? reads.floatingIps({ project_id: project, port_id: port }) : [],
  ])
  const byId = new Map(lists.flat().map((each) => [each.id, each]))
  return [...byId.values()]
    .filter(({ description }) => {
      const said = marksInDescription(description ?? '')
      return said !== null && sameMarks(said, marks)
    })
    .toSorted(
      (one, other) =>
        Number(other.port_id === port) - Number(one.port_id === port) ||
        (one.id < other.id ? -1 : 1),
    )
}

/** The hash in the tags, as long as nothing has been changed since it was put there. */
const hashSeen = ({ same: [kept], parts }: View, settings: OctaviaSettings): string => {
  if (kept === undefined) return ''
  if (!kept.balancer.admin_state_up) return 'switched off'
  if (parts === null) return kept.labels.hash
  const shape = hashOfSeen(parts, settings.idleTimeoutSeconds !== undefined)
  return shape === kept.labels.shape ? kept.labels.hash : `changed-${shape}`
}

const isReady = (view: View, settings: OctaviaSettings): boolean => {
  const [kept] = view.same
  if (view.parts === null || kept?.balancer.admin_state_up !== true) return false
  if (settings.floatingNetworkId === undefined) return true
  const [floating] = view.floatingIps
  return floating !== undefined && floating.port_id === kept.balancer.vip_port_id
}

const ingressOf = (view: View, settings: OctaviaSettings): readonly Ingress[] => {
  const [kept] = view.same
  const [floating] = view.floatingIps
  const address =
    settings.floatingNetworkId === undefined
      ? kept?.balancer.vip_address
      : floating?.floating_ip_address
  const ip = ipAddress.safeParse(address)
  return ip.success ? [{ ip: ip.data, ipMode: view.capabilities.ipMode }] : []
}

/** A node is as healthy as its worst frontend says. */
const healthOf = (parts: PartsSeen | null): readonly TargetHealth[] => {
  const nodes = new Map<string, TargetHealth>()
  for (const member of (parts?.pools ?? []).flatMap(({ members }) => members)) {
    const node = member.name || member.address
    const health = healthOfMember(node, member.operating_status)
    const known = nodes.get(node)
    if (known === undefined || order[health.state] > order[known.state]) nodes.set(node, health)
  }
  // The cloud lists members in no order of its own.
  return [...nodes.values()].toSorted((a, b) => (a.node < b.node ? -1 : 1))
}

const order = { healthy: 0, unknown: 1, unhealthy: 2 } as const

const healthOfMember = (node: string, status: string): TargetHealth => {
  const bad = status === 'ERROR' || status === 'OFFLINE'
  const good = status === 'ONLINE' || status === 'DRAINING'
  return {
    node,
    state: good ? 'healthy' : bad ? 'unhealthy' : 'unknown',
    weight: null,
    problem: bad ? `Octavia says ${status}` : null,
  }
}
