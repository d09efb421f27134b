import type { Cidr } from '@weir/contract'
import { BlockList, isIPv6 } from 'node:net'

/** Says whether a client may connect; an empty list of ranges admits everyone. */
export const createSourceCheck = (ranges: readonly Cidr[]): ((client: string) => boolean) => {
  if (ranges.length === 0) return () => true
  // Despite its name, a list of ranges with a fast `check`.
  const list = new BlockList()
  for (const range of ranges) {
    const [network = '', bits = ''] = range.split('/')
    list.addSubnet(network, Number(bits), network.includes(':') ? 'ipv6' : 'ipv4')
  }
  return (client) => list.check(client, isIPv6(client) ? 'ipv6' : 'ipv4')
}
