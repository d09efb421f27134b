import { OperatingError } from '@weir/kernel'
import { z } from 'zod'
import type { Change } from '../../domain/forwarding-changes.ts'
import { mapNames, type Element, type MapName } from '../../domain/forwarding-elements.ts'
import type { RunProgram } from './run-program.ts'
import { skeletonName, skeletonText, tableName, type SkeletonOptions } from './skeleton.ts'

/** Where a flow or client goes: the service's id as text, the hash of it, the node's MAC address. */
export interface Pin {
  readonly service: string
  readonly flow: number
  readonly mac: string
}

export interface PacketCounts {
  readonly forwardedBytes: number
  readonly denied: number
  readonly unserved: number
}

/** Our table in the kernel. Written as text in transactions, read as JSON: nft 1.0.6 can do no other. */
export interface Nft {
  /** Whether the table is there with these very rules. */
  isLoaded(): Promise<boolean>
  /** Takes whatever is there under our name away and loads the rules, in one transaction. */
  load(): Promise<void>
  /** All of a change or nothing of it. */
  commit(change: Change): Promise<void>
  /** Every element of these, in their order. nft takes 25 s for 600,000, half of it the kernel's, which begins anew for each page. */
  elements(maps: readonly MapName[]): Promise<readonly Element[]>
  /**
   * Whether the kernel would take all of a change; it takes nothing. It refuses to add another value to a key that has one,
   * and to delete what is not there: so a part of a map is read, in 20 µs an element.
   */
  wouldTake(change: Change): Promise<boolean>
  pins(): Promise<readonly Pin[]>
  /** The clients that services with affinity know. */
  clients(): Promise<readonly Pin[]>
  unpin(pins: readonly Pin[]): Promise<void>
  /** What packets did since this was asked last, by whomever. */
  takeCounts(): Promise<PacketCounts>
}

/** @param table ours, or one to test with */
export const createNft = (
  run: RunProgram,
  skeleton: SkeletonOptions,
  table: string = tableName,
): Nft => {
  const write = async (text: string): Promise<void> => {
    await run(['nft', '-f', '-'], text)
  }
  // One at a time: nft 1.0.6 forgets all but the first of several.
  const read = async (...wanted: readonly string[]): Promise<readonly Listed[]> => {
    const text = await run(['nft', '-j', '-n', ...wanted])
    return understand(listing, text).nftables
  }
  const pinsIn = async (name: 'pinned' | 'clients'): Promise<readonly Pin[]> => {
    const [held] = (await read('list', 'map', 'netdev', table, name)).flatMap(
      ({ map }) => map ?? [],
    )
    return (held?.elem ?? []).flatMap((elem) => pin.safeParse(elem).data ?? [])
  }
  return {
    // Chains, sets and maps are all that nft lists without reading every element of every table first.
    isLoaded: async () =>
      (await read('list', 'chains', 'netdev')).some(
        ({ chain }) => chain?.table === table && chain.name === skeletonName(skeleton),
      ),
    // "table" before "delete" makes the delete good when there is none.
    load: () =>
      write(`table netdev ${table}\ndelete table netdev ${table}\n${skeletonText(skeleton)}`),
    commit: (change) => write(changeText(change, table)),
    elements: async (maps) => {
      const listed = await Promise.all(
        maps.map((name) => read('list', isMap(name) ? 'map' : 'set', 'netdev', table, name)),
      )
      return listed.flat().flatMap((one) => {
        const held = one.map ?? one.set
        return held === undefined ? [] : elementsIn(held)
      })
    },
    wouldTake: async (change) => {
      try {
        await run(['nft', '-c', '-f', '-'], changeText(change, table))
        return true
      } catch (error) {
        if (isRefusal(error)) return false
        throw error
      }
    },
    pins: () => pinsIn('pinned'),
    clients: () => pinsIn('clients'),
    unpin: async (pins) => {
      if (pins.length === 0) return
      const keys = pins.map(({ service, flow }) => `${service} . ${flow}`)
      const held = pins.map(({ mac }, at) => `${keys[at] ?? ''} : ${mac}`)
      // One that ended by itself since it was listed would fail the whole: it is added again first, to go with all.
      const pinned = `element netdev ${table} pinned`
      await write(`add ${pinned} { ${held.join(', ')} }\ndelete ${pinned} { ${keys.join(', ')} }\n`)
    },
    // Listing them would read every element; taking them does not.
    takeCounts: async () => {
      const counters = await read('reset', 'counters', 'table', 'netdev', table)
      const all = new Map(counters.flatMap(({ counter: one }) => (one ? [[one.name, one]] : [])))
      return {
        forwardedBytes: all.get('forwarded')?.bytes ?? 0,
        denied: all.get('denied')?.packets ?? 0,
        unserved: all.get('unserved')?.packets ?? 0,
      }
    },
  }
}

/** The words of EEXIST and ENOENT. */
const isRefusal = (error: unknown): boolean =>
  error instanceof OperatingError && /File exists|No such file or directory/.test(error.message)

const isMap = (name: MapName): boolean => /^(fe|inner|keeps|pool|slots)/.test(name)

const changeText = ({ deleted, added }: Change, table: string): string =>
  [
    ...statements(`delete element netdev ${table}`, deleted),
    ...statements(`add element netdev ${table}`, added),
  ].join('')

const statements = (what: string, elements: readonly Element[]): readonly string[] => {
  const byMap = Map.groupBy(elements, ({ map }) => map)
  return [...byMap].map(([map, own]) => {
    const texts = own.map(({ key, value }) => (value === undefined ? key : `${key} : ${value}`))
    return `${what} ${map} { ${texts.join(', ')} }\n`
  })
}

const part = z.union([
  z.string(),
  z.number().transform(String),
  z
    .object({ prefix: z.object({ addr: z.string(), len: z.number() }) })
    .transform(({ prefix }) => `${prefix.addr}/${prefix.len}`),
  z
    .object({ goto: z.object({ target: z.string() }) })
    .transform((verdict) => `goto ${verdict.goto.target}`),
])
// Nearly all elements are slots, whose key is of two parts: what is tried first is what they are.
const key = z.union([
  z.object({ concat: z.array(part) }).transform(({ concat }) => concat.join(' . ')),
  part,
])
const held = z.object({
  name: z.string(),
  elem: z.array(z.unknown()).default([]),
})
const counter = z.object({ name: z.string(), packets: z.number(), bytes: z.number() })
const listed = z.object({
  chain: z.object({ table: z.string(), name: z.string() }).optional(),
  map: held.optional(),
  set: held.optional(),
  counter: counter.optional(),
})
const listing = z.object({ nftables: z.array(listed) })
const pin = z
  .tuple([
    z.object({
      elem: z.object({ val: z.object({ concat: z.tuple([z.string(), z.number()]) }) }),
    }),
    z.string(),
  ])
  .transform(([{ elem }, mac]): Pin => {
    const [service, flow] = elem.val.concat
    return { service, flow, mac }
  })
type Listed = z.infer<typeof listed>

const elementsIn = ({ name, elem }: z.infer<typeof held>): readonly Element[] => {
  const map = mapNames.find((one) => one === name)
  if (map === undefined) return []
  return elem.map((one): Element => {
    if (!isMap(map)) return { map, key: whole(map, understood(key, one)) }
    const [from, value] = understood(z.tuple([key, part]), one)
    return { map, key: from, value }
  })
}

/** nft leaves the length out of a range that is one address. */
const whole = (map: MapName, text: string): string =>
  (map !== 'allow' && map !== 'allow6') || text.includes('/')
    ? text
    : `${text}/${map === 'allow' ? 32 : 128}`

const understood = <T>(schema: z.ZodType<T>, value: unknown): T => {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new OperatingError(`nft listed what is not understood: ${JSON.stringify(value)}`)
}

const understand = <T>(schema: z.ZodType<T>, text: string): T => {
  try {
    return understood(schema, JSON.parse(text))
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new OperatingError('nft answered what is no JSON', { cause })
  }
}
