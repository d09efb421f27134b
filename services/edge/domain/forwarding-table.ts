import type { Cidr } from '@weir/contract'
import type { AffinityClass } from './affinity-class.ts'
import type { TableSize } from './maglev.ts'

/** The number of a service in the kernel, as a tc class id; 1 is the first. */
export type ServiceId = number
/** The number of a backend set in the kernel, as a tc class id; 1 is the first. */
export type SetId = number

/** A frontend as the key of an element: `203.0.113.10 . 6 . 443`, with the protocol as its number. */
export type FrontendKey = string

/** An `open` frontend takes new flows, a `closing` one carries only those that are pinned to a node. */
export type FrontendState = 'open' | 'closing'

/** One resource as the kernel forwards it. */
export interface ForwardedService {
  readonly frontends: ReadonlyMap<FrontendKey, FrontendState>
  /** Who may send; undefined admits everyone, none of a family admits nobody of it. */
  readonly ranges: readonly Cidr[] | undefined
  /** How long new flows of a client address go to its node, seconds after its last one began. */
  readonly affinity: AffinityClass | undefined
  /** Where new flows go; undefined answers nobody. */
  readonly set: { readonly id: SetId; readonly size: TableSize } | undefined
}

/** The node of each slot, as the MAC address that packets are sent to. */
export interface BackendSet {
  readonly size: TableSize
  readonly slots: readonly string[]
}

/** What the maps of the kernel hold, the flows that are pinned apart. */
export interface ForwardingTable {
  readonly services: ReadonlyMap<ServiceId, ForwardedService>
  readonly sets: ReadonlyMap<SetId, BackendSet>
}

export const emptyTable: ForwardingTable = { services: new Map(), sets: new Map() }

/** The greatest class id that isn't reserved: 0 is none and ffff:ffff the root. */
const classIdMax = 0xffff_fffe

/** A class id as nft writes it: both halves in hexadecimal. */
export const classIdText = (id: number): string =>
  `${(id >>> 16).toString(16)}:${(id & 0xffff).toString(16)}`

/** @returns undefined for what is no class id that we give. */
export const classIdOf = (text: string): number | undefined => {
  const [, major, minor] = /^([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(text) ?? []
  if (major === undefined || minor === undefined) return undefined
  const id = Number.parseInt(major, 16) * 0x1_0000 + Number.parseInt(minor, 16)
  return id >= 1 && id <= classIdMax ? id : undefined
}

/** The class id after `id`; after the greatest comes the first. */
export const nextClassId = (id: number): number => (id >= classIdMax ? 1 : id + 1)
