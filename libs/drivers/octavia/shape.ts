import { hashOf } from '@weir/contract'
import type { Listener, Member, Monitor, Pool } from './objects.ts'

// What Octavia does for one frontend, in the same words whether it is wished for or was read back. Equal
// wishes have equal shapes, so a difference is a change to make, or somebody else's doing.

export interface MemberShape {
  readonly address: string
  readonly port: number
  readonly weight: number
  readonly monitorPort: number
}

export interface MonitorShape {
  readonly type: string
  readonly delay: number
  readonly timeout: number
  readonly rise: number
  readonly fall: number
  readonly path: string
  readonly codes: string
}

export interface PoolShape {
  readonly protocol: string
  /** Null without affinity; without seconds where the protocol takes none. */
  readonly persistence: { readonly seconds: number | null } | null
  readonly members: readonly MemberShape[]
  readonly monitor: MonitorShape | null
}

export interface PartShape {
  readonly protocol: string
  readonly port: number
  /** Sorted; empty for everybody. */
  readonly cidrs: readonly string[]
  /** Null where the cloud's default is good enough. */
  readonly idleMs: number | null
  readonly pool: PoolShape & { readonly monitor: MonitorShape }
}

/** A pool with everything that belongs to it, as read. */
export interface PoolSeen {
  readonly pool: Pool
  readonly members: readonly Member[]
  readonly monitor: Monitor | null
}

/** A load balancer's listeners and pools, as read. */
export interface PartsSeen {
  readonly listeners: readonly Listener[]
  readonly pools: readonly PoolSeen[]
}

const byAddress = (one: MemberShape, other: MemberShape): number =>
  one.address === other.address ? one.port - other.port : one.address < other.address ? -1 : 1

/** Members in one order, so that lists compare by value. */
export const sortedMembers = (members: readonly MemberShape[]): readonly MemberShape[] =>
  members.toSorted(byAddress)

/** The shape of a pool; what is switched off by hand (`admin_state_up`) has none of our shapes. */
export const shapeOfPool = ({ pool, members, monitor }: PoolSeen): PoolShape => ({
  protocol: pool.admin_state_up && pool.lb_algorithm === 'ROUND_ROBIN' ? pool.protocol : 'other',
  persistence: persistenceSeen(pool),
  members: sortedMembers(members.map(shapeOfMember)),
  monitor: monitor === null ? null : shapeOfMonitor(monitor),
})

const persistenceSeen = ({ session_persistence: seen }: Pool): PoolShape['persistence'] => {
  if (seen === null || seen === undefined) return null
  return { seconds: seen.type === 'SOURCE_IP' ? (seen.persistence_timeout ?? null) : -1 }
}

const shapeOfMember = (member: Member): MemberShape => ({
  address: member.address,
  port: member.protocol_port,
  weight: member.admin_state_up ? member.weight : -1,
  monitorPort: member.monitor_port ?? member.protocol_port,
})

const shapeOfMonitor = (monitor: Monitor): MonitorShape => ({
  type: monitor.admin_state_up && monitor.http_method === 'GET' ? monitor.type : 'other',
  delay: monitor.delay,
  timeout: monitor.timeout,
  rise: monitor.max_retries,
  fall: monitor.max_retries_down,
  path: monitor.url_path ?? '',
  codes: monitor.expected_codes ?? '',
})

/** A listener's own part of a shape. `idleMs` is looked at only where we set it ourselves. */
export const shapeOfListener = (listener: Listener, setsIdle: boolean) => ({
  protocol: listener.admin_state_up ? listener.protocol : 'other',
  port: listener.protocol_port,
  cidrs: listener.allowed_cidrs,
  idleMs: setsIdle ? idleSeen(listener) : null,
})

const idleSeen = (listener: Listener): number | null => {
  if (listener.protocol !== 'TCP') return null
  const { timeout_client_data: client, timeout_member_data: member } = listener
  return client === member ? (client ?? null) : -1
}

/** The shape of everything that was read, as a hash; spare pools count, for they have to go. */
export const hashOfSeen = (seen: PartsSeen, setsIdle: boolean): string => {
  const pools = new Map(seen.pools.map((each) => [each.pool.id, each]))
  const parts = seen.listeners.map((listener) => {
    const pool = pools.get(listener.default_pool_id ?? '')
    if (pool !== undefined) pools.delete(pool.pool.id)
    return {
      ...shapeOfListener(listener, setsIdle),
      pool: pool === undefined ? null : shapeOfPool(pool),
    }
  })
  return hashOfShape(parts, pools.size)
}

type AnyPart = Omit<PartShape, 'pool'> & { readonly pool: PoolShape | null }

/** The hash of parts in any order, with the number of pools that no listener uses. */
export const hashOfShape = (parts: readonly AnyPart[], spare = 0): string => {
  const sorted = parts
    .map((part) => ({
      ...part,
      pool: part.pool && { ...part.pool, members: sortedMembers(part.pool.members) },
    }))
    .toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
  return hashOf({ parts: sorted, spare })
}

const keyOf = ({ protocol, port }: Pick<PartShape, 'protocol' | 'port'>): string =>
  `${protocol} ${port}`
