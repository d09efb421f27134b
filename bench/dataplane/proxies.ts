import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { desiredOf, fleet, serveOrder } from '../../services/edge/rig/orders.ts'
import type { Place } from './load.ts'

/** A program that carries connections from one place to another. */
export interface Proxy {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface Route {
  readonly from: Place
  /** The node and its node ports. */
  readonly to: Place
  /** An empty folder of its own. */
  readonly folder: string
}

const pairsOf = ({ from, to }: Route) => [
  { name: 'bulk', from: from.bulk, to: to.bulk },
  { name: 'web', from: from.web, to: to.web },
]

/** HAProxy in TCP mode, on all processors, with nothing that slows it. */
export const haproxy = (program: string, route: Route): Proxy => {
  const parts = pairsOf(route).map(
    (pair) => `
listen ${pair.name}
  mode tcp
  bind ${route.from.host}:${pair.from}
  server node ${route.to.host}:${pair.to}
`,
  )
  return haproxyWith(program, route.folder, parts.join(''))
}

/** The pod's web server, which has to be no slower than what is measured: HAProxy answers by itself. */
export const webServer = (program: string, folder: string, port: number): Proxy =>
  haproxyWith(
    program,
    folder,
    `
frontend web
  mode http
  bind :${port}
  http-request return status 200 content-type text/plain string "hello"
`,
  )

const haproxyWith = (program: string, folder: string, parts: string): Proxy => {
  const file = join(folder, 'haproxy.cfg')
  const common = `
global
  maxconn 8000
defaults
  timeout connect 5s
  timeout client 1m
  timeout server 1m
  timeout http-keep-alive 1m
`
  writeFileSync(file, common + parts)
  return { program, args: ['-db', '-f', file] }
}

/** Envoy by a file: TCP proxies, limits out of the way, a worker for each processor. */
export const envoy = (program: string, route: Route): Proxy => {
  const file = join(route.folder, 'envoy.json')
  const pairs = pairsOf(route)
  const config = {
    static_resources: {
      listeners: pairs.map((pair) => ({
        name: pair.name,
        address: socketAddress(route.from.host, pair.from),
        filter_chains: [{ filters: [tcpProxyTo(pair.name)] }],
      })),
      clusters: pairs.map((pair) => ({
        name: pair.name,
        type: 'STATIC',
        connect_timeout: '5s',
        circuit_breakers: { thresholds: [{ max_connections: 100_000 }] },
        load_assignment: {
          cluster_name: pair.name,
          endpoints: [
            { lb_endpoints: [{ endpoint: { address: socketAddress(route.to.host, pair.to) } }] },
          ],
        },
      })),
    },
  }
  writeFileSync(file, JSON.stringify(config))
  return { program, args: ['-c', file, '--log-level', 'error', '--base-id', '77'] }
}

const socketAddress = (address: string, port: number) => ({
  socket_address: { address, port_value: port },
})
const tcpProxyTo = (cluster: string) => ({
  name: 'tcp',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
    stat_prefix: cluster,
    cluster,
  },
})

/**
 * The edge agent as in production. Its order lies on its disk already and its bus is nowhere, so it
 * forwards as it does when everything else is dead.
 */
export const agent = (dataPlane: 'userspace' | 'envoy', route: Route): Proxy => {
  const desired = desiredOf({
    frontends: pairsOf(route).map((pair) => ({
      ip: route.from.host,
      protocol: 'TCP',
      port: pair.from,
      nodePort: pair.to,
    })),
    targets: [{ node: 'n1', ip: route.to.host, weight: 1 }],
  })
  const state = join(route.folder, 'state')
  mkdirSync(state)
  writeFileSync(join(state, 'orders.jsonl'), `${JSON.stringify(serveOrder(desired))}\n`)
  return {
    program: process.execPath,
    args: [
      '--disable-warning=ExperimentalWarning',
      resolve(import.meta.dirname, '../../services/edge/main.ts'),
    ],
    env: {
      NATS_URL: 'nats://127.0.0.1:4',
      WEIR_FLEET: fleet,
      WEIR_FLEET_DATA_PLANE: dataPlane,
      WEIR_EDGE_ID: dataPlane,
      WEIR_EDGE_STATE_DIR: state,
      LOG_LEVEL: 'error',
    },
  }
}
