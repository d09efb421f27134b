import { cidr, cidrContains, ipAddress, type Cidr } from '@weir/contract'

/**
 * Where a tenant's API server may be. Public unicast addresses are always allowed; special ones only
 * inside `allow`, since a tenant names the address and we dial it from inside our own network.
 */
export interface AddressPolicy {
  readonly allow: readonly Cidr[]
}

/** For production: nothing special is dialled. */
export const publicOnly: AddressPolicy = { allow: [] }

/** For one machine: its own loopback is dialled too. */
export const withLoopback: AddressPolicy = {
  allow: [cidr.parse('127.0.0.0/8'), cidr.parse('::1/128')],
}

/**
 * For whoever connects a cluster of their own from their own machine: loopback and the private ranges
 * (RFC 1918, RFC 4193).
 */
export const withOwnNetworks: AddressPolicy = {
  allow: [
    ...withLoopback.allow,
    ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'].map((each) =>
      cidr.parse(each),
    ),
  ],
}

// IANA's special-purpose registries, and the translated forms that would smuggle an IPv4 address.
const special: readonly (readonly [string, string])[] = [
  ['0.0.0.0/8', 'this network'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'shared by carriers'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local, where metadata services answer'],
  ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'reserved by IETF protocols'],
  ['192.0.2.0/24', 'documentation'],
  ['192.88.99.0/24', '6to4 relay'],
  ['192.168.0.0/16', 'private'],
  ['198.18.0.0/15', 'benchmarking'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/3', 'multicast or reserved'],
  ['::/96', 'unspecified, loopback or IPv4-compatible'],
  ['64:ff9b::/96', 'translated IPv4'],
  ['64:ff9b:1::/48', 'translated IPv4'],
  ['100::/64', 'discard'],
  ['2001::/23', 'reserved by IETF protocols'],
  ['2001:db8::/32', 'documentation'],
  ['2002::/16', '6to4'],
  ['fc00::/7', 'private'],
  ['fe80::/10', 'link-local'],
  ['fec0::/10', 'site-local'],
  ['ff00::/8', 'multicast'],
]
const blocks = special.map(([block, why]) => ({ block: cidr.parse(block), why }))

/** Why `address` may not be dialled, or undefined when it may. */
export const refusalOf = (policy: AddressPolicy, address: string): string | undefined => {
  const parsed = ipAddress.safeParse(address)
  if (!parsed.success) return `${address} is not a plain IPv4 or IPv6 address`
  const ip = parsed.data
  if (policy.allow.some((block) => cidrContains(block, ip))) return undefined
  const hit = blocks.find(({ block }) => cidrContains(block, ip))
  return hit && `${ip} is ${hit.why} (${hit.block}), which this installation does not dial`
}
