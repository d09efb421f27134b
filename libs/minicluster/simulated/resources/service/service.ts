import type { KubeObject, ObjectMeta } from '../../object.ts'

export type ServicePort = {
  name?: string
  protocol: string
  port: number
  targetPort: number | string
  nodePort?: number
  appProtocol?: string
}

export type Ingress = {
  ip?: string
  hostname?: string
  ipMode?: string
  ports?: { port: number; protocol: string; error?: string }[]
}

export type ServiceSpec = {
  type: string
  ports?: ServicePort[]
  selector?: { [key: string]: string }
  clusterIP?: string
  clusterIPs?: string[]
  ipFamilies?: string[]
  ipFamilyPolicy?: string
  sessionAffinity: string
  sessionAffinityConfig?: { clientIP?: { timeoutSeconds?: number } }
  externalName?: string
  externalIPs?: string[]
  externalTrafficPolicy?: string
  internalTrafficPolicy?: string
  healthCheckNodePort?: number
  loadBalancerIP?: string
  loadBalancerClass?: string
  loadBalancerSourceRanges?: string[]
  allocateLoadBalancerNodePorts?: boolean
  publishNotReadyAddresses?: boolean
  trafficDistribution?: string
}

export type Service = {
  kind: string
  apiVersion: string
  metadata: ObjectMeta
  spec: ServiceSpec
  status: { loadBalancer: { ingress?: Ingress[] }; conditions?: { type: string }[] }
}

/** A decoded object of kind Service; the schema has checked every field's type. */
export const asService = (object: KubeObject): Service => object as unknown as Service

export const isHeadless = (spec: ServiceSpec): boolean =>
  spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === 'None'

export const isLoadBalancer = (spec: ServiceSpec): boolean => spec.type === 'LoadBalancer'

export const needsClusterIp = (spec: ServiceSpec): boolean => spec.type !== 'ExternalName'

/** Ports of this type are open on the nodes, whether or not new ones are allocated. */
export const usesNodePorts = (spec: ServiceSpec): boolean =>
  spec.type === 'NodePort' || spec.type === 'LoadBalancer'

/** New node ports are allocated. */
export const allocatesNodePorts = (spec: ServiceSpec): boolean =>
  spec.type === 'NodePort' ||
  (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)

export const needsHealthCheckPort = (spec: ServiceSpec): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'

export const isExternallyAccessible = (spec: ServiceSpec): boolean =>
  spec.type === 'LoadBalancer' ||
  spec.type === 'NodePort' ||
  (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0)

/** Every node port and health check port that the Service holds. */
export const heldNodePorts = (spec: ServiceSpec): number[] => {
  const ports = (spec.ports ?? []).flatMap((port) => (port.nodePort ? [port.nodePort] : []))
  return spec.healthCheckNodePort ? [...ports, spec.healthCheckNodePort] : ports
}
