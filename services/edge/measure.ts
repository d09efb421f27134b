import type { Clock } from '@weir/kernel'
import type { Metrics } from '@weir/runtime'
import type { DataPlane, PlaneCounters } from './data-plane/data-plane.ts'

const helps: Readonly<Record<keyof PlaneCounters, readonly [name: string, help: string]>> = {
  connectionsOpen: ['weir_edge_connections_open', 'TCP connections of clients that are open'],
  connections: ['weir_edge_connections_total', 'TCP connections of clients that were accepted'],
  udpSessionsOpen: ['weir_edge_udp_sessions_open', 'UDP sessions that are remembered'],
  udpSessions: ['weir_edge_udp_sessions_total', 'UDP sessions that began'],
  deniedBySource: ['weir_edge_denied_by_source_total', 'Connections, datagrams outside the ranges'],
  deniedByLimit: ['weir_edge_denied_by_limit_total', 'Connections, sessions beyond a limit'],
  connectFailures: ['weir_edge_connect_failures_total', 'Attempts to reach a node that failed'],
  unserved: ['weir_edge_unserved_total', 'Connections and sessions that no node took'],
  bytesToNodes: ['weir_edge_bytes_to_nodes_total', 'Bytes sent to nodes by flows that ended'],
  bytesToClients: ['weir_edge_bytes_to_clients_total', 'Bytes sent to clients by flows that ended'],
}

const names: readonly (keyof PlaneCounters)[] = [
  'connectionsOpen',
  'connections',
  'udpSessionsOpen',
  'udpSessions',
  'deniedBySource',
  'deniedByLimit',
  'connectFailures',
  'unserved',
  'bytesToNodes',
  'bytesToClients',
]

/** Copies what the data plane counts to /metrics each second: counting stays free of charge per flow. */
export const measurePlane = (plane: DataPlane, metrics: Metrics, clock: Clock): Measured => {
  const stop = new AbortController()
  const instruments = names.map((name) => {
    const [metric, help] = helps[name]
    return { name, publish: instrument(metrics, metric, help) }
  })
  const copy = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const counters = plane.counters()
      for (const { name, publish } of instruments) publish(counters[name])
      await clock.sleep(1_000, stop.signal)
    }
  }
  void copy()
  return { stop: () => stop.abort() }
}

export interface Measured {
  stop(): void
}

const instrument = (metrics: Metrics, name: string, help: string): ((total: number) => void) => {
  if (!name.endsWith('_total')) {
    const gauge = metrics.gauge({ name, help })
    return (value) => gauge.set(value, {})
  }
  const counter = metrics.counter({ name, help })
  let before = 0
  return (total) => {
    counter.add(total - before, {})
    before = total
  }
}
