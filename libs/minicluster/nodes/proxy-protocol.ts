/** What the first bytes of a stream say about a PROXY protocol v2 header. */
export type ProxyHeader =
  | { readonly status: 'Absent' }
  /** The bytes so far could be the start of one. */
  | { readonly status: 'Incomplete' }
  | { readonly status: 'Malformed' }
  | {
      readonly status: 'Read'
      /** Bytes that the header takes. */
      readonly length: number
      /** The client that the proxy names; undefined for a LOCAL connection or an unknown family. */
      readonly client: { readonly address: string; readonly port: number } | undefined
    }

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

const ipv6 = (bytes: Buffer): string => {
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16))
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}

/**
 * Reads a header of version 2 (HAProxy's proxy-protocol.txt §2.2): signature, version and command,
 * family and protocol, length, then addresses and TLVs, of which the TLVs are skipped.
 */
export const readProxyHeader = (bytes: Buffer): ProxyHeader => {
  const shared = Math.min(bytes.length, signature.length)
  if (bytes.compare(signature, 0, shared, 0, shared) !== 0) return { status: 'Absent' }
  if (bytes.length < 16) return { status: 'Incomplete' }
  const command = bytes.readUInt8(12)
  if (command !== 0x20 && command !== 0x21) return { status: 'Malformed' }
  const family = bytes.readUInt8(13)
  const size = bytes.readUInt16BE(14)
  const length = 16 + size
  if (bytes.length < length) return { status: 'Incomplete' }
  if (command === 0x20) return { status: 'Read', length, client: undefined }
  if (family === 0x11 || family === 0x12) {
    if (size < 12) return { status: 'Malformed' }
    const address = [...bytes.subarray(16, 20)].join('.')
    return { status: 'Read', length, client: { address, port: bytes.readUInt16BE(24) } }
  }
  if (family === 0x21 || family === 0x22) {
    if (size < 36) return { status: 'Malformed' }
    const address = ipv6(bytes.subarray(16, 32))
    return { status: 'Read', length, client: { address, port: bytes.readUInt16BE(48) } }
  }
  return { status: 'Read', length, client: undefined }
}
