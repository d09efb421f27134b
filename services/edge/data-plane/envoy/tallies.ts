import type { ResourceKey } from '@weir/contract'
import { keyOfName, statPrefix } from '../../domain/envoy-resources.ts'
import type { PlaneCounters } from '../data-plane.ts'
import type { EnvoyAdmin } from './envoy-admin.ts'

/** What Envoy counted, read at one moment. */
export interface Tallies {
  readonly counters: PlaneCounters
  /** Open connections by the frontend's name. */
  readonly open: ReadonlyMap<string, number>
}

const wanted = '^(listener|tcp|udp|cluster)\\..*(cx|sess|match|datagrams|bytes|healthy)'

export const readTallies = async (admin: EnvoyAdmin): Promise<Tallies> => {
  const stats = await admin.stats(wanted)
  const sums = new Map<string, number>()
  const open = new Map<string, number>()
  for (const [stat, count] of stats) {
    const { group, name, what } = partsOf(stat)
    // The agent is a cluster too.
    if (name !== statPrefix && !name.includes('|')) continue
    sums.set(`${group}.${what}`, (sums.get(`${group}.${what}`) ?? 0) + count)
    if (group === 'listener' && what === 'downstream_cx_active') open.set(name, count)
  }
  const of = (...names: readonly string[]): number =>
    names.reduce((sum, name) => sum + (sums.get(name) ?? 0), 0)
  return {
    open,
    counters: {
      connectionsOpen: of('listener.downstream_cx_active'),
      connections: of('tcp.downstream_cx_total'),
      udpSessionsOpen: of('udp.downstream_sess_active'),
      udpSessions: of('udp.downstream_sess_total'),
      deniedBySource: of('listener.no_filter_chain_match', 'udp.downstream_sess_no_route'),
      deniedByLimit: of('cluster.upstream_cx_overflow'),
      connectFailures: of('cluster.upstream_cx_connect_fail'),
      unserved: of('cluster.upstream_cx_none_healthy'),
      bytesToNodes: of('tcp.downstream_cx_rx_bytes_total', 'udp.downstream_sess_rx_bytes'),
      bytesToClients: of('tcp.downstream_cx_tx_bytes_total', 'udp.downstream_sess_tx_bytes'),
    },
  }
}

/** `GROUP.NAME.WHAT`; an address in the name has dots of its own. */
const partsOf = (stat: string): { group: string; name: string; what: string } => {
  const first = stat.indexOf('.')
  const last = stat.lastIndexOf('.')
  return {
    group: stat.slice(0, first),
    name: stat.slice(first + 1, last),
    what: stat.slice(last + 1),
  }
}

/** Connections by resource. */
export const flowsByKey = (
  keys: Iterable<ResourceKey>,
  open: ReadonlyMap<string, number>,
): ReadonlyMap<ResourceKey, number> => {
  const flows = new Map<string, number>()
  for (const [name, count] of open) {
    flows.set(keyOfName(name), (flows.get(keyOfName(name)) ?? 0) + count)
  }
  return new Map([...keys].map((key) => [key, flows.get(key) ?? 0]))
}
