import {
  cidr,
  desiredHash,
  familyOf,
  ipAddress,
  type DesiredResource,
  type OwnershipMarks,
  type Protocol,
} from '@weir/contract'
import { nodePortOf } from '../capability.ts'
import { balancerName, partTags, tagsOf } from './marks.ts'
import { hashOfShape, type MemberShape, type MonitorShape, type PartShape } from './shape.ts'
import type { OctaviaSettings } from './settings.ts'

/** What there must be at Octavia for one resource. */
export interface Wish {
  readonly marks: OwnershipMarks
  readonly generation: number
  readonly hash: string
  readonly shape: string
  /** One per frontend: a listener with a pool of its own. */
  readonly parts: readonly PartShape[]
  /** Names of the nodes, by address. */
  readonly nodes: ReadonlyMap<string, string>
  /** The address asked for: a floating IP's where there is a network for them, else the balancer's own. */
  readonly address: string | null
  readonly settings: OctaviaSettings
}

export const wishOf = (settings: OctaviaSettings, desired: DesiredResource): Wish => {
  const members = membersOf(desired)
  const parts = desired.frontends.map((at) => ({
    protocol: at.protocol,
    port: at.port,
    cidrs: cidrsOf(settings, desired),
    idleMs: at.protocol === 'TCP' ? idleMsOf(settings) : null,
    pool: {
      protocol: poolProtocol(at.protocol, desired),
      persistence: persistenceOf(at.protocol, desired),
      members: members.map((member) => ({ ...member, port: nodePortOf(at) })),
      monitor: monitorOf(settings, desired),
    },
  }))
  return {
    marks: desired.marks,
    generation: desired.generation,
    hash: desiredHash(desired),
    shape: hashOfShape(parts),
    parts,
    nodes: new Map(desired.targets.map(({ ip, node }) => [ip, node])),
    address: desired.requestedAddress ?? null,
    settings,
  }
}

/** The largest weight that Octavia takes. */
const mostWeight = 256

/** Two nodes with one address are one member. Zero stays zero: such a node gets nothing new. */
const membersOf = ({ targets, health }: DesiredResource): readonly MemberShape[] => {
  const most = Math.max(1, ...targets.map(({ weight }) => weight))
  const scale = (weight: number): number =>
    most <= mostWeight || weight === 0
      ? weight
      : Math.max(1, Math.round((weight * mostWeight) / most))
  const members = new Map<string, MemberShape>()
  for (const { ip, weight } of targets) {
    if (members.has(ip)) continue
    members.set(ip, { address: ip, port: 0, weight: scale(weight), monitorPort: health.port })
  }
  return [...members.values()]
}

/**
 * Octavia takes only blocks of the address's own family, and no blocks at all for everybody. Where none
 * of the family is left, nobody may connect: a block that no client is in says so.
 */
const cidrsOf = ({ ipFamily }: OctaviaSettings, { sourceRanges }: DesiredResource): string[] => {
  const ofFamily = sourceRanges.filter((range) => {
    const [base] = range.split('/')
    return base !== undefined && familyOf(ipAddress.parse(base)) === ipFamily
  })
  if (sourceRanges.length === 0 || ofFamily.length > 0) return ofFamily.toSorted()
  return [cidr.parse(ipFamily === 'IPv4' ? '0.0.0.0/32' : '::/128')]
}

const idleMsOf = ({ idleTimeoutSeconds }: OctaviaSettings): number | null =>
  idleTimeoutSeconds === undefined ? null : idleTimeoutSeconds * 1000

const poolProtocol = (protocol: Protocol, { proxyProtocol }: DesiredResource): string =>
  protocol === 'TCP' && proxyProtocol === 'v2' ? 'PROXYV2' : protocol

/** For TCP Octavia takes no time-out: the balancer forgets the clients it has not seen for longest. */
const persistenceOf = (protocol: Protocol, { affinity }: DesiredResource) => {
  if (affinity.kind === 'None') return null
  return { seconds: protocol === 'TCP' ? null : affinity.timeoutSeconds }
}

/** Three misses take a node out, two hits bring it back. */
const monitorOf = (
  { healthCheckIntervalSeconds: delay }: OctaviaSettings,
  { health }: DesiredResource,
): MonitorShape => ({
  type: 'HTTP',
  delay,
  timeout: Math.max(1, Math.ceil(delay * 0.6)),
  rise: 2,
  fall: 3,
  path: health.path,
  codes: '200',
})

/** The name of a frontend's listener and pool: unique in its load balancer. */
export const partName = ({ protocol, port }: Pick<PartShape, 'protocol' | 'port'>): string =>
  `${protocol.toLowerCase()}-${port}`

/** The one call that makes a load balancer with everything in it, marks and all. */
export const createBody = (wish: Wish, project: string) => {
  const { settings, marks } = wish
  const fixed = settings.floatingNetworkId === undefined ? wish.address : null
  return {
    loadbalancer: {
      name: balancerName(marks),
      description: `Service ${marks.service} of cluster ${marks.cluster}, made by weir`,
      project_id: project,
      vip_subnet_id: settings.vipSubnetId,
      ...(fixed === null ? {} : { vip_address: fixed }),
      ...(settings.provider === undefined ? {} : { provider: settings.provider }),
      ...(settings.flavorId === undefined ? {} : { flavor_id: settings.flavorId }),
      ...(settings.availabilityZone === undefined
        ? {}
        : { availability_zone: settings.availabilityZone }),
      admin_state_up: true,
      tags: tagsOf(wish),
      listeners: wish.parts.map((part) => ({
        ...listenerBody(wish, part),
        default_pool: {
          ...poolBody(wish, part),
          members: membersBody(wish, part),
          healthmonitor: monitorBody(wish, part),
        },
      })),
    },
  }
}

export const listenerBody = ({ marks }: Wish, part: PartShape) => ({
  name: partName(part),
  protocol: part.protocol,
  protocol_port: part.port,
  admin_state_up: true,
  tags: partTags(marks),
  allowed_cidrs: part.cidrs,
  ...timeoutsBody(part),
})

export const timeoutsBody = ({ idleMs }: Pick<PartShape, 'idleMs'>) =>
  idleMs === null ? {} : { timeout_client_data: idleMs, timeout_member_data: idleMs }

export const poolBody = ({ marks }: Wish, part: PartShape) => ({
  name: partName(part),
  protocol: part.pool.protocol,
  lb_algorithm: 'ROUND_ROBIN',
  admin_state_up: true,
  tags: partTags(marks),
  ...(part.pool.persistence === null ? {} : { session_persistence: persistenceBody(part) }),
})

export const persistenceBody = ({ pool: { persistence } }: PartShape) =>
  persistence === null
    ? null
    : {
        type: 'SOURCE_IP',
        ...(persistence.seconds === null ? {} : { persistence_timeout: persistence.seconds }),
      }

export const membersBody = ({ nodes, settings }: Wish, { pool }: PartShape) =>
  pool.members.map(({ address, port, weight, monitorPort }) => ({
    name: nodes.get(address) ?? '',
    address,
    protocol_port: port,
    weight,
    monitor_port: monitorPort,
    admin_state_up: true,
    ...(settings.memberSubnetId === undefined ? {} : { subnet_id: settings.memberSubnetId }),
  }))

export const monitorBody = ({ marks }: Wish, { pool: { monitor } }: PartShape) => ({
  name: balancerName(marks),
  type: monitor.type,
  delay: monitor.delay,
  timeout: monitor.timeout,
  max_retries: monitor.rise,
  max_retries_down: monitor.fall,
  http_method: 'GET',
  url_path: monitor.path,
  expected_codes: monitor.codes,
  admin_state_up: true,
  tags: partTags(marks),
})
