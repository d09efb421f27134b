import ipaddr from 'ipaddr.js'
import { z } from 'zod'

/**
 * An IPv4 or IPv6 address in canonical text: no leading zeros, IPv6 compressed and lower-case
 * (RFC 5952), never an IPv4-mapped IPv6 address, so that equal addresses are equal strings.
 */
export const ipAddress = z
  .string()
  .refine((text) => toCanonical(text) !== undefined, {
    error: ({ input }) => `"${String(input)}" is not an IPv4 or IPv6 address`,
    abort: true,
  })
  .overwrite((text) => toCanonical(text) ?? text)
  .brand('IpAddress')
export type IpAddress = z.infer<typeof ipAddress>

const toCanonical = (text: string): string | undefined => {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) {
    const plain = ipaddr.IPv4.parse(text).toString()
    return plain === text ? text : undefined // "010.0.0.1" is octal to some readers: refused
  }
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined
  const address = ipaddr.IPv6.parse(text)
  return address.isIPv4MappedAddress() ? undefined : address.toRFC5952String()
}

/** Why `text` is no block of addresses, or undefined when it is one. */
const cidrProblem = (text: string): string | undefined => {
  const [address = '', length = '', rest] = text.trim().split('/')
  const base = toCanonical(address)
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
  const most = base?.includes(':') ? 128 : 32
  if (base === undefined || rest !== undefined || !(bits <= most)) {
    return `"${text}" is not a CIDR such as 10.0.0.0/8`
  }
  const network = base.includes(':')
    ? ipaddr.IPv6.networkAddressFromCIDR(`${base}/${bits}`).toRFC5952String()
    : ipaddr.IPv4.networkAddressFromCIDR(`${base}/${bits}`).toString()
  if (network === base) return undefined
  return `"${text}" has bits set after the prefix; write ${network}/${bits}`
}

const canonicalCidr = (text: string): string => {
  const [address = '', length = ''] = text.trim().split('/')
  return `${toCanonical(address) ?? address}/${Number(length)}`
}

/** A block of addresses, `ADDRESS/LENGTH`, with no bits set after the prefix. */
export const cidr = z
  .string()
  .superRefine((text, context) => {
    const message = cidrProblem(text)
    if (message !== undefined) context.addIssue({ code: 'custom', message, continue: false })
  })
  .overwrite(canonicalCidr)
  .brand('Cidr')
export type Cidr = z.infer<typeof cidr>

export const ipFamily = z.enum(['IPv4', 'IPv6'])
export type IpFamily = z.infer<typeof ipFamily>

/** The family an address belongs to. */
export const familyOf = (ip: IpAddress): IpFamily => (ip.includes(':') ? 'IPv6' : 'IPv4')

/** Whether `ip` lies in `block`; false when their families differ. */
export const cidrContains = (block: Cidr, ip: IpAddress): boolean => {
  const [base, bits] = ipaddr.parseCIDR(block)
  const address = ipaddr.parse(ip)
  return address.kind() === base.kind() && address.match(base, bits)
}

/** The value of an address as an integer, for ranges and order within one family. */
export const toInteger = (ip: IpAddress): bigint =>
  ipaddr
    .parse(ip)
    .toByteArray()
    .reduce((value, byte) => value * 256n + BigInt(byte), 0n)

/** The address of `family` whose integer value is `value`. */
export const fromInteger = (value: bigint, family: IpFamily): IpAddress => {
  const length = family === 'IPv6' ? 16 : 4
  const bytes = Array.from({ length }, (_, index) =>
    Number((value >> BigInt(8 * (length - 1 - index))) & 255n),
  )
  const address = ipaddr.fromByteArray(bytes)
  return ipAddress.parse(
    address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString(),
  )
}

/** A TCP, UDP or SCTP port that may be listened on, 1-65535. */
export const port = z.int().min(1).max(65_535).brand('Port')
export type Port = z.infer<typeof port>

/** Transport protocols as the Kubernetes API spells them. */
export const protocol = z.enum(['TCP', 'UDP', 'SCTP'])
export type Protocol = z.infer<typeof protocol>

/** The unit that is exclusive: one address, protocol and port belong to one load balancer. */
export const frontend = z.object({ ip: ipAddress, protocol, port })
export type Frontend = z.infer<typeof frontend>

/** `198.51.100.7:443/TCP`, as people write it; IPv6 addresses are in brackets. */
export const frontendText = (at: Frontend): string =>
  `${at.ip.includes(':') ? `[${at.ip}]` : at.ip}:${at.port}/${at.protocol}`
