/** How the MAC addresses of nodes behind the tunnel begin: unicast, administered locally. */
export const tunnelMacPrefix = '06:76'

/** Tells such an address from all others, as a rule of nft. */
export const tunnelMacRule = `ether daddr & ff:ff:00:00:00:00 == ${tunnelMacPrefix}:00:00:00:00`

/**
 * The MAC address that a node has inside the tunnel: made of its own IPv4 address, so that edges and the node
 * need not tell each other. `10.2.0.21` has `06:76:0a:02:00:15`.
 * @returns undefined for an IPv6 address: the tunnel's outside is IPv4.
 */
export const tunnelMacOf = (ip: string): string | undefined => {
  const bytes = ip.split('.').map(Number)
  if (bytes.length !== 4) return undefined
  return [tunnelMacPrefix, ...bytes.map((byte) => byte.toString(16).padStart(2, '0'))].join(':')
}
