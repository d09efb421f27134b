import { createHash } from 'node:crypto'
import { canonicalJson, type OwnershipMarks } from '@weir/contract'

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** The first `length` base32 digits (RFC 4648, lower case) of SHA-256 over `value`. */
const digits = (value: unknown, length: number): string => {
  const hash = createHash('sha256').update(canonicalJson(value)).digest()
  let bits = BigInt(`0x${hash.toString('hex')}`) >> BigInt(256 - length * 5)
  let text = ''
  for (let count = 0; count < length; count += 1) {
    text = `${alphabet[Number(bits & 31n)] ?? ''}${text}`
    bits >>= 5n
  }
  return text
}

const owner = ({ installation, cluster, service, key, epoch }: OwnershipMarks): unknown => ({
  installation,
  cluster,
  service,
  key,
  epoch,
})

/**
 * The name of a load balancer: 31 of the 32 characters that AWS allows, unique per account and region.
 * Whoever makes it again, after a crash or at the same time, meets the one that is there.
 */
export const loadBalancerName = (marks: OwnershipMarks): string =>
  `weir-${digits({ role: 'load-balancer', owner: owner(marks) }, 26)}`

export const securityGroupName = (marks: OwnershipMarks): string =>
  `weir-${digits({ role: 'security-group', owner: owner(marks) }, 26)}`

/** What a target group can never change; another value needs another group. */
export interface FixedAttributes {
  readonly protocol: string
  /** The port of the listener that it serves. */
  readonly listenerPort: number
  readonly nodePort: number
  readonly targetType: 'instance'
  readonly healthCheckProtocol: 'HTTP'
  readonly vpcId: string
}

/** What the names of one owner's target groups begin with: 65 bits, so no two owners share it. */
export const targetGroupPrefix = (marks: OwnershipMarks): string =>
  `weir-${digits({ role: 'target-group', owner: owner(marks) }, 13)}`

/** 13 digits say whose it is, and 13 what it can never change. */
export const targetGroupName = (marks: OwnershipMarks, fixed: FixedAttributes): string =>
  `${targetGroupPrefix(marks)}${digits(fixed, 13)}`
