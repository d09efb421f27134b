import type { KubeObject } from '../../object.ts'
import { asService, isExternallyAccessible, type Service, type ServiceSpec } from './service.ts'

/** Upstream's `SetDefaults_Service`, and the fields that Go always encodes. */
export const initialiseService = (draft: KubeObject): void => {
  const service = asService(draft)
  // A body without spec decodes to an empty one, which validation then refuses.
  service.spec ??= { type: '', sessionAffinity: '' }
  service.status ??= { loadBalancer: {} }
  service.status.loadBalancer ??= {}
  const { spec } = service
  spec.type ||= 'ClusterIP'
  initialiseAffinity(spec)
  initialisePorts(spec)
  if (isExternallyAccessible(spec)) spec.externalTrafficPolicy ||= 'Cluster'
  if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ||= 'Cluster'
  else delete spec.internalTrafficPolicy
  if (spec.type === 'LoadBalancer') {
    spec.allocateLoadBalancerNodePorts ??= true
    initialiseIpModes(service)
  }
}

const initialiseAffinity = (spec: ServiceSpec): void => {
  spec.sessionAffinity ||= 'None'
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig
  if (spec.sessionAffinity !== 'ClientIP') return
  if (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined)
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: 10_800 } }
}

const initialisePorts = (spec: ServiceSpec): void => {
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP'
    port.targetPort ||= port.port
    if (port.nodePort === 0) delete port.nodePort
  }
  if (spec.healthCheckNodePort === 0) delete spec.healthCheckNodePort
  if (spec.publishNotReadyAddresses === false) delete spec.publishNotReadyAddresses
}

const initialiseIpModes = (service: Service): void => {
  for (const ingress of service.status.loadBalancer.ingress ?? [])
    if (ingress.ip) ingress.ipMode ??= 'VIP'
}
