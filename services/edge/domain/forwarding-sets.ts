import {
  nextClassId,
  type BackendSet,
  type ForwardingTable,
  type ServiceId,
  type SetId,
} from './forwarding-table.ts'
import { slotTable, tableSizeFor, type TableSize, type WeightedNode } from './maglev.ts'

/** A node that takes new flows, and where packets for it go. */
export interface NodeMac extends WeightedNode {
  readonly mac: string
}

/** Which services send new flows to which set. Wishes are gathered and then settled together. */
export interface SetPool {
  /** `id` shall send to `nodes` from now on; it sent to `old`. */
  want(id: ServiceId, nodes: readonly NodeMac[], old: SetId | undefined): void
  leave(id: ServiceId, old: SetId | undefined): void
  settle(): SettledSets
  sets(): ReadonlyMap<SetId, BackendSet>
}

export interface SettledSets {
  /** What each service that wanted got; undefined for one without nodes. */
  readonly given: ReadonlyMap<ServiceId, SetRef | undefined>
  /** The sets that changed, as they were. */
  readonly before: ReadonlyMap<SetId, BackendSet>
  readonly touched: ReadonlySet<SetId>
}
type SetRef = { readonly id: SetId; readonly size: TableSize }

/** Every edge of every version has to use this one, or a flow that changes the edge changes the node. */
const seed = 0x5eed

interface Wish {
  readonly nodes: readonly NodeMac[]
  readonly old: SetId | undefined
}

export const createSetPool = (adopted: ForwardingTable): SetPool => {
  const sets = new Map(adopted.sets)
  const members = new Map<SetId, Set<ServiceId>>()
  /** Which nodes and weights a set was dealt for; unknown of one that was adopted. */
  const contents = new Map<SetId, string>()
  const idsByContent = new Map<string, SetId>()
  const wishes = new Map<ServiceId, Wish>()
  let newest = Math.max(0, ...sets.keys())
  for (const [id, { set }] of adopted.services) {
    if (set) members.set(set.id, new Set([...(members.get(set.id) ?? []), id]))
  }

  const label = (id: SetId, content: string): void => {
    const before = contents.get(id)
    if (before !== undefined) idsByContent.delete(before)
    contents.set(id, content)
    idsByContent.set(content, id)
  }
  const join = (id: SetId, service: ServiceId): void => {
    members.set(id, (members.get(id) ?? new Set<ServiceId>()).add(service))
  }
  const leave = (service: ServiceId, old: SetId | undefined): void => {
    if (old !== undefined) members.get(old)?.delete(service)
  }
  const isEmpty = (id: SetId): boolean => (members.get(id)?.size ?? 0) === 0
  const newId = (): SetId => {
    do newest = nextClassId(newest)
    while (sets.has(newest))
    return newest
  }
  /** A set that everybody left becomes the one they go to; otherwise a new one. */
  const idFor = (group: readonly Wish[], dealt: BackendSet): SetId => {
    const left = group.find(
      ({ old }) => old !== undefined && isEmpty(old) && sets.get(old)?.size === dealt.size,
    )
    return left?.old ?? newId()
  }
  const settleGroup = (content: string, services: readonly ServiceId[], settled: Draft): void => {
    const group = services.flatMap((id) => wishes.get(id) ?? [])
    const dealt = dealSlots(group[0]?.nodes ?? [])
    const same = group.find(
      ({ old }) => old !== undefined && !contents.has(old) && isSame(sets.get(old), dealt),
    )?.old
    const id = same ?? idFor(group, dealt)
    if (same === undefined) settled.change(id, dealt)
    label(id, content)
    for (const service of services) give(service, id, settled)
  }
  const give = (service: ServiceId, id: SetId, settled: Draft): void => {
    const set = sets.get(id)
    join(id, service)
    settled.given.set(service, set && { id, size: set.size })
  }
  interface Draft {
    readonly given: Map<ServiceId, SetRef | undefined>
    readonly before: Map<SetId, BackendSet>
    readonly touched: Set<SetId>
    change(id: SetId, now: BackendSet | undefined): void
  }
  const createDraft = (): Draft => {
    const before = new Map<SetId, BackendSet>()
    const touched = new Set<SetId>()
    const change = (id: SetId, now: BackendSet | undefined): void => {
      const set = sets.get(id)
      if (!touched.has(id) && set) before.set(id, set)
      touched.add(id)
      if (now) sets.set(id, now)
      else sets.delete(id)
    }
    return { given: new Map(), before, touched, change }
  }
  /** Those that find their set as it is join it; the others are grouped by what they want. */
  const joinKnown = (settled: Draft): ReadonlyMap<string, readonly ServiceId[]> => {
    const groups = new Map<string, ServiceId[]>()
    for (const [service, { nodes }] of wishes) {
      const content = contentOf(nodes)
      const known = idsByContent.get(content)
      if (nodes.length === 0) settled.given.set(service, undefined)
      else if (known !== undefined) give(service, known, settled)
      else groups.set(content, [...(groups.get(content) ?? []), service])
    }
    return groups
  }
  const deleteEmpty = (settled: Draft): void => {
    for (const [id, own] of members) {
      if (own.size > 0) continue
      members.delete(id)
      const content = contents.get(id)
      if (content !== undefined) idsByContent.delete(content)
      contents.delete(id)
      settled.change(id, undefined)
    }
  }

  return {
    want: (id, nodes, old) => {
      leave(id, old)
      wishes.set(id, { nodes, old })
    },
    leave: (id, old) => {
      leave(id, old)
      wishes.delete(id)
    },
    settle: () => {
      const settled = createDraft()
      for (const [content, services] of joinKnown(settled)) settleGroup(content, services, settled)
      wishes.clear()
      deleteEmpty(settled)
      return settled
    },
    sets: () => sets,
  }
}

/** The same text for the same nodes, weights and addresses, in whatever order. */
const contentOf = (nodes: readonly NodeMac[]): string =>
  nodes
    .map(({ node, weight, mac }) => `${node} ${weight} ${mac}`)
    .sort()
    .join()

const dealSlots = (nodes: readonly NodeMac[]): BackendSet => {
  const size = tableSizeFor(nodes)
  const macs = new Map(nodes.map(({ node, mac }) => [node, mac]))
  return { size, slots: slotTable(nodes, size, seed).map((node) => macs.get(node) ?? '') }
}

const isSame = (a: BackendSet | undefined, b: BackendSet): boolean =>
  a?.size === b.size && a.slots.every((mac, slot) => mac === b.slots[slot])
