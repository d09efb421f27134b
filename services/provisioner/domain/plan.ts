import {
  familyOf,
  ipAddress,
  port,
  type DesiredResource,
  type Frontend,
  type InstallationId,
  type IpFamily,
  type LoadBalancerIntent,
  type ResourceFrontend,
  type TenantId,
} from '@weir/contract'
import type { Life, Wish } from './state.ts'
import { planTargets, type TargetSources } from './targets.ts'

/** What a plan is made of, beside the story. */
export interface PlanSources extends TargetSources {
  readonly installation: InstallationId
  readonly tenant: TenantId
  readonly reach: Reach
}

/** What a plan must know of the driver that it is for. */
export interface Reach {
  /** Families of node addresses that it can reach. */
  readonly ipFamilies: readonly IpFamily[]
  /** Whether our pools hold the addresses, or its provider gives them. */
  readonly addresses: 'pool' | 'provider'
  /** It names nodes by their providerID with this prefix; null for addresses. */
  readonly targetsByProviderId: string | null
}

/** What should exist now, with no generation: the state knows which one comes next. */
export type Wanted = Omit<DesiredResource, 'generation'>

export type Plan =
  | { readonly status: 'wanted'; readonly wanted: Wanted }
  /** Nothing is granted yet of what the Service asks. */
  | { readonly status: 'waiting' }

/** What should exist at the provider for this life, from its wish and from where traffic can go. */
export const planResource = (life: Life, sources: PlanSources): Plan => {
  const { wish } = life
  const byProvider = sources.reach.addresses === 'provider'
  const frontends = servedFrontends(wish, byProvider ? asked(wish) : wish.frontends)
  const [first] = frontends
  if (first === undefined) return { status: 'waiting' }
  const { intent } = wish
  const { targets } = planTargets(
    sources,
    { policy: intent.externalTrafficPolicy, family: familyOf(first.ip), reach: sources.reach },
    life.desired?.targets ?? [],
  )
  const wanted: Wanted = {
    marks: {
      installation: sources.installation,
      tenant: sources.tenant,
      cluster: wish.cluster,
      service: wish.service,
      key: life.key,
      epoch: life.epoch,
    },
    driver: wish.driver,
    frontends: [...frontends],
    targets: [...targets],
    policy: intent.externalTrafficPolicy,
    health: healthOf(intent),
    ...(byProvider && intent.requestedAddress !== null
      ? { requestedAddress: intent.requestedAddress }
      : {}),
    sourceRanges: intent.sourceRanges,
    affinity: intent.sessionAffinity,
    proxyProtocol: intent.proxyProtocol,
  }
  return { status: 'wanted', wanted }
}

const unspecified = { IPv4: ipAddress.parse('0.0.0.0'), IPv6: ipAddress.parse('::') } as const

/** Where the provider gives the address: every port once the allocator has let it through, none before. */
const asked = ({ granted, intent }: Wish): readonly Frontend[] => {
  const ip = unspecified[intent.ipFamilies[0] ?? 'IPv4']
  return granted ? intent.ports.map(({ protocol, port }) => ({ ip, protocol, port })) : []
}

/** Frontends that the wish asks for, each with the node port that answers for it, if it has one. */
const servedFrontends = (wish: Wish, frontends: readonly Frontend[]): readonly ResourceFrontend[] =>
  frontends.flatMap((held) => {
    const wanted = wish.intent.ports.find(
      (asked) => asked.port === held.port && asked.protocol === held.protocol,
    )
    if (wanted === undefined) return []
    const { nodePort } = wanted
    return [nodePort === null ? held : { ...held, nodePort }]
  })

const kubeProxyHealthPort = port.parse(10_256)

/** kube-proxy's own health under `Cluster`; under `Local` the Service's, whose header is the weight. */
const healthOf = (intent: LoadBalancerIntent): DesiredResource['health'] =>
  intent.externalTrafficPolicy === 'Local' && intent.healthCheckNodePort !== null
    ? { port: intent.healthCheckNodePort, path: '/healthz', weightFromHeader: true }
    : { port: kubeProxyHealthPort, path: '/healthz', weightFromHeader: false }
