import { toInteger, type IpAddress } from '@weir/contract'

/** Every frame of a family has the same length, so that many can be written to a socket as one stream. */
export const frameLength = { IPv4: 42, IPv6: 86 } as const

/** A gratuitous ARP request (RFC 5227, section 3): this MAC address has the address. */
export const arpClaim = (mac: string, ip: IpAddress): Uint8Array => {
  const own = bytesOfMac(mac)
  const address = bytesOf(ip, 4)
  const toAll = Array<number>(6).fill(0xff)
  const nobody = Array<number>(6).fill(0)
  // Ethernet, IPv4, lengths of both addresses, request.
  const header = [0, 1, 8, 0, 6, 4, 0, 1]
  return Uint8Array.from([
    ...toAll,
    ...own,
    8,
    6,
    ...header,
    ...own,
    ...address,
    ...nobody,
    ...address,
  ])
}

/** An unsolicited neighbour advertisement (RFC 4861, section 7.2.6) to all nodes, with the override flag. */
export const neighbourClaim = (mac: string, ip: IpAddress): Uint8Array => {
  const own = bytesOfMac(mac)
  const address = bytesOf(ip, 16)
  const allNodes = [0xff, 2, ...Array<number>(13).fill(0), 1]
  const message = (checksum: number): number[] => [
    136,
    0,
    checksum >> 8,
    checksum & 0xff,
    0x20,
    0,
    0,
    0,
    ...address,
    2,
    1,
    ...own,
  ]
  const length = message(0).length
  const pseudo = [...address, ...allNodes, 0, 0, 0, length, 0, 0, 0, 58]
  const ip6 = [0x60, 0, 0, 0, 0, length, 58, 255, ...address, ...allNodes]
  const toAll = [0x33, 0x33, 0, 0, 0, 1]
  const checksum = internetChecksum([...pseudo, ...message(0)])
  return Uint8Array.from([...toAll, ...own, 0x86, 0xdd, ...ip6, ...message(checksum)])
}

const bytesOfMac = (mac: string): readonly number[] =>
  mac.split(':').map((byte) => Number.parseInt(byte, 16))

const bytesOf = (ip: IpAddress, count: number): readonly number[] => {
  const value = toInteger(ip)
  return Array.from({ length: count }, (_, at) =>
    Number((value >> BigInt(8 * (count - 1 - at))) & 255n),
  )
}

/** RFC 1071, of an even number of bytes. */
const internetChecksum = (bytes: readonly number[]): number => {
  let sum = 0
  for (const [at, byte] of bytes.entries()) sum += at % 2 === 0 ? byte * 256 : byte
  while (sum > 0xff_ff) sum = (sum & 0xff_ff) + (sum >>> 16)
  return ~sum & 0xff_ff
}
