import { keepText } from './affinity-class.ts'
import {
  classIdText,
  type BackendSet,
  type ForwardedService,
  type ForwardingTable,
  type SetId,
} from './forwarding-table.ts'

const keyedByFrontend = ['fe', 'fe6', 'inner', 'inner6', 'closing', 'closing6'] as const

/** The sets and maps of the table that we fill, in the order the pages of the kernel plane name them. */
export const mapNames = [
  ...keyedByFrontend,
  'restricted',
  'allow',
  'allow6',
  'sticky',
  'keeps',
  'pool61',
  'pool1021',
  'pool65537',
  'slots',
  'nodes',
] as const
export type MapName = (typeof mapNames)[number]

/** One element of a set, or of a map when it has a value. */
export interface Element {
  readonly map: MapName
  readonly key: string
  readonly value?: string
}

/** Such as id and range of `allow`, or id and MAC address of `nodes`. */
export const keyParts = (key: string): readonly string[] => key.split(' . ')

export const isFrontend = ({ map }: Element): boolean => map === 'fe' || map === 'fe6'
/** A range that a service lets in. */
export const isRange = ({ map }: Element): boolean => map === 'allow' || map === 'allow6'
/** Whose keys are frontends. */
export const frontendMaps: readonly MapName[] = keyedByFrontend

/** Every element of a table. */
export const elementsOf = ({ services, sets }: ForwardingTable): readonly Element[] => [
  ...[...services].flatMap(([id, service]) => elementsOfService(id, service)),
  ...[...sets].flatMap(([id, set]) => elementsOfSet(id, set)),
]

/** None of a service that is not there. */
export const elementsOfService = (
  id: number,
  service: ForwardedService | undefined,
): readonly Element[] => {
  if (service === undefined) return []
  const own = classIdText(id)
  const { frontends, ranges, affinity, set } = service
  const elements: Element[] = []
  for (const [key, state] of frontends) {
    const six = key.includes(':')
    elements.push({ map: six ? 'fe6' : 'fe', key, value: own })
    elements.push({ map: six ? 'inner6' : 'inner', key, value: own })
    if (state === 'closing') elements.push({ map: six ? 'closing6' : 'closing', key })
  }
  if (ranges !== undefined) elements.push({ map: 'restricted', key: own })
  for (const range of ranges ?? []) {
    elements.push({ map: range.includes(':') ? 'allow6' : 'allow', key: `${own} . ${range}` })
  }
  if (affinity !== undefined) {
    elements.push({ map: 'sticky', key: own })
    elements.push({ map: 'keeps', key: own, value: keepText(affinity) })
  }
  if (set) elements.push({ map: `pool${set.size}`, key: own, value: classIdText(set.id) })
  return elements
}

/** Each of its nodes once, and then its slots: no slot has a node that is none of the set. */
export const elementsOfSet = (id: number, set: BackendSet | undefined): readonly Element[] => [
  ...nodesOfSet(id, set),
  ...slotsOfSet(id, set),
]

const nodesOfSet = (id: number, set: BackendSet | undefined): readonly Element[] =>
  [...new Set(set?.slots)].map((mac) => ({ map: 'nodes', key: `${classIdText(id)} . ${mac}` }))

const slotsOfSet = (
  id: number,
  set: BackendSet | undefined,
  from = 0,
  to?: number,
): readonly Element[] =>
  (set?.slots ?? []).slice(from, to).map((mac, at) => ({
    map: 'slots',
    key: `${classIdText(id)} . ${from + at}`,
    value: mac,
  }))

/** The maps that are small enough to be listed whole: all but the one that has nearly all elements. */
export const listedMaps = mapNames.filter((name) => name !== 'slots')

/** The elements of one of these maps. */
export const elementsIn = (
  { services, sets }: ForwardingTable,
  map: (typeof listedMaps)[number],
): readonly Element[] =>
  map === 'nodes'
    ? [...sets].flatMap(([id, set]) => nodesOfSet(id, set))
    : [...services].flatMap(([id, service]) =>
        elementsOfService(id, service).filter((element) => element.map === map),
      )

/** Some slots of one set: number `from` and those after it, up to number `to`, which is none of them. */
export interface SlotSpan {
  readonly id: SetId
  readonly from: number
  readonly to: number
}

/** All slots of the sets in their order, in slices of `most` or, the last of them, fewer. */
export const slicesOfSlots = (
  sets: ReadonlyMap<SetId, BackendSet>,
  most: number,
): readonly (readonly SlotSpan[])[] => {
  const slices: SlotSpan[][] = []
  let room = 0
  for (const [id, { size }] of sets) {
    for (let from = 0; from < size;) {
      if (room === 0) {
        slices.push([])
        room = most
      }
      const to = Math.min(size, from + room)
      slices.at(-1)?.push({ id, from, to })
      room -= to - from
      from = to
    }
  }
  return slices
}

/** The elements of a slice as the sets are by now: one that is gone has none. */
export const elementsOfSlice = (
  sets: ReadonlyMap<SetId, BackendSet>,
  slice: readonly SlotSpan[],
): readonly Element[] => slice.flatMap(({ id, from, to }) => slotsOfSet(id, sets.get(id), from, to))
