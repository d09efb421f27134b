import {
  loadSync,
  type AnyDefinition,
  type MessageTypeDefinition,
  type ServiceDefinition,
} from '@grpc/proto-loader'
import { assert } from '@weir/kernel'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { XdsType } from '../../domain/delta-xds.ts'
import type { ProtoMessage } from '../../domain/envoy-resources.ts'

export interface EnvoyApi {
  /** The stream by which Envoy asks for everything (ADS). */
  readonly discovery: ServiceDefinition
  /** The bytes of a cluster, of its endpoints or of a listener: the same for the same content. */
  encode(type: XdsType, message: ProtoMessage): Buffer
}

const messages: Readonly<Record<XdsType, string>> = {
  cluster: 'envoy.config.cluster.v3.Cluster',
  endpoints: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'envoy.config.listener.v3.Listener',
}
const urlOf = (type: XdsType): string => `type.googleapis.com/${messages[type]}`
export const typeUrls: Readonly<Record<XdsType, string>> = {
  cluster: urlOf('cluster'),
  endpoints: urlOf('endpoints'),
  listener: urlOf('listener'),
}

/** What is asked for, and what the messages hold in an Any. */
const files = [
  'envoy/service/discovery/v3/ads.proto',
  'envoy/config/cluster/v3/cluster.proto',
  'envoy/config/endpoint/v3/endpoint.proto',
  'envoy/config/listener/v3/listener.proto',
  'envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto',
  'envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy.proto',
  'envoy/extensions/filters/udp/udp_proxy/v3/route.proto',
  'envoy/extensions/matching/common_inputs/network/v3/network_inputs.proto',
  'envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.proto',
  'envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto',
  'xds/type/matcher/v3/ip.proto',
]
/** Where the package keeps them; nothing else of it is used. */
const folders = ['envoy-api', 'googleapis', 'protoc-gen-validate', 'xds']

/** Reads Envoy's API from its proto files, which takes a fraction of a second. */
export const loadEnvoyApi = (): EnvoyApi => {
  const require = createRequire(import.meta.url)
  const home = dirname(require.resolve('@grpc/grpc-js-xds/package.json'))
  const loaded = loadSync(files, {
    keepCase: true,
    longs: String,
    enums: String,
    includeDirs: folders.map((folder) => join(home, 'deps', folder)),
  })
  const messageOf = (name: string): MessageTypeDefinition<object, object> => {
    const found = loaded[name]
    assert(found !== undefined && isMessage(found), `${name} is a message of Envoy's API`)
    return found
  }
  const types = {
    cluster: messageOf(messages.cluster),
    endpoints: messageOf(messages.endpoints),
    listener: messageOf(messages.listener),
  }
  const discovery = loaded['envoy.service.discovery.v3.AggregatedDiscoveryService']
  assert(discovery !== undefined && isService(discovery), 'ADS is a service of Envoy’s API')
  return { discovery, encode: (type, message) => types[type].serialize(message) }
}

const isMessage = (of: AnyDefinition): of is MessageTypeDefinition<object, object> =>
  'format' in of && 'serialize' in of
const isService = (of: AnyDefinition): of is ServiceDefinition => !('format' in of)
