import { ipAddress, toInteger } from '@weir/contract'
import { assert } from '@weir/kernel'

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

export interface Endpoint {
  readonly address: string
  readonly port: number
}

const addressBytes = (address: string, length: number): Buffer => {
  const hex = toInteger(ipAddress.parse(address)).toString(16)
  return Buffer.from(hex.padStart(length * 2, '0'), 'hex')
}

/**
 * The PROXY protocol header of version 2 that tells a pod who connected to which frontend (HAProxy's
 * proxy-protocol.txt §2.2): signature, version 2 with command PROXY, TCP over IPv4 or IPv6, length,
 * then source address, destination address, source port, destination port.
 */
export const proxyHeaderV2 = (client: Endpoint, frontend: Endpoint): Buffer => {
  const isV6 = client.address.includes(':')
  assert(isV6 === frontend.address.includes(':'), 'a connection has one address family')
  const length = isV6 ? 16 : 4
  const fixed = Buffer.from([0x21, isV6 ? 0x21 : 0x11, 0, length * 2 + 4])
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(client.port, 0)
  ports.writeUInt16BE(frontend.port, 2)
  return Buffer.concat([
    signature,
    fixed,
    addressBytes(client.address, length),
    addressBytes(frontend.address, length),
    ports,
  ])
}
