import { createHash } from 'node:crypto'
import { affinityClasses, keepChain, type AffinityClass } from '../../domain/affinity-class.ts'
import { tunnelMacRule } from '../../domain/tunnel-mac.ts'
import { tableSizes, type TableSize } from '../../domain/maglev.ts'

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
  /** The interface that nodes elsewhere are reached by; undefined when there are none. */
  readonly tunnel?: { readonly device: string; readonly index: number } | undefined
}

/** The rules without an interface, for a test of what nft makes of them. */
export const scratchText = (options: SkeletonOptions, table: string): string =>
  skeletonText(options)
    .replace(`netdev ${tableName} `, `netdev ${table} `)
    .replace(/^ {2}chain ingress \{.*?^ {2}\}\n/ms, '')

/** Flows that can be pinned at once; beyond that, new ones go by the slots alone. */
const mostPins = 262_144
/** Clients of sticky services that are known at once; beyond that, new ones go by their hash alone. */
const mostClients = 262_144
/** Datagrams in pieces that are under way at once, and how long a piece is waited for, as Linux does. */
const mostFragmented = 65_536
const fragmentSeconds = 30
const pinSeed = '0xc0de'
const slotSeed = '0x5eed'

/**
 * The table without elements: a constant number of rules, whatever the number of frontends.
 *
 * A packet to a frontend gets the service's id as its priority and a hash of its flow as its mark: a client may use
 * one port for several frontends of a service, and each of these is a flow of its own. A flow that is pinned goes to its node, and is pinned anew for as long again: a lookup alone refreshes nothing.
 * Any other is new: unless its frontend is closing, the hash picks a slot of the service's set, and the
 * flow is pinned to that slot's node. The packet leaves as it came but for the MAC addresses, so the node
 * sees the client's own address and answers it directly. The source is our own MAC: else the switch would
 * learn the router's at our port.
 *
 * A SYN begins a connection, whatever its port was used for before: the pin that it finds holds while that node
 * is one of the set, so that a SYN sent again goes where the first went; else the flow is forgotten and new.
 * Of a service with affinity the client's node counts alone. A datagram doesn't tell whether it begins a flow.
 *
 * A new flow of a service with affinity goes to the node its client is known to have, while that node is one
 * of the set; else the client is forgotten (an update leaves the node of an element as it is) and the hash
 * of its address alone picks the slot. Either way the client is known from now on for the time-out of the
 * service's class.
 *
 * An ICMP error for a frontend's address is about a packet that a node sent: "fragmentation needed" and
 * "packet too big" above all, without which big answers never pass a narrow link. It goes to the node of
 * the flow that it quotes, by its pin or else its slot, and pins nothing. Source ranges don't hold for it: it
 * comes from a router, and a node heeds it only for a connection it has.
 *
 * Of a datagram in pieces only the first has ports. The others follow it to its node; one that comes before it
 * is nobody's.
 *
 * What a switch floods is another's, whom it reaches as well: nothing but frames to our own MAC is looked at.
 *
 * Marks and priorities are scratch in this namespace. The name of an empty chain tells what rules these
 * are, since nft 1.0.6 shows no comments of tables.
 */
export const skeletonText = (options: SkeletonOptions): string => {
  const text = rulesText(options)
  return text.replace('SKELETON', skeletonName(options))
}

/** Names these very rules; a table with another one is not adopted. */
export const skeletonName = (options: SkeletonOptions): string => {
  // A rule knows an interface by its number: another of the same name is another.
  const rules = `${rulesText(options)} ${options.tunnel?.index ?? 0}`
  const digest = createHash('sha256').update(rules).digest('hex')
  return `rules_${digest.slice(0, 16)}`
}

const rulesText = ({ device, mac, pinSeconds, tunnel }: SkeletonOptions): string => `
table netdev ${tableName} {
  map fe { type ipv4_addr . inet_proto . inet_service : classid; }
  map fe6 { type ipv6_addr . inet_proto . inet_service : classid; }
  map inner { typeof ip daddr . ${innerFrontend('4')} : meta priority; }
  map inner6 { typeof ip6 daddr . ${innerFrontend('6')} : meta priority; }
  set closing { type ipv4_addr . inet_proto . inet_service; }
  set closing6 { type ipv6_addr . inet_proto . inet_service; }
  set restricted { type classid; }
  set allow { type classid . ipv4_addr; flags interval; }
  set allow6 { type classid . ipv6_addr; flags interval; }
  set sticky { type classid; }
  map keeps { type classid : verdict; }
  map pool61 { type classid : classid; }
  map pool1021 { type classid : classid; }
  map pool65537 { type classid : classid; }
  map slots { type classid . mark : ether_addr; }
  set nodes { type classid . ether_addr; }
  map pinned {
    type classid . mark : ether_addr
    flags dynamic,timeout; timeout ${pinSeconds}s; size ${mostPins};
  }
  map clients {
    type classid . mark : ether_addr
    flags dynamic,timeout; size ${mostClients};
  }
  map fragments {
    type mark : ether_addr
    flags dynamic,timeout; timeout ${fragmentSeconds}s; size ${mostFragmented};
  }
  counter forwarded { }
  counter denied { }
  counter unserved { }
  chain SKELETON {
  }
  chain out {
    ip frag-off & 0x3fff == 0x2000 ${hashFragment('4')} update @fragments { meta mark : ether daddr }
    frag more-fragments 1 frag frag-off 0 ${hashFragment('6')} update @fragments { meta mark : ether daddr }
    goto leave
  }
  chain leave {
    counter name forwarded
    ether saddr set ${mac}${tunnel ? `\n    ${tunnelMacRule} fwd to "${tunnel.device}"` : ''}
    fwd to "${device}"
  }
${affinityClasses.map(keepRules).join('')}
${tableSizes.map(handRules).join('')}
  chain hand {${bySize((size) => `hand${size}`)}
    counter name unserved drop
  }
${familyChains('4')}
${familyChains('6')}
${errorChains('4')}
${errorChains('6')}
  chain ingress {
    type filter hook ingress device "${device}" priority 0; policy accept;
    meta pkttype != host accept
    meta priority set ip daddr . meta l4proto . th dport map @fe goto lb4
    meta priority set ip6 daddr . meta l4proto . th dport map @fe6 goto lb6
    icmp type destination-unreachable @th,64,8 0x45 goto error4
    icmpv6 type { destination-unreachable, packet-too-big } goto error6
    ip frag-off & 0x1fff != 0 ${hashFragment('4')} ether daddr set meta mark map @fragments goto leave
    frag frag-off != 0 ${hashFragment('6')} ether daddr set meta mark map @fragments goto leave
  }
}
`

const client = '@clients { meta priority . meta mark'
const flow = '@pinned { meta priority . meta mark'

const keepRules = (seconds: AffinityClass): string => `
  chain ${keepChain(seconds)} {
    update ${client} timeout ${seconds}s : ether daddr }
    goto out
  }`

/** To the node of a slot, without pinning anything. */
const handRules = (size: TableSize): string => `
  chain hand${size} {
    ${hashSlot(size)}
    ether daddr set meta priority . meta mark map @slots goto out
    counter name unserved drop
  }`

/**
 * The packet that an ICMP error is about begins 8 bytes into it, without IP options: its protocol and source
 * port, which with the error's own target make the frontend that it left by, and whom it was for.
 */
const inner = {
  '4': {
    protocol: '@th,136,8',
    port: '@th,224,16',
    client: '@th,192,32',
    clientPort: '@th,240,16',
  },
  '6': {
    protocol: '@th,112,8',
    port: '@th,384,16',
    client: '@th,256,128',
    clientPort: '@th,400,16',
  },
} as const
const innerFrontend = (family: '4' | '6'): string =>
  `${inner[family].protocol} . ${inner[family].port}`

const hashSlot = (size: TableSize): string =>
  `meta mark set jhash meta mark mod ${size} seed ${slotSeed}`
const hashFor = (parts: string): string =>
  `meta mark set jhash ${parts} mod 0x7fffffff seed ${pinSeed}`

/** What the pieces of one datagram have in common. */
const hashFragment = (family: '4' | '6'): string =>
  family === '4'
    ? hashFor('ip saddr . ip daddr . ip id . ip protocol')
    : hashFor('ip6 saddr . ip6 daddr . frag id')

/** Where a service's set is found, by its size: one rule each. */
const bySize = (chainOf: (size: TableSize) => string): string =>
  tableSizes
    .map((size) => `\n    meta priority set meta priority map @pool${size} goto ${chainOf(size)}`)
    .join('')

const familyChains = (family: '4' | '6'): string => {
  const [ip, six] = family === '4' ? ['ip', ''] : ['ip6', '6']
  const frontend = `${ip} daddr . meta l4proto . th dport`
  const service = `meta priority set ${frontend} map @fe${six}`
  const pin = `update ${flow} : ether daddr }`
  const closed = `${frontend} @closing${six} counter name unserved drop`
  const denied = `meta priority . ${ip} saddr != @allow${six} counter name denied drop`
  const hashFlow = hashFor(`${ip} saddr . th sport . th dport . meta l4proto`)
  const hashClient = hashFor(`${ip} saddr`)
  return `
  chain keep${family} {
    ${hashClient}
    meta priority vmap @keeps
    goto out
  }
  chain pin${family} {
    ${service}
    ${hashFlow}
    ${pin}
    meta priority @sticky goto keep${family}
    goto out
  }${tableSizes.map((size) => dealChain(size, family)).join('')}
  chain new${family} {${bySize((size) => `deal${size}_${family}`)}
    counter name unserved drop
  }${heedChains(family, 'client', { of: client, service })}
  chain client${family} {
    ${hashClient}
    ether daddr set meta priority . meta mark map @clients goto heed_client${family}
    goto new${family}
  }${heedChains(family, 'flow', { of: flow, service })}
  chain begin${family} {
    ${closed}
    meta priority @sticky delete ${flow} : ether daddr }
    meta priority @sticky goto client${family}
    ether daddr set meta priority . meta mark map @pinned goto heed_flow${family}
    goto new${family}
  }
  chain lb${family} {
    meta priority @restricted ${denied}
    ${hashFlow}
    tcp flags & (syn | ack) == syn goto begin${family}
    ether daddr set meta priority . meta mark map @pinned ${pin} goto out
    ${closed}
    meta priority @sticky goto client${family}
    goto new${family}
  }`
}

const dealChain = (size: TableSize, family: '4' | '6'): string => `
  chain deal${size}_${family} {
    ${hashSlot(size)}
    ether daddr set meta priority . meta mark map @slots goto pin${family}
    counter name unserved drop
  }`

/** To the node that is remembered of a client or flow if it is one of the set, else that is forgotten. */
const heedChains = (
  family: '4' | '6',
  whose: string,
  { of, service }: { readonly of: string; readonly service: string },
): string => `
  chain stay_${whose}${family} {
    meta priority . ether daddr @nodes goto pin${family}
    ${service}
    delete ${of} : ether daddr }
    goto new${family}
  }
  chain heed_${whose}${family} {${bySize(() => `stay_${whose}${family}`)}
    counter name unserved drop
  }`

const errorChains = (family: '4' | '6'): string => {
  const [ip, six] = family === '4' ? ['ip', ''] : ['ip6', '6']
  const { protocol, port, client: address, clientPort } = inner[family]
  return `
  chain error${family} {
    meta priority set ${ip} daddr . ${innerFrontend(family)} map @inner${six} goto blame${family}
  }
  chain blame${family} {
    ${hashFor(`${address} . ${clientPort} . ${port} . ${protocol}`)}
    ether daddr set meta priority . meta mark map @pinned goto out
    meta priority @sticky ${hashFor(address)}
    meta priority @sticky ether daddr set meta priority . meta mark map @clients goto out
    goto hand
  }`
}
