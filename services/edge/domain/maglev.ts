import { fnv1a } from '@weir/contract'
import { assert } from '@weir/kernel'

/** A node of a slot table. The weight is a whole number above 0. */
export interface WeightedNode {
  readonly node: string
  readonly weight: number
}

/** Sizes of slot tables. Each is prime, so that every step visits every slot. */
export const tableSizes = [61, 1021, 65_537] as const
export type TableSize = (typeof tableSizes)[number]

/**
 * The size of the slot table for these nodes.
 *
 * A filled table is off by about one slot per node, so the lightest node's error is one in as many slots
 * as it should have. 61 is taken while that is ten slots (10 %; six equal nodes), 1021 while it is five
 * (20 %, of the node that carries least; 204 equal nodes), 65537 for everything beyond. The published rule
 * of a hundred slots per node (1 %) would give nearly every set 1021 elements: seventeen times the kernel
 * memory and load time, for a balance that the randomness of a few hundred flows hides anyway.
 *
 * It depends on nothing but the nodes, so all edges choose alike. A set that passes a limit is dealt anew:
 * flows that are pinned stay, all others may move.
 */
export const tableSizeFor = (nodes: readonly WeightedNode[]): TableSize => {
  const total = nodes.reduce((sum, { weight }) => sum + weight, 0)
  const lightest = nodes.reduce((least, { weight }) => Math.min(least, weight), total)
  const slotsAt = (size: number): number => (size * lightest) / total
  if (nodes.length <= 1 || slotsAt(61) >= 10) return 61
  return slotsAt(1021) >= 5 ? 1021 : 65_537
}

/**
 * Which node each slot belongs to (Maglev, NSDI 2016, §3.4): the nodes take turns, each takes the first
 * free slot of a permutation of its own. A permutation depends on the node's name alone, so losing a node
 * frees its slots and moves few others: together 1.1 of its share among 3 nodes, 1.4 among 10, 2 among 20
 * and 4 to 5 among hundreds. A node of half the greatest weight takes part in every second round; all begin
 * with half a turn, so that shares are rounded and not cut off, which would favour the heaviest.
 *
 * The same nodes give the same table on every edge, in whatever order they come.
 *
 * @param seed makes tables of the same nodes differ; all edges must use the same.
 * @returns the node of each slot; empty when there are no nodes.
 */
export const slotTable = (
  nodes: readonly WeightedNode[],
  size: TableSize,
  seed: number,
): readonly string[] => {
  if (nodes.length === 0) return []
  for (const { node, weight } of nodes) {
    assert(Number.isSafeInteger(weight) && weight > 0, `the weight of node ${node} is above 0`)
  }
  const greatest = Math.max(...nodes.map(({ weight }) => weight))
  const turns = nodes
    .toSorted((a, b) => (a.node < b.node ? -1 : 1))
    .map(({ node, weight }) => ({
      node,
      weight,
      credit: greatest / 2,
      ...permutationOf(node, size, seed),
    }))
  const slots = Array.from<string | undefined>({ length: size })
  for (let filled = 0; filled < size;) {
    for (const turn of turns) {
      turn.credit += turn.weight
      if (turn.credit < greatest || filled === size) continue
      turn.credit -= greatest
      while (slots[turn.next] !== undefined) turn.next = (turn.next + turn.step) % size
      slots[turn.next] = turn.node
      filled += 1
    }
  }
  return slots.filter((node) => node !== undefined)
}

/** Where a node's permutation begins and how far it steps. */
const permutationOf = (node: string, size: number, seed: number) => {
  const name = fnv1a(node)
  return { next: mix(name ^ seed) % size, step: 1 + (mix(name + 0x9e37_79b9 + seed) % (size - 1)) }
}

/** The last step of MurmurHash3: FNV leaves names that differ in their last letter close together. */
const mix = (value: number): number => {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
