// What a Service asks for beside its core fields. Each wish has one home of ours and the names under
// which other controllers' users know it; what we can't read is refused by name, never guessed.
import {
  ipAddress,
  poolName,
  sharingKey,
  type IpAddress,
  type LoadBalancerIntent,
  type PoolName,
  type SharingKey,
} from '@weir/contract'

export type Problem = LoadBalancerIntent['invalid'][number]

/** Our own prefix, of annotations, conditions, finalizers and load-balancer classes. */
export const ownPrefix = 'weir.dev/'

/** The annotation that tells why a Service has no address; written by us. */
export const reasonAnnotation = 'weir.dev/reason'

const addressAnnotations = [
  'weir.dev/address',
  'metallb.io/loadBalancerIPs',
  'metallb.universe.tf/loadBalancerIPs',
  'lbipam.cilium.io/ips',
  'io.cilium/lb-ipam-ips',
  'kube-vip.io/loadbalancerIPs',
] as const

const poolAnnotations = [
  'weir.dev/pool',
  'metallb.io/address-pool',
  'metallb.universe.tf/address-pool',
] as const

const sharingAnnotations = [
  'weir.dev/sharing-key',
  'metallb.io/allow-shared-ip',
  'metallb.universe.tf/allow-shared-ip',
  'lbipam.cilium.io/sharing-key',
  'io.cilium/lb-ipam-sharing-key',
  'purelb.io/allow-shared-ip',
] as const

const proxyProtocolAnnotation = 'weir.dev/proxy-protocol'

/** The annotation that carries source ranges where the field is not used. */
export const sourceRangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges'

const ownAnnotations: readonly string[] = [
  'weir.dev/address',
  'weir.dev/pool',
  'weir.dev/sharing-key',
  proxyProtocolAnnotation,
  reasonAnnotation,
]

type Annotations = Readonly<Record<string, string>>

interface Wish {
  readonly field: string
  readonly value: string
}

/** The address asked for by `spec.loadBalancerIP` or an annotation; several must agree. */
export const requestedAddress = (
  loadBalancerIP: string,
  annotations: Annotations,
  problems: Problem[],
): IpAddress | null => {
  const wishes = [
    ...(loadBalancerIP.trim() === ''
      ? []
      : [{ field: 'spec.loadBalancerIP', value: loadBalancerIP }]),
    ...wishesOf(addressAnnotations, annotations),
  ]
  const read = wishes.flatMap(({ field, value }) => {
    if (value.includes(',')) {
      problems.push({ field, problem: 'asks for several addresses; ask for one' })
      return []
    }
    const address = ipAddress.safeParse(value.trim())
    if (address.success) return [{ field, value: address.data }]
    problems.push({ field, problem: `${quoted(value)} is not an IPv4 or IPv6 address` })
    return []
  })
  return agreed(read, problems)
}

/** The pool asked for by name; several annotations must agree. */
export const requestedPool = (annotations: Annotations, problems: Problem[]): PoolName | null => {
  const read = wishesOf(poolAnnotations, annotations).flatMap(({ field, value }) => {
    const pool = poolName.safeParse(value.trim())
    if (pool.success) return [{ field, value: pool.data }]
    problems.push({ field, problem: `${quoted(value)} is not a pool's name` })
    return []
  })
  return agreed(read, problems)
}

/** The key of Services of its namespace that it shares an address with; several annotations must agree. */
export const requestedSharing = (
  annotations: Annotations,
  problems: Problem[],
): { readonly sharingKey?: SharingKey } => {
  const read = wishesOf(sharingAnnotations, annotations).flatMap(({ field, value }) => {
    const key = sharingKey.safeParse(value.trim())
    if (key.success) return [{ field, value: key.data }]
    const problem = `${quoted(value)} cannot be one: ${key.error.issues[0]?.message ?? ''}`
    problems.push({ field, problem })
    return []
  })
  const key = agreed(read, problems)
  return key === null ? {} : { sharingKey: key }
}

/** Whether a PROXY protocol header is asked for. */
export const proxyProtocol = (annotations: Annotations, problems: Problem[]): 'none' | 'v2' => {
  const value = annotations[proxyProtocolAnnotation]?.trim() ?? 'none'
  if (value === 'none' || value === 'v2') return value
  const field = annotationField(proxyProtocolAnnotation)
  problems.push({ field, problem: `${quoted(value)} is not known; write "v2" or "none"` })
  return 'none'
}

/** Annotations under our prefix that we don't know: most likely a slip of the pen. */
export const unknownOwn = (annotations: Annotations): Problem[] =>
  Object.keys(annotations)
    .filter((name) => name.startsWith(ownPrefix) && !ownAnnotations.includes(name))
    .sort()
    .map((name) => ({
      field: annotationField(name),
      problem: `unknown annotation; known are ${ownAnnotations.join(', ')}`,
    }))

/** How a problem names an annotation. */
export const annotationField = (name: string): string =>
  `metadata.annotations[${name.slice(0, 100)}]`

/** A user's text inside one of our sentences, bounded. */
export const quoted = (value: string): string => JSON.stringify(value.slice(0, 80))

const wishesOf = (names: readonly string[], annotations: Annotations): Wish[] =>
  names.flatMap((name) => {
    const value = annotations[name]
    return value === undefined ? [] : [{ field: annotationField(name), value }]
  })

const agreed = <T extends string>(
  read: readonly { readonly field: string; readonly value: T }[],
  problems: Problem[],
): T | null => {
  const [first] = read
  if (first === undefined) return null
  const other = read.find(({ value }) => value !== first.value)
  if (other === undefined) return first.value
  problems.push({
    field: other.field,
    problem: `${quoted(other.value)} differs from ${first.field}, ${quoted(first.value)}`,
  })
  return null
}
