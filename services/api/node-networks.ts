import { cidr, cidrContains, ipAddress, type Cidr } from '@weir/contract'
import { Problem } from './problem.ts'

/**
 * Where an edge meets itself, its neighbours on the wire or the metadata service of its cloud, and no node
 * of a tenant. Edges connect to node addresses from inside our network, to a port the tenant chooses.
 */
const reserved = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '::/96',
  '64:ff9b::/96',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
].map((block) => cidr.parse(block))

const firstOf = (block: Cidr) => ipAddress.parse(block.slice(0, block.indexOf('/')))

/** Two blocks have an address in common when the first one of either lies in the other. */
const overlap = (a: Cidr, b: Cidr): boolean =>
  cidrContains(a, firstOf(b)) || cidrContains(b, firstOf(a))

/** @throws Problem 403 for the first block in which only the platform itself may have nodes */
export const refuseReserved = (nodeCidrs: readonly Cidr[]): void => {
  for (const block of nodeCidrs) {
    const hit = reserved.find((each) => overlap(each, block))
    if (hit === undefined) continue
    throw new Problem(
      403,
      'reserved-network',
      `no node of a tenant may be in ${block}, which meets ${hit}`,
      "name the blocks of the nodes themselves, such as 10.1.0.0/16; only the platform's token may name this one",
    )
  }
}
