import { keyOf, type EndpointSlice, type Service, type SliceEndpoint } from './objects.ts'

export interface Endpoint {
  /** The pod's nominal address. */
  readonly address: string
  /** The port in the pod. */
  readonly port: number
}

/** What one node does with one of its NodePorts, or with a port of a load balancer's address. */
export interface NodePortRule {
  /** `namespace/name` of the Service. */
  readonly service: string
  readonly protocol: 'TCP' | 'UDP'
  /** A load balancer's; the node's own when it is undefined. */
  readonly address: string | undefined
  readonly port: number
  /** Whether the pod sees the client's own address (policy Local) or the node's (Cluster). */
  readonly keepsClient: boolean
  /** How long a client stays with its endpoint; undefined without session affinity. */
  readonly affinityMs: number | undefined
  /** Where new connections go; never empty. */
  readonly endpoints: readonly Endpoint[]
}

/** What one node does for one Service, as kube-proxy would. */
export interface NodeRules {
  readonly ports: readonly NodePortRule[]
  readonly health:
    | { readonly port: number; readonly service: string; readonly localEndpoints: number }
    | undefined
}

const balancedAddresses = ({ status }: Service): readonly string[] =>
  (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) =>
    ip === undefined || ip.includes(':') || ipMode === 'Proxy' ? [] : [ip],
  )

const nothing: NodeRules = { ports: [], health: undefined }

// An unset condition means the best: a slice without conditions is ready, serving follows ready.
const isReady = (endpoint: SliceEndpoint): boolean => endpoint.conditions?.ready ?? true
const isLastResort = (endpoint: SliceEndpoint): boolean =>
  (endpoint.conditions?.serving ?? isReady(endpoint)) && endpoint.conditions?.terminating === true

/** Ready endpoints, or the terminating ones that still serve when none is ready (KEP-1669). */
const usable = <T extends SliceEndpoint>(endpoints: readonly T[]): readonly T[] => {
  const ready = endpoints.filter(isReady)
  return ready.length > 0 ? ready : endpoints.filter(isLastResort)
}

/**
 * The rules of `node` for a Service, from its EndpointSlices. A port without usable endpoints has no
 * rule, so that nothing listens there and the kernel refuses the client, as kube-proxy's REJECT does.
 * The health port counts ready local endpoints only: terminating ones serve but fail it. With `takesBalanced`
 * the node also takes what arrives for the addresses of load balancers, as kube-proxy does unless their `ipMode`
 * is Proxy.
 */
export const rulesOf = (
  node: string,
  service: Service | undefined,
  slices: Iterable<EndpointSlice>,
  takesBalanced = false,
): NodeRules => {
  const spec = service?.spec
  if (!service || !spec || spec.clusterIP === 'None') return nothing
  if (service.metadata.labels?.['service.kubernetes.io/service-proxy-name']) return nothing
  if (spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') return nothing

  const local = spec.externalTrafficPolicy === 'Local'
  const key = keyOf(service.metadata)
  const v4 = [...slices].filter((slice) => (slice.addressType ?? 'IPv4') === 'IPv4')

  const ports = portRules(node, service, v4, takesBalanced)

  if (!local || !spec.healthCheckNodePort) return { ports, health: undefined }
  const addresses = v4.flatMap((slice) =>
    (slice.endpoints ?? [])
      .filter((endpoint) => endpoint.nodeName === node && isReady(endpoint))
      .flatMap((endpoint) => endpoint.addresses.slice(0, 1)),
  )
  const localEndpoints = new Set(addresses).size
  return { ports, health: { port: spec.healthCheckNodePort, service: key, localEndpoints } }
}

const portRules = (
  node: string,
  service: Service,
  v4: readonly EndpointSlice[],
  takesBalanced: boolean,
): readonly NodePortRule[] => {
  const { spec } = service
  const local = spec.externalTrafficPolicy === 'Local'
  const affine = spec.sessionAffinity === 'ClientIP'
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800
  return (spec.ports ?? []).flatMap((port): NodePortRule[] => {
    const protocol = port.protocol ?? 'TCP'
    if (protocol !== 'TCP' && protocol !== 'UDP') return []
    const found = v4.flatMap((slice) => {
      const target = slice.ports?.find(
        (one) => (one.name ?? '') === (port.name ?? '') && (one.protocol ?? 'TCP') === protocol,
      )
      if (target?.port === undefined) return []
      const at = target.port
      return (slice.endpoints ?? []).map((endpoint) => ({ ...endpoint, port: at }))
    })
    const reachable = local ? found.filter((endpoint) => endpoint.nodeName === node) : found
    const endpoints = new Map<string, Endpoint>()
    for (const endpoint of usable(reachable)) {
      const address = endpoint.addresses[0]
      if (address !== undefined) endpoints.set(address, { address, port: endpoint.port })
    }
    if (endpoints.size === 0) return []
    const rule: Omit<NodePortRule, 'address' | 'port'> = {
      service: keyOf(service.metadata),
      protocol,
      keepsClient: local,
      affinityMs: affine ? seconds * 1_000 : undefined,
      endpoints: [...endpoints.values()].sort((a, b) => (a.address < b.address ? -1 : 1)),
    }
    const own = port.nodePort === undefined ? [] : [{ address: undefined, port: port.nodePort }]
    const balanced = takesBalanced ? balancedAddresses(service) : []
    const doors = [...own, ...balanced.map((address) => ({ address, port: port.port }))]
    return doors.map((door) => ({ ...rule, ...door }))
  })
}
