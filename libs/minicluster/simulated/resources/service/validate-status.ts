import { isIP } from 'node:net'
import { type Cause, forbiddenField, invalidValue, notSupported } from '../../api-error.ts'
import type { KubeObject } from '../../object.ts'
import { causes, ipProblems, subdomainProblems } from '../names.ts'
import { asService, type Ingress, isLoadBalancer } from './service.ts'

/** Upstream's `ValidateLoadBalancerStatus`. */
export const validateServiceStatus = (draft: KubeObject): Cause[] => {
  const { spec, status } = asService(draft)
  const ingress = status.loadBalancer.ingress ?? []
  const field = 'status.loadBalancer.ingress'
  if (!isLoadBalancer(spec) && ingress.length > 0)
    return [forbiddenField(field, "may only be used when `spec.type` is 'LoadBalancer'")]
  return ingress.flatMap((one, index) => validateIngress(one, `${field}[${index}]`))
}

const validateIngress = (ingress: Ingress, field: string): Cause[] => {
  const found = ingress.ip ? causes(`${field}.ip`, ingress.ip, ipProblems(ingress.ip)) : []
  const mode = ingress.ipMode
  if (mode !== undefined && !ingress.ip)
    found.push(forbiddenField(`${field}.ipMode`, 'may not be specified when `ip` is not set'))
  else if (mode !== undefined && mode !== 'VIP' && mode !== 'Proxy')
    found.push(notSupported(`${field}.ipMode`, mode, ['Proxy', 'VIP']))
  if (!ingress.hostname) return found
  found.push(...causes(`${field}.hostname`, ingress.hostname, subdomainProblems(ingress.hostname)))
  if (isIP(ingress.hostname) !== 0)
    found.push(
      invalidValue(`${field}.hostname`, ingress.hostname, 'must be a DNS name, not an IP address'),
    )
  return found
}
