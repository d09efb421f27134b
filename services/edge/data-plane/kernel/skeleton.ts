import { createHash } from 'node:crypto'

/** The one table that is ours; no other in the namespace is read or changed. */
export const tableName = 'weir'

/** What the rules of one edge machine depend on. */
export interface SkeletonOptions {
  /** The interface that clients' packets come in by and nodes are reached by. */
  readonly device: string
  /** Its own MAC address. */
  readonly mac: string
  /** How long a flow that says nothing stays with its node, seconds. */
  readonly pinSeconds: number
}

/** Flows that can be pinned at once; beyond that, new ones go by the slots alone. */
const mostPins = 262_144
const pinSeed = '0xc0de'
const slotSeed = '0x5eed'

/**
 * The table without elements: a constant number of rules, whatever the number of frontends.
 *
 * A packet to a frontend gets the service's id as its priority and a hash of its flow as its mark; of a
 * service with affinity, of its client alone. A flow that is pinned goes to its node, and is pinned anew
 * for as long again: a lookup alone refreshes nothing. Any other is new: unless its frontend is closing, the
 * hash picks a slot of the service's set, and the flow is pinned to that slot's node. The packet leaves
 * as it came but for the MAC addresses, so the node sees the client's own address and answers it directly.
 * The source is our own MAC: else the switch would learn the router's at our port.
 *
 * Marks and priorities are scratch in this namespace. The name of the last counter tells what rules these
 * are, since nft 1.0.6 shows no comments of tables.
 */
export const skeletonText = (options: SkeletonOptions): string => {
  const text = rulesText(options)
  return text.replace('SKELETON', skeletonName(options))
}

/** Names these very rules; a table with another one is not adopted. */
export const skeletonName = (options: SkeletonOptions): string => {
  const digest = createHash('sha256').update(rulesText(options)).digest('hex')
  return `rules_${digest.slice(0, 16)}`
}

const rulesText = ({ device, mac, pinSeconds }: SkeletonOptions): string => `
table netdev ${tableName} {
  map fe { type ipv4_addr . inet_proto . inet_service : classid; }
  map fe6 { type ipv6_addr . inet_proto . inet_service : classid; }
  set closing { type ipv4_addr . inet_proto . inet_service; }
  set closing6 { type ipv6_addr . inet_proto . inet_service; }
  set restricted { type classid; }
  set allow { type classid . ipv4_addr; flags interval; }
  set allow6 { type classid . ipv6_addr; flags interval; }
  set sticky { type classid; }
  map pool61 { type classid : classid; }
  map pool1021 { type classid : classid; }
  map pool65537 { type classid : classid; }
  map slots { type classid . mark : ether_addr; }
  map pinned {
    type classid . mark : ether_addr
    flags dynamic,timeout; timeout ${pinSeconds}s; size ${mostPins};
  }
  counter forwarded { }
  counter denied { }
  counter unserved { }
  counter SKELETON { }
  chain out {
    counter name forwarded
    ether saddr set ${mac} fwd to "${device}"
  }
${familyChains('4')}
${familyChains('6')}
  chain ingress {
    type filter hook ingress device "${device}" priority 0; policy accept;
    meta priority set ip daddr . ip protocol . th dport map @fe goto lb4
    meta priority set ip6 daddr . ip6 nexthdr . th dport map @fe6 goto lb6
  }
}
`

const familyChains = (family: '4' | '6'): string => {
  const [ip, six] = family === '4' ? ['ip', ''] : ['ip6', '6']
  const frontend = `${ip} daddr . ${family === '4' ? 'ip protocol' : 'ip6 nexthdr'} . th dport`
  const pin = 'update @pinned { meta priority . meta mark : ether daddr }'
  const denied = `meta priority . ${ip} saddr != @allow${six} counter name denied drop`
  const hash = `
    meta mark set jhash ${ip} saddr . th sport mod 0x7fffffff seed ${pinSeed}
    meta priority @sticky meta mark set jhash ${ip} saddr mod 0x7fffffff seed ${pinSeed}`
  const deal = (size: number): string => `
  chain deal${size}_${family} {
    meta mark set jhash meta mark mod ${size} seed ${slotSeed}
    ether daddr set meta priority . meta mark map @slots goto pin${family}
    counter name unserved drop
  }`
  return `  chain pin${family} {
    meta priority set ${frontend} map @fe${six}${hash}
    ${pin}
    goto out
  }
${deal(61)}${deal(1021)}${deal(65_537)}
  chain lb${family} {
    meta priority @restricted ${denied}${hash}
    ether daddr set meta priority . meta mark map @pinned ${pin} goto out
    ${frontend} @closing${six} counter name unserved drop
    meta priority set meta priority map @pool61 goto deal61_${family}
    meta priority set meta priority map @pool1021 goto deal1021_${family}
    meta priority set meta priority map @pool65537 goto deal65537_${family}
    counter name unserved drop
  }`
}
