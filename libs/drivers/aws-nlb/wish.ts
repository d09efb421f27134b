import type { DesiredResource } from '@weir/contract'
import { findUnsupported, nodePortOf } from '../capability.ts'
import type { Capabilities, Refused } from '../driver.ts'
import { targetGroupName } from './names.ts'
import type { AwsNlbSettings } from './settings.ts'
import type { Rule } from './view.ts'

/** What must exist at AWS for an order, in AWS's words. */
export interface Wish {
  readonly listeners: readonly WishedListener[]
  readonly rules: readonly Rule[]
  /** Instances that take new connections, by id, and the address that the Node of each says it has. */
  readonly instances: ReadonlyMap<string, string>
  /** Nodes that wish to be targets and cannot: no instance is known for them. */
  readonly leftOut: readonly string[]
}

export interface WishedListener {
  readonly port: number
  readonly protocol: 'TCP' | 'UDP' | 'TCP_UDP'
  readonly nodePort: number
  readonly groupName: string
  readonly healthPort: string
  readonly healthPath: string
  readonly attributes: Readonly<Record<string, string>>
}

/** The listeners of one network load balancer, a limit that AWS raises on request only. */
const maxListeners = 50

/** What a network load balancer with instance targets can do at best. */
export const awsNlbCapabilities: Capabilities = {
  protocols: ['TCP', 'UDP'],
  ipFamilies: ['IPv4'],
  addresses: 'provider',
  sourceRanges: true,
  clientIpAffinity: true,
  proxyProtocol: true,
  weights: false,
  preservesClientAddress: 'always',
  samePortTcpUdp: 'equal-node-ports',
  needsNodePort: true,
  targetsByProviderId: 'aws:///',
  maxFrontends: maxListeners,
  ipMode: 'VIP',
}

/** Why this order will never be carried out, or undefined when it can be. */
export const findRefusal = (desired: DesiredResource): Refused | undefined => {
  const unsupported = findUnsupported(awsNlbCapabilities, desired)
  if (unsupported !== undefined) return { status: 'refused', ...unsupported }
  const { frontends, requestedAddress } = desired
  const named = requestedAddress ?? frontends.find(({ ip }) => ip !== '0.0.0.0')?.ip
  if (named !== undefined) {
    const problem = `AWS gives its own addresses; ${named} cannot be asked for`
    return { status: 'refused', capability: 'addresses', problem }
  }
  return undefined
}

/** What must exist for `desired`. Total: asked only for what `findRefusal` lets through. */
export const wishOf = (desired: DesiredResource, settings: AwsNlbSettings): Wish => {
  const { frontends, targets, marks, health } = desired
  const ports = [...new Set(frontends.map(({ port }) => port))].sort((a, b) => a - b)
  const listeners = ports.flatMap((port) => {
    const both = frontends.filter((at) => at.port === port)
    const [first] = both
    if (first === undefined) return []
    const protocol = protocolOf(both)
    const groupName = targetGroupName(marks, {
      protocol,
      listenerPort: port,
      nodePort: nodePortOf(first),
      targetType: 'instance',
      healthCheckProtocol: 'HTTP',
      vpcId: settings.vpcId,
    })
    return {
      port,
      protocol,
      nodePort: nodePortOf(first),
      groupName,
      healthPort: String(health.port),
      healthPath: health.path,
      attributes: attributesOf(desired, settings),
    }
  })
  const serving = targets.filter(({ weight }) => weight > 0)
  const known = serving.map(({ node, ip, providerId }) => ({
    node,
    ip,
    id: instanceOf(providerId),
  }))
  return {
    listeners,
    rules: rulesOf(desired),
    instances: new Map(known.flatMap(({ id, ip }) => (id === undefined ? [] : [[id, ip]]))),
    leftOut: known.filter(({ id }) => id === undefined).map(({ node }) => node),
  }
}

const protocolOf = (both: DesiredResource['frontends']): WishedListener['protocol'] => {
  const tcp = both.some(({ protocol }) => protocol === 'TCP')
  const udp = both.some(({ protocol }) => protocol === 'UDP')
  if (tcp && udp) return 'TCP_UDP'
  return udp ? 'UDP' : 'TCP'
}

/** `aws:///eu-central-1a/i-0abc` names instance `i-0abc`; anything else names none. */
export const instanceOf = (providerId: string | undefined): string | undefined =>
  /^aws:\/\/\/(?:[^/]*\/)?(i-[0-9a-f]{8,40})$/.exec(providerId ?? '')?.[1]

const rulesOf = ({ frontends, sourceRanges }: DesiredResource): readonly Rule[] => {
  const cidrs = sourceRanges.length === 0 ? ['0.0.0.0/0'] : [...new Set(sourceRanges)]
  return frontends.flatMap(({ protocol, port }) =>
    cidrs.map((cidr) => ({ protocol: protocol.toLowerCase(), fromPort: port, toPort: port, cidr })),
  )
}

/** Attributes of target groups that are ours to set; all others stay as somebody made them. */
export const managedAttributes: readonly string[] = [
  'preserve_client_ip.enabled',
  'proxy_protocol_v2.enabled',
  'deregistration_delay.timeout_seconds',
  'deregistration_delay.connection_termination.enabled',
  'stickiness.enabled',
  'stickiness.type',
]

const attributesOf = (
  { affinity, proxyProtocol }: DesiredResource,
  settings: AwsNlbSettings,
): Readonly<Record<string, string>> => ({
  'preserve_client_ip.enabled': 'true',
  'proxy_protocol_v2.enabled': String(proxyProtocol === 'v2'),
  'deregistration_delay.timeout_seconds': String(settings.deregistrationDelaySeconds),
  'deregistration_delay.connection_termination.enabled': String(settings.terminateConnections),
  // AWS keeps a client by its address for as long as the target lives: no timeout can be set.
  'stickiness.enabled': String(affinity.kind === 'ClientIP'),
  ...(affinity.kind === 'ClientIP' ? { 'stickiness.type': 'source_ip' } : {}),
})
