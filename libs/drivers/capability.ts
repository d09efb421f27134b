import {
  familyOf,
  frontendText,
  type DesiredResource,
  type Port,
  type ResourceFrontend,
} from '@weir/contract'
import { assert } from '@weir/kernel'
import type { Capabilities } from './driver.ts'

/** What a driver cannot do, by the name of the capability, in words for the user. */
export interface Unsupported {
  readonly capability: keyof Capabilities
  readonly problem: string
}

/**
 * The first wish in `desired` that goes beyond `capabilities`, or undefined when all can be done. Asked
 * before an intent is recorded, so that a refusal leaves nothing behind, and by every driver again.
 */
export const findUnsupported = (
  capabilities: Capabilities,
  desired: Omit<DesiredResource, 'generation'>,
): Unsupported | undefined =>
  frontendProblem(capabilities, desired) ?? wishProblem(capabilities, desired)

/** The node port of a frontend that `findUnsupported` let through to a driver that needs one. */
export const nodePortOf = (at: ResourceFrontend): Port => {
  assert(at.nodePort !== undefined, `${frontendText(at)} has no nodePort and was not refused`)
  return at.nodePort
}

const frontendProblem = (
  can: Capabilities,
  { frontends }: Pick<DesiredResource, 'frontends'>,
): Unsupported | undefined => {
  const alien = frontends.find((at) => !can.protocols.includes(at.protocol))
  if (alien !== undefined) {
    return {
      capability: 'protocols',
      problem: `${frontendText(alien)}: only ${can.protocols.join(', ')} is carried`,
    }
  }
  const family = frontends.find((at) => !can.ipFamilies.includes(familyOf(at.ip)))
  if (family !== undefined) {
    return {
      capability: 'ipFamilies',
      problem: `${frontendText(family)}: only ${can.ipFamilies.join(', ')} is carried`,
    }
  }
  if (frontends.length > can.maxFrontends) {
    return {
      capability: 'maxFrontends',
      problem: `${frontends.length} ports, but one load balancer carries at most ${can.maxFrontends}`,
    }
  }
  return (
    addressProblem(can, frontends) ??
    nodePortProblem(can, frontends) ??
    samePortProblem(can, frontends)
  )
}

type Frontends = DesiredResource['frontends']

const unspecified: readonly string[] = ['0.0.0.0', '::']

const addressProblem = (can: Capabilities, frontends: Frontends): Unsupported | undefined => {
  const open = frontends.find(({ ip }) => unspecified.includes(ip))
  if (open === undefined || can.addresses === 'provider') return undefined
  return {
    capability: 'addresses',
    problem: `${frontendText(open)}: addresses come from pools, the provider gives none of its own`,
  }
}

const nodePortProblem = (can: Capabilities, frontends: Frontends): Unsupported | undefined => {
  const portless = frontends.find(({ nodePort }) => nodePort === undefined)
  if (portless === undefined || !can.needsNodePort) return undefined
  const { port, protocol } = portless
  return {
    capability: 'needsNodePort',
    problem:
      `port ${port}/${protocol} has no nodePort; set allocateLoadBalancerNodePorts: true, ` +
      'or choose a driver that reaches nodes without',
  }
}

const samePortProblem = (can: Capabilities, frontends: Frontends): Unsupported | undefined => {
  if (can.samePortTcpUdp === 'always') return undefined
  const udp = new Map(
    frontends.flatMap((at) => (at.protocol === 'UDP' ? [[`${at.ip} ${at.port}`, at]] : [])),
  )
  for (const tcp of frontends) {
    const other = tcp.protocol === 'TCP' ? udp.get(`${tcp.ip} ${tcp.port}`) : undefined
    if (other === undefined) continue
    const equal = other.nodePort === tcp.nodePort
    if (equal && can.samePortTcpUdp === 'equal-node-ports') continue
    const how = can.samePortTcpUdp === 'never' ? 'TCP and UDP' : 'TCP and UDP with other nodePorts'
    return { capability: 'samePortTcpUdp', problem: `port ${tcp.port} cannot carry both ${how}` }
  }
  return undefined
}

const wishProblem = (
  can: Capabilities,
  desired: Omit<DesiredResource, 'generation'>,
): Unsupported | undefined => {
  if (desired.sourceRanges.length > 0 && !can.sourceRanges) {
    return {
      capability: 'sourceRanges',
      problem: 'loadBalancerSourceRanges cannot be enforced; remove them or choose another driver',
    }
  }
  if (desired.affinity.kind === 'ClientIP' && !can.clientIpAffinity) {
    return {
      capability: 'clientIpAffinity',
      problem: 'sessionAffinity ClientIP cannot be kept; set None or choose another driver',
    }
  }
  if (desired.proxyProtocol !== 'none' && !can.proxyProtocol) {
    return { capability: 'proxyProtocol', problem: 'the PROXY protocol cannot be sent' }
  }
  const hidden = can.preservesClientAddress === 'never' && desired.proxyProtocol === 'none'
  if (desired.policy === 'Local' && hidden) {
    return {
      capability: 'preservesClientAddress',
      problem: 'externalTrafficPolicy Local needs the client address at the pod; set Cluster',
    }
  }
  return undefined
}
