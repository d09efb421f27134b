import {
  type Cause,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../api-error.ts'
import type { KubeObject } from '../../object.ts'
import { causes, cidrProblems, labelCauses, qualifiedNameProblems } from '../names.ts'
import { ipProblems, portProblems, subdomainProblems } from '../names.ts'
import {
  asService,
  isExternallyAccessible,
  isHeadless,
  isLoadBalancer,
  needsHealthCheckPort,
  type Service,
  type ServiceSpec,
} from './service.ts'
import { validateClusterIps } from './validate-addresses.ts'
import { validatePorts } from './validate-ports.ts'

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const onlyLoadBalancers = "may only be used when `type` is 'LoadBalancer'"
const sourceRangesKey = 'service.beta.kubernetes.io/load-balancer-source-ranges'

/** Upstream's `ValidateServiceCreate` and `ValidateServiceUpdate`, metadata aside. */
export const validateService = (draft: KubeObject, old: KubeObject | undefined): Cause[] => {
  const service = asService(draft)
  const { spec } = service
  return [
    ...(old === undefined ? [] : validateChange(spec, asService(old).spec)),
    ...validateType(spec),
    ...validatePorts(spec),
    ...labelCauses(spec.selector, 'spec.selector'),
    ...validateAffinity(spec),
    ...(spec.type === 'ExternalName' ? [] : validateClusterIps(spec)),
    ...validateExternalIps(spec),
    ...validateSourceRanges(service, old === undefined ? undefined : asService(old)),
    ...validateLoadBalancerFields(spec),
    ...validatePolicies(spec),
  ]
}

/** What an update may not change. */
const validateChange = (spec: ServiceSpec, before: ServiceSpec): Cause[] => {
  const found: Cause[] = []
  const first = before.clusterIPs?.[0]
  if (before.type !== 'ExternalName' && spec.type !== 'ExternalName' && first !== undefined) {
    if (spec.clusterIPs?.[0] !== first)
      found.push(
        spec.clusterIPs?.[0] === undefined
          ? invalidValue(
              'spec.clusterIPs[0]',
              spec.clusterIPs ?? null,
              'primary clusterIP can not be unset',
            )
          : invalidValue('spec.clusterIPs[0]', spec.clusterIPs, 'may not change once set'),
      )
    const family = before.ipFamilies?.[0]
    if (family !== undefined && spec.ipFamilies?.[0] !== family)
      found.push(
        invalidValue('spec.ipFamilies[0]', spec.ipFamilies ?? null, 'may not change once set'),
      )
  }
  if (isLoadBalancer(before) && isLoadBalancer(spec))
    if (before.loadBalancerClass !== spec.loadBalancerClass)
      found.push(
        invalidValue(
          'spec.loadBalancerClass',
          spec.loadBalancerClass ?? null,
          'may not change once set',
        ),
      )
  if (needsHealthCheckPort(before) && needsHealthCheckPort(spec))
    if (before.healthCheckNodePort !== spec.healthCheckNodePort)
      found.push(forbiddenField('spec.healthCheckNodePort', 'field is immutable'))
  return found
}

const validateType = (spec: ServiceSpec): Cause[] => {
  if (!types.includes(spec.type)) return [notSupported('spec.type', spec.type, types)]
  const found: Cause[] = []
  if (!spec.ports?.length && !isHeadless(spec) && spec.type !== 'ExternalName')
    found.push(required('spec.ports'))
  if (spec.type !== 'ExternalName') {
    if (spec.type !== 'ClusterIP' && isHeadless(spec))
      found.push(
        invalidValue(
          'spec.clusterIPs[0]',
          'None',
          `may not be set to 'None' for ${spec.type} services`,
        ),
      )
    return found
  }
  const forExternal = 'may not be set for ExternalName services'
  if (spec.clusterIPs?.length) found.push(forbiddenField('spec.clusterIPs', forExternal))
  if (spec.ipFamilies?.length) found.push(forbiddenField('spec.ipFamilies', forExternal))
  if (spec.ipFamilyPolicy !== undefined)
    found.push(forbiddenField('spec.ipFamilyPolicy', forExternal))
  const name = (spec.externalName ?? '').replace(/\.$/, '')
  if (name === '') return [...found, required('spec.externalName')]
  return [...found, ...causes('spec.externalName', name, subdomainProblems(name))]
}

const validateAffinity = (spec: ServiceSpec): Cause[] => {
  if (spec.sessionAffinity === 'None') return []
  if (spec.sessionAffinity !== 'ClientIP')
    return [notSupported('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None'])]
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 0
  if (seconds > 0 && seconds <= 86_400) return []
  const field = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds'
  return [invalidValue(field, seconds, 'must be greater than 0 and less than 86400')]
}

const specialRanges: readonly (readonly [RegExp, string])[] = [
  [/^(127\.|::1$)/, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  [/^(169\.254\.|fe[89ab])/i, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
  [
    /^(224\.0\.0\.|ff02:)/i,
    'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
  ],
]

/** The addresses that Endpoints and external IPs may not be. */
export const specialAddressProblems = (address: string): string[] => {
  if (address === '0.0.0.0' || address === '::') return [`may not be unspecified (${address})`]
  return specialRanges.filter(([pattern]) => pattern.test(address)).map(([, text]) => text)
}

const validateExternalIps = (spec: ServiceSpec): Cause[] =>
  (spec.externalIPs ?? []).flatMap((address, index) => {
    const problems = ipProblems(address)
    const found = problems.length > 0 ? problems : specialAddressProblems(address)
    return causes(`spec.externalIPs[${index}]`, address, found)
  })

const validateSourceRanges = (service: Service, old: Service | undefined): Cause[] => {
  const { spec } = service
  const ranges = spec.loadBalancerSourceRanges ?? []
  // Upstream spells this field with a capital letter in its errors.
  const field = 'spec.LoadBalancerSourceRanges'
  if (ranges.length > 0) {
    const misplaced = isLoadBalancer(spec) ? [] : [forbiddenField(field, onlyLoadBalancers)]
    const malformed = ranges.flatMap((range, index) =>
      causes(`${field}[${index}]`, range.trim(), cidrProblems(range.trim())),
    )
    return [...misplaced, ...malformed]
  }
  const annotation = service.metadata.annotations?.[sourceRangesKey]
  if (annotation === undefined) return []
  const place = `metadata.annotations[${sourceRangesKey}]`
  const misplaced = isLoadBalancer(spec) ? [] : [forbiddenField(place, onlyLoadBalancers)]
  const unchanged = old?.metadata.annotations?.[sourceRangesKey] === annotation
  if (unchanged || annotation.trim() === '') return misplaced
  const malformed = annotation
    .split(',')
    .flatMap((range) => causes(place, range.trim(), cidrProblems(range.trim())))
  return [...misplaced, ...malformed]
}

const validateLoadBalancerFields = (spec: ServiceSpec): Cause[] => {
  const { loadBalancerClass } = spec
  if (isLoadBalancer(spec)) {
    if (loadBalancerClass === undefined) return []
    return causes(
      'spec.loadBalancerClass',
      loadBalancerClass,
      qualifiedNameProblems(loadBalancerClass),
    )
  }
  const found: Cause[] = []
  if (spec.allocateLoadBalancerNodePorts !== undefined)
    found.push(forbiddenField('spec.allocateLoadBalancerNodePorts', onlyLoadBalancers))
  if (loadBalancerClass !== undefined)
    found.push(forbiddenField('spec.loadBalancerClass', onlyLoadBalancers))
  return found
}

const validatePolicies = (spec: ServiceSpec): Cause[] => [
  ...validateExternalPolicy(spec),
  ...validateHealthCheckPort(spec),
  ...oneOf('spec.internalTrafficPolicy', spec.internalTrafficPolicy, ['Cluster', 'Local']),
  ...oneOf('spec.trafficDistribution', spec.trafficDistribution, [
    'PreferClose',
    'PreferSameZone',
    'PreferSameNode',
  ]),
]

const oneOf = (field: string, value: string | undefined, known: readonly string[]): Cause[] =>
  value === undefined || known.includes(value) ? [] : [notSupported(field, value, known)]

const validateExternalPolicy = (spec: ServiceSpec): Cause[] => {
  const policy = spec.externalTrafficPolicy
  const field = 'spec.externalTrafficPolicy'
  if (isExternallyAccessible(spec)) return oneOf(field, policy, ['Cluster', 'Local'])
  if (!policy) return []
  return [invalidValue(field, policy, 'may only be set for externally-accessible services')]
}

const validateHealthCheckPort = (spec: ServiceSpec): Cause[] => {
  const port = spec.healthCheckNodePort
  const field = 'spec.healthCheckNodePort'
  if (needsHealthCheckPort(spec))
    return port === undefined ? [required(field)] : causes(field, port, portProblems(port))
  if (port === undefined) return []
  const text =
    "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
  return [invalidValue(field, port, text)]
}
