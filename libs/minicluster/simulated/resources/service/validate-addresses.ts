import { isIP } from 'node:net'
import { type Cause, duplicate, invalidValue, notSupported, required } from '../../api-error.ts'
import { causes, ipProblems } from '../names.ts'
import type { ServiceSpec } from './service.ts'

const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack']

/** `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` against each other. */
export const validateClusterIps = (spec: ServiceSpec): Cause[] => {
  const addresses = spec.clusterIPs ?? []
  const found = [...validatePair(spec), ...validateFamilyNames(spec)]
  if (spec.ipFamilyPolicy !== undefined && !policies.includes(spec.ipFamilyPolicy))
    found.push(notSupported('spec.ipFamilyPolicy', spec.ipFamilyPolicy, policies))
  const malformed = addresses.flatMap((address, index) => {
    if (index === 0 && address === 'None')
      return addresses.length > 1
        ? [invalidValue('spec.clusterIPs', addresses, "'None' must be the first and only value")]
        : []
    return causes(`spec.clusterIPs[${index}]`, address, ipProblems(address))
  })
  found.push(...malformed)
  if (addresses.length > 2)
    found.push(invalidValue('spec.clusterIPs', addresses, 'may only hold up to 2 values'))
  if (malformed.length > 0) return found
  if (addresses.length > 1 && new Set(addresses.map((one) => isIP(one))).size < 2) {
    const text = 'may specify no more than one IP for each IP family'
    found.push(invalidValue('spec.clusterIPs', addresses, text))
  }
  return [...found, ...validateAddressFamilies(spec)]
}

const validatePair = (spec: ServiceSpec): Cause[] => {
  const addresses = spec.clusterIPs ?? []
  if (!spec.clusterIP) {
    if (addresses.length === 0) return []
    const text = 'must be empty when `clusterIP` is not specified'
    return [invalidValue('spec.clusterIPs', addresses, text)]
  }
  if (addresses.length === 0) return [required('spec.clusterIPs')]
  if (addresses[0] === spec.clusterIP) return []
  return [invalidValue('spec.clusterIPs', addresses, 'first value must match `clusterIP`')]
}

const validateFamilyNames = (spec: ServiceSpec): Cause[] => {
  const seen = new Set<string>()
  return (spec.ipFamilies ?? []).flatMap((family, index) => {
    const field = `spec.ipFamilies[${index}]`
    const found: Cause[] = []
    if (family !== 'IPv4' && family !== 'IPv6')
      found.push(notSupported(field, family, ['IPv4', 'IPv6']))
    if (seen.has(family)) found.push(duplicate(field, family))
    seen.add(family)
    return found
  })
}

const validateAddressFamilies = (spec: ServiceSpec): Cause[] =>
  (spec.clusterIPs ?? []).flatMap((address, index) => {
    const family = spec.ipFamilies?.[index]
    if (family === undefined || address === 'None') return []
    const actual = isIP(address) === 6 ? 'IPv6' : 'IPv4'
    if (actual === family) return []
    const text = `expected an ${family} value as indicated by \`ipFamilies[${index}]\``
    return [invalidValue(`spec.clusterIPs[${index}]`, address, text)]
  })

/**
 * What a cluster with IPv4 alone can give. `bare` is headless without selector, which may name any
 * family for its endpoints are somebody else's.
 */
export const validateFamilies = (spec: ServiceSpec, bare: boolean): Cause[] => {
  const shape = validateClusterIps(spec)
  if (shape.length > 0) return shape
  const found: Cause[] = []
  const policy = spec.ipFamilyPolicy
  const single = policy === 'SingleStack'
  const plea = "must be 'RequireDualStack' or 'PreferDualStack' when multiple"
  if (single && spec.clusterIPs?.length === 2)
    found.push(invalidValue('spec.ipFamilyPolicy', policy, `${plea} cluster IPs are specified`))
  if (single && spec.ipFamilies?.length === 2)
    found.push(invalidValue('spec.ipFamilyPolicy', policy, `${plea} IP families are specified`))
  if (found.length > 0 || bare) return found
  for (const [index, address] of (spec.clusterIPs ?? []).entries())
    if (isIP(address) === 6 && spec.ipFamilies?.[index] === undefined)
      found.push(
        invalidValue(
          `spec.clusterIPs[${index}]`,
          spec.clusterIPs,
          'IPv6 is not configured on this cluster',
        ),
      )
  if (policy === 'RequireDualStack')
    found.push(
      invalidValue(
        'spec.ipFamilyPolicy',
        policy,
        'this cluster is not configured for dual-stack services',
      ),
    )
  for (const [index, family] of (spec.ipFamilies ?? []).entries())
    if (family !== 'IPv4')
      found.push(
        invalidValue(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'),
      )
  return found
}
