import type { EdgeId } from '@weir/contract'
import type { ProtoMessage } from '../../domain/envoy-resources.ts'

const agent = 'agent'

/** All that is counted: the rest would be most of what a frontend costs in memory. */
const counted = [
  { prefix: 'server.' },
  { prefix: 'listener_manager.' },
  { prefix: 'cluster_manager.' },
  { prefix: 'tcp.weir.' },
  { prefix: 'udp.weir.' },
  { safe_regex: { regex: 'listener\\..*\\.(downstream_cx_active|no_filter_chain_match)' } },
  { safe_regex: { regex: 'cluster\\..*\\.upstream_cx_(overflow|connect_fail|none_healthy)' } },
]

/** What an Envoy is told at its start: to ask the agent of this machine, by ADS, for everything else. */
export const envoyBootstrap = (edge: EdgeId, adsPath: string): ProtoMessage => ({
  node: { id: edge, cluster: 'weir' },
  dynamic_resources: {
    ads_config: {
      api_type: 'DELTA_GRPC',
      transport_api_version: 'V3',
      set_node_on_first_message_only: true,
      grpc_services: [
        {
          envoy_grpc: {
            cluster_name: agent,
            // A new agent finds its Envoy within a second.
            retry_policy: {
              retry_back_off: { base_interval: '0.1s', max_interval: '1s' },
            },
          },
        },
      ],
    },
    // Nothing is served from a configuration that did not come.
    cds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' },
    lds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' },
  },
  static_resources: {
    clusters: [
      {
        name: agent,
        type: 'STATIC',
        connect_timeout: '1s',
        typed_extension_protocol_options: {
          'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
            '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
            explicit_http_config: { http2_protocol_options: {} },
          },
        },
        load_assignment: {
          cluster_name: agent,
          endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: adsPath } } } }] }],
        },
      },
    ],
  },
  stats_config: { stats_matcher: { inclusion_list: { patterns: counted } } },
})
