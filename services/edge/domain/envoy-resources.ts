import type { Cidr, DesiredResource, ResourceFrontend, ResourceKey } from '@weir/contract'
import type { WeightedTarget } from './usable-targets.ts'

/** A message of Envoy's API as its proto file writes it; inside, `@type` says what an Any holds. */
export type ProtoMessage = Readonly<Record<string, unknown>>

/** One frontend as Envoy shall have it. Only what seldom changes is in the listener and the cluster. */
export interface EnvoyFrontend {
  readonly cluster: ProtoMessage
  readonly endpoints: ProtoMessage
  readonly listener: ProtoMessage
}

export interface EnvoyLimits {
  readonly connectTimeoutMs: number
  /** Nodes to try for one connection, the first included. */
  readonly connectAttempts: number
  readonly connectionsPerFrontend: number
  readonly udpSessionsPerFrontend: number
  readonly udpIdleMs: number
  /** Most bytes of one connection and direction that wait in memory. */
  readonly waitingBytes: number
  readonly keepAliveMs: number
}

export interface EnvoyFrontendWish {
  readonly desired: DesiredResource
  readonly at: ResourceFrontend
  readonly targets: readonly WeightedTarget[]
  readonly limits: EnvoyLimits
  /** False for a frontend that goes on only for the connections that it has. */
  readonly open: boolean
}

/** The name of a frontend in Envoy, in its statistics too: without the colon that would be changed there. */
export const envoyName = (key: ResourceKey, { ip, protocol, port }: ResourceFrontend): string =>
  `${key}|${protocol}|${ip.replaceAll(':', '_')}|${port}`

/** Whose frontend a name stands for. */
export const keyOfName = (name: string): string => name.slice(0, name.indexOf('|'))

/** What all frontends are counted under together. */
export const statPrefix = 'weir'

/**
 * What Envoy is told of one frontend, always alike for the same wish, since different bytes are a change.
 *
 * - Endpoints come by EDS: an inline list would rebuild the cluster whenever a node comes or goes.
 * - Source ranges are in the matcher, and a connection belongs to its filter chain, which never
 *   changes: new ranges are for new connections. The RBAC filter would decide on a client's first byte,
 *   when a node's greeting may already be on its way to it (envoy#9023).
 * - The agent alone judges health, so there is no panic: with nobody healthy, nobody is asked.
 */
export const envoyFrontend = (wish: EnvoyFrontendWish): EnvoyFrontend => {
  const name = envoyName(wish.desired.marks.key, wish.at)
  return {
    cluster: cluster(name, wish),
    endpoints: endpoints(name, wish),
    listener: wish.at.protocol === 'UDP' ? udpListener(name, wish) : tcpListener(name, wish),
  }
}

const any = (type: string, message: ProtoMessage = {}): ProtoMessage => ({
  '@type': `type.googleapis.com/${type}`,
  ...message,
})
const extension = (name: string, typed_config: ProtoMessage): ProtoMessage => ({
  name,
  typed_config,
})
const ads = { ads: {}, resource_api_version: 'V3' }
const value = <T>(of: T): { readonly value: T } => ({ value: of })
const duration = (ms: number): ProtoMessage => ({
  seconds: Math.floor(ms / 1_000),
  nanos: (ms % 1_000) * 1_000_000,
})
const socket = (at: { ip: string; port: number }, protocol: 'TCP' | 'UDP'): ProtoMessage => ({
  socket_address: { protocol, address: at.ip, port_value: at.port },
})

/** A prime; a hundred slots and more for each of some fifty nodes. */
const maglevSlots = 5_003
const unlimited = 4_294_967_295

const cluster = (name: string, { desired, at, limits }: EnvoyFrontendWish): ProtoMessage => {
  const isUdp = at.protocol === 'UDP'
  const sticky = desired.affinity.kind === 'ClientIP'
  return {
    name,
    type: 'EDS',
    eds_cluster_config: { eds_config: ads, service_name: name },
    connect_timeout: duration(limits.connectTimeoutMs),
    lb_policy: sticky ? 'MAGLEV' : 'ROUND_ROBIN',
    ...(sticky ? { maglev_lb_config: { table_size: value(maglevSlots) } } : {}),
    common_lb_config: { healthy_panic_threshold: { value: 0 } },
    circuit_breakers: {
      thresholds: [
        {
          max_connections: value(
            isUdp ? limits.udpSessionsPerFrontend : limits.connectionsPerFrontend,
          ),
          max_pending_requests: value(unlimited),
          max_requests: value(unlimited),
          max_retries: value(unlimited),
        },
      ],
    },
    per_connection_buffer_limit_bytes: value(limits.waitingBytes),
    upstream_connection_options: {
      tcp_keepalive: { keepalive_time: value(Math.ceil(limits.keepAliveMs / 1_000)) },
    },
    ...(desired.proxyProtocol === 'v2' && !isUdp ? { transport_socket: proxyProtocol } : {}),
  }
}

const proxyProtocol = extension(
  'envoy.transport_sockets.upstream_proxy_protocol',
  any('envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport', {
    config: { version: 'V2' },
    transport_socket: extension(
      'envoy.transport_sockets.raw_buffer',
      any('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer'),
    ),
  }),
)

const endpoints = (name: string, { at, targets }: EnvoyFrontendWish): ProtoMessage => ({
  cluster_name: name,
  endpoints: [
    {
      lb_endpoints: targets
        .toSorted((a, b) => (a.node < b.node ? -1 : 1))
        .map(({ ip, weight }) => ({
          health_status: 'HEALTHY',
          load_balancing_weight: value(weight),
          endpoint: { address: socket({ ip, port: at.nodePort ?? 0 }, 'TCP') },
        })),
    },
  ],
})

const chain = 'serve'

const tcpListener = (name: string, { at, desired, limits, open }: EnvoyFrontendWish) => ({
  name,
  stat_prefix: name,
  address: socket(at, 'TCP'),
  tcp_backlog_size: value(4_096),
  per_connection_buffer_limit_bytes: value(limits.waitingBytes),
  filter_chain_matcher: open
    ? bySource(
        desired.sourceRanges,
        extension('serve', any('google.protobuf.StringValue', value(chain))),
      )
    : nobody(extension('serve', any('google.protobuf.StringValue', value(chain)))),
  filter_chains: [
    {
      name: chain,
      filters: [
        extension(
          'envoy.filters.network.tcp_proxy',
          any('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
            stat_prefix: statPrefix,
            cluster: name,
            // A silent connection is the kernel's to end, by its keep-alive.
            idle_timeout: duration(0),
            max_connect_attempts: value(limits.connectAttempts),
            hash_policy: [{ source_ip: {} }],
          }),
        ),
      ],
    },
  ],
  socket_options: keepAlive(limits.keepAliveMs),
})

const udpListener = (name: string, { at, desired, limits }: EnvoyFrontendWish): ProtoMessage => ({
  name,
  stat_prefix: name,
  address: socket(at, 'UDP'),
  udp_listener_config: {},
  listener_filters: [
    extension(
      'envoy.filters.udp_listener.udp_proxy',
      any('envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig', {
        stat_prefix: statPrefix,
        matcher: bySource(
          desired.sourceRanges,
          extension(
            'serve',
            any('envoy.extensions.filters.udp.udp_proxy.v3.Route', { cluster: name }),
          ),
        ),
        idle_timeout: duration(limits.udpIdleMs),
        hash_policies: [{ source_ip: true }],
      }),
    ),
  ],
})

const sourceIp = extension(
  'envoy.matching.inputs.source_ip',
  any('envoy.extensions.matching.common_inputs.network.v3.SourceIPInput'),
)

/** `action` for clients inside the ranges, or for all where there are none. */
const bySource = (ranges: readonly Cidr[], action: ProtoMessage): ProtoMessage =>
  ranges.length === 0 ? { on_no_match: { action } } : inRanges(ranges.map(cidrRange), action)

const inRanges = (ranges: readonly ProtoMessage[], action: ProtoMessage): ProtoMessage => ({
  matcher_tree: {
    input: sourceIp,
    custom_match: extension(
      'envoy.matching.custom_matchers.ip',
      any('xds.type.matcher.v3.IPMatcher', { range_matchers: [{ ranges, on_match: { action } }] }),
    ),
  },
})

/** No client has this address (RFC 1112 §4). */
const nobody = (action: ProtoMessage): ProtoMessage =>
  inRanges([{ address_prefix: '255.255.255.255', prefix_len: value(32) }], action)

const cidrRange = (range: Cidr): ProtoMessage => {
  const [address_prefix = '', bits = ''] = range.split('/')
  return { address_prefix, prefix_len: value(Number(bits)) }
}

/** SO_KEEPALIVE, TCP_KEEPIDLE as Linux numbers them; what is accepted inherits them. */
const keepAlive = (ms: number): readonly ProtoMessage[] => [
  { level: 1, name: 9, int_value: 1, state: 'STATE_PREBIND' },
  { level: 6, name: 4, int_value: Math.ceil(ms / 1_000), state: 'STATE_PREBIND' },
]
