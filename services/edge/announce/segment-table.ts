import { fromInteger, ipAddress, toInteger, type IpAddress } from '@weir/contract'
import { OperatingError } from '@weir/kernel'
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { RunProgram } from '../data-plane/kernel/run-program.ts'

/** What the kernel knows of addresses on the segment; outlives the agent. */
export interface Segment {
  /** Addresses whose claims are listened for. */
  readonly watched: ReadonlySet<IpAddress>
  /** Addresses of the interface that are ours: nothing but the data plane answers on them. */
  readonly placed: ReadonlySet<IpAddress>
  /** Addresses that this edge answers ARP and neighbour solicitations for. */
  readonly answered: ReadonlySet<IpAddress>
  /** Who else claimed an address in the last seconds, the least MAC address of several. */
  readonly heard: ReadonlyMap<IpAddress, string>
}

/** The rules of the segment in the kernel. Calls throw OperatingError. */
export interface SegmentTable {
  /** Loads the rules, unless an earlier process left these very ones. */
  open(): Promise<void>
  read(): Promise<Segment>
  /** Brings the three sets from what was read to what is wanted, in one transaction. */
  write(from: Segment, to: Omit<Segment, 'heard'>): Promise<void>
}

const table = 'weir_l2'
/** Claims come every second. */
const heardSeconds = 3

/**
 * The claim of another has the kernel stop answering at once, whatever the agent does: two never answer for long.
 * Packets for our addresses that the data plane left are dropped, so no local program answers on them.
 *
 * nft 1.0.6 has no word for the target of a neighbour message and does not take a piece of a packet for an
 * address, so IPv6 has each set twice, once of plain numbers.
 */
const rulesText = (device: string, mac: string): string => {
  const target = '@th,64,128'
  return `
table netdev ${table} {
  set watched { type ipv4_addr . ipv4_addr; }
  set placed { type ipv4_addr; }
  set answered { type ipv4_addr; flags dynamic; }
  set heard { type ipv4_addr . ether_addr; flags dynamic,timeout; timeout ${heardSeconds}s; }
  set watched6 { typeof ${target}; }
  set placed6 { type ipv6_addr; }
  set answered6 { typeof ${target}; flags dynamic; }
  set heard6 { typeof ${target} . ether saddr; flags dynamic,timeout; timeout ${heardSeconds}s; }
  chain claimed {
    ether saddr ${mac} return
    update @heard { arp saddr ip . ether saddr }
    delete @answered { arp saddr ip }
  }
  chain claimed6 {
    ether saddr ${mac} return
    update @heard6 { ${target} . ether saddr }
    delete @answered6 { ${target} }
  }
  chain RULES {
  }
  chain ingress {
    type filter hook ingress device "${device}" priority 10; policy accept;
    arp saddr ip . arp daddr ip @watched jump claimed
    arp operation request arp daddr ip @placed arp daddr ip != @answered drop
    ip daddr @placed drop
    icmpv6 type nd-neighbor-advert ${target} @watched6 jump claimed6
    icmpv6 type nd-neighbor-solicit ${target} @watched6 ${target} != @answered6 drop
    icmpv6 type nd-neighbor-solicit accept
    ip6 daddr @placed6 drop
  }
}
`
}

export const createSegmentTable = (run: RunProgram, device: string, mac: string): SegmentTable => {
  const rules = rulesText(device, mac)
  const name = `rules_${createHash('sha256').update(rules).digest('hex').slice(0, 16)}`
  const list = async (...what: readonly string[]) => {
    const said = listing.safeParse(JSON.parse(await run(['nft', '-j', '-n', 'list', ...what])))
    if (said.success) return said.data.nftables
    throw new OperatingError(`nft listed what is not understood`, { cause: said.error })
  }
  const load = async (): Promise<void> => {
    const fresh = `table netdev ${table} { }\ndelete table netdev ${table}\n`
    await run(['nft', '-f', '-'], fresh + rules.replace('RULES', name))
  }
  const read = async (): Promise<Segment | undefined> => {
    const tables = await list('tables')
    if (!tables.some((each) => each.table?.family === 'netdev' && each.table.name === table)) {
      return undefined
    }
    const listed = await list('table', 'netdev', table)
    if (!listed.some(({ chain }) => chain?.name === name)) return undefined
    const elements = new Map(listed.flatMap(({ set }) => (set ? [[set.name, set.elem ?? []]] : [])))
    return segmentOf((set) => elements.get(set) ?? [])
  }
  return {
    open: async () => {
      if ((await read()) === undefined) await load()
    },
    read: async () => {
      const segment = await read()
      if (segment) return segment
      await load()
      return { watched: new Set(), placed: new Set(), answered: new Set(), heard: new Map() }
    },
    write: async (from, to) => {
      const lines = (['watched', 'placed', 'answered'] as const).flatMap((set) => [
        ...elementLines('delete', set, without(from[set], to[set])),
        ...elementLines('add', set, without(to[set], from[set])),
      ])
      if (lines.length > 0) await run(['nft', '-f', '-'], lines.join('\n') + '\n')
    },
  }
}

const without = (set: ReadonlySet<IpAddress>, those: ReadonlySet<IpAddress>) =>
  [...set].filter((ip) => !those.has(ip))

const elementLines = (
  verb: 'add' | 'delete',
  set: 'watched' | 'placed' | 'answered',
  ips: readonly IpAddress[],
): readonly string[] =>
  ips.map((ip) => {
    const isSix = ip.includes(':')
    const element = isSix && set !== 'placed' ? numberText(ip) : ip
    const key = set === 'watched' && !isSix ? `${ip} . ${ip}` : element
    return `${verb} element netdev ${table} ${set}${isSix ? '6' : ''} { ${key} }`
  })

const numberText = (ip: IpAddress): string => `0x${toInteger(ip).toString(16).padStart(32, '0')}`

const plain = z.union([z.string(), z.int()])
const element = z.union([
  plain.transform((value) => [value]),
  z.object({ concat: z.array(plain) }).transform(({ concat }) => concat),
  z
    .object({ elem: z.object({ val: z.object({ concat: z.array(plain) }) }) })
    .transform(({ elem }) => elem.val.concat),
])
type Listed = z.infer<typeof element>
const named = z.object({ name: z.string() })
const listing = z.object({
  nftables: z.array(
    z.object({
      table: z.object({ family: z.string(), name: z.string() }).optional(),
      chain: named.optional(),
      set: named.extend({ elem: z.array(element).optional() }).optional(),
    }),
  ),
})

const segmentOf = (elementsOf: (set: string) => readonly Listed[]): Segment => {
  const addresses = (set: string): ReadonlySet<IpAddress> =>
    new Set([...elementsOf(set), ...elementsOf(`${set}6`)].flatMap(([first]) => addressIn(first)))
  const claims = [...elementsOf('heard'), ...elementsOf('heard6')].flatMap(([first, mac]) =>
    addressIn(first).map((ip) => [ip, String(mac)] as const),
  )
  return {
    watched: addresses('watched'),
    placed: addresses('placed'),
    answered: addresses('answered'),
    // The least comes last, and stays.
    heard: new Map(claims.toSorted(([, a], [, b]) => (a < b ? 1 : -1))),
  }
}

/** nft writes plain numbers as hexadecimal text. */
const addressIn = (text: string | number | undefined): readonly IpAddress[] => {
  if (text === undefined) return []
  if (String(text).startsWith('0x')) return [fromInteger(BigInt(text), 'IPv6')]
  const parsed = ipAddress.safeParse(text)
  return parsed.success ? [parsed.data] : []
}
