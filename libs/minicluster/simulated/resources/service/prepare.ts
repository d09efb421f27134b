import { type KubeObject, sameJson } from '../../object.ts'
import {
  allocatesNodePorts,
  asService,
  isExternallyAccessible,
  isLoadBalancer,
  needsClusterIp,
  needsHealthCheckPort,
  type Service,
  type ServiceSpec,
  usesNodePorts,
} from './service.ts'

export const prepareServiceForCreate = (draft: KubeObject): void => {
  asService(draft).status = { loadBalancer: {} }
}

export const prepareServiceForUpdate = (draft: KubeObject, old: KubeObject): void => {
  const service = asService(draft)
  service.status = structuredClone(asService(old).status)
  dropTypeDependentFields(service, asService(old))
}

/**
 * A change of type takes away the fields that the new type has no use for, unless the same write also
 * changed them: then validation refuses. The load balancer status goes with the type.
 */
const dropTypeDependentFields = (service: Service, old: Service): void => {
  const { spec } = service
  const before = old.spec
  if (needsClusterIp(before) && !needsClusterIp(spec)) dropClusterIps(spec, before)
  if (usesNodePorts(before) && !usesNodePorts(spec) && !addsNodePorts(spec, before))
    for (const port of spec.ports ?? []) delete port.nodePort
  if (
    needsHealthCheckPort(before) &&
    !needsHealthCheckPort(spec) &&
    spec.healthCheckNodePort === before.healthCheckNodePort
  )
    delete spec.healthCheckNodePort
  if (isLoadBalancer(before) && !isLoadBalancer(spec)) {
    if (spec.allocateLoadBalancerNodePorts === before.allocateLoadBalancerNodePorts)
      delete spec.allocateLoadBalancerNodePorts
    if (spec.loadBalancerClass === before.loadBalancerClass) delete spec.loadBalancerClass
  }
  if (
    isExternallyAccessible(before) &&
    !isExternallyAccessible(spec) &&
    spec.externalTrafficPolicy === before.externalTrafficPolicy
  )
    delete spec.externalTrafficPolicy
  if (!isLoadBalancer(spec)) service.status.loadBalancer = {}
}

const dropClusterIps = (spec: ServiceSpec, before: ServiceSpec): void => {
  if (spec.clusterIP === before.clusterIP && sameJson(spec.clusterIPs, before.clusterIPs)) {
    delete spec.clusterIP
    delete spec.clusterIPs
  }
  if (sameJson(spec.ipFamilies, before.ipFamilies)) delete spec.ipFamilies
  if (spec.ipFamilyPolicy === before.ipFamilyPolicy) delete spec.ipFamilyPolicy
}

const addsNodePorts = (spec: ServiceSpec, before: ServiceSpec): boolean => {
  const had = new Set((before.ports ?? []).map((port) => port.nodePort))
  return (spec.ports ?? []).some((port) => port.nodePort !== undefined && !had.has(port.nodePort))
}

/** A client that leaves out what was allocated keeps it: cluster IPs, node ports by port name. */
export const inheritAllocated = (spec: ServiceSpec, before: ServiceSpec): void => {
  if (needsClusterIp(before) && needsClusterIp(spec)) {
    if (!spec.clusterIP && before.clusterIP) spec.clusterIP = before.clusterIP
    if (!spec.clusterIPs?.length && before.clusterIPs) spec.clusterIPs = [...before.clusterIPs]
  }
  if (allocatesNodePorts(before) && allocatesNodePorts(spec)) inheritNodePorts(spec, before)
  if (
    needsHealthCheckPort(before) &&
    needsHealthCheckPort(spec) &&
    before.healthCheckNodePort !== undefined
  )
    spec.healthCheckNodePort ??= before.healthCheckNodePort
}

const inheritNodePorts = (spec: ServiceSpec, before: ServiceSpec): void => {
  const had = new Set((before.ports ?? []).map((port) => port.nodePort))
  const kept = new Set((spec.ports ?? []).map((port) => port.nodePort).filter((n) => had.has(n)))
  const byName = new Map((before.ports ?? []).map((port) => [port.name ?? '', port.nodePort]))
  for (const port of spec.ports ?? []) {
    const own = byName.get(port.name ?? '')
    if (port.nodePort === undefined && own !== undefined && !kept.has(own)) port.nodePort = own
  }
}

/** Keeps `clusterIP` and `clusterIPs` in step for clients that know only the older field. */
export const alignClusterIps = (spec: ServiceSpec, before: ServiceSpec | undefined): void => {
  if (before === undefined) {
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP]
    return
  }
  const hadSame = sameJson(spec.clusterIPs, before.clusterIPs)
  if (before.clusterIPs?.length && !spec.clusterIPs?.length) {
    if (before.clusterIP === spec.clusterIP) spec.clusterIPs = [...before.clusterIPs]
  }
  if (before.clusterIP === spec.clusterIP || !hadSame) return
  if (before.clusterIP && !spec.clusterIP) delete spec.clusterIPs
  else if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP]
}
