import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { slotTable, tableSizeFor, tableSizes, type WeightedNode } from './maglev.ts'

const seed = 0x5eed
const tableOf = (nodes: readonly WeightedNode[], size = tableSizeFor(nodes)) =>
  slotTable(nodes, size, seed)
const countsOf = (slots: readonly string[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const node of slots) counts.set(node, (counts.get(node) ?? 0) + 1)
  return counts
}
const equal = (names: readonly string[]): WeightedNode[] =>
  names.map((node) => ({ node, weight: 1 }))
const moved = (before: readonly string[], after: readonly string[]): number =>
  before.filter((node, slot) => after[slot] !== node).length

const names = (min: number, max: number) =>
  fc.uniqueArray(fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,30}$/), {
    minLength: min,
    maxLength: max,
  })
const weighted = (min: number, max: number) =>
  names(min, max).chain((nodes) =>
    fc
      .array(fc.integer({ min: 1, max: 20 }), { minLength: nodes.length, maxLength: nodes.length })
      .map((weights) => nodes.map((node, at) => ({ node, weight: weights[at] ?? 1 }))),
  )
const size = fc.constantFrom(...tableSizes.slice(0, 2))

describe('a slot table', () => {
  test('is the same whatever order the nodes come in', () =>
    fc.assert(
      fc.property(weighted(1, 12), size, fc.infiniteStream(fc.nat()), (nodes, size, dice) => {
        const shuffled = nodes
          .map((node) => ({ node, at: dice.next().value }))
          .sort((a, b) => a.at - b.at)
          .map(({ node }) => node)
        expect(tableOf(shuffled, size)).toEqual(tableOf(nodes, size))
      }),
    ))

  test('has every slot filled, and only with its nodes', () =>
    fc.assert(
      fc.property(weighted(1, 30), size, (nodes, size) => {
        const slots = tableOf(nodes, size)
        expect(slots).toHaveLength(size)
        expect(
          [...countsOf(slots).keys()].every((name) => nodes.some((n) => n.node === name)),
        ).toBe(true)
      }),
    ))

  test('gives equal nodes the same number of slots, one more or less', () =>
    fc.assert(
      fc.property(names(1, 60), size, (nodes, size) => {
        const counts = [...countsOf(tableOf(equal(nodes), size)).values()]
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
      }),
    ))

  test('gives a node the share of its weight, off by what rounding each node’s share adds up to', () =>
    fc.assert(
      fc.property(weighted(1, 20), size, (nodes, size) => {
        const counts = countsOf(tableOf(nodes, size))
        const total = nodes.reduce((sum, { weight }) => sum + weight, 0)
        for (const { node, weight } of nodes) {
          const off = Math.abs((counts.get(node) ?? 0) - (size * weight) / total)
          // Half a slot for each node, of which it bears its share; and the round that was broken off.
          expect(off).toBeLessThanOrEqual(2.5 + (nodes.length / 2) * (weight / total))
        }
      }),
    ))

  test('is different for another seed', () => {
    const nodes = equal(['n1', 'n2', 'n3'])
    expect(slotTable(nodes, 61, 1)).not.toEqual(slotTable(nodes, 61, 2))
  })

  test('of no nodes is empty', () => expect(slotTable([], 61, seed)).toEqual([]))

  test('of a node without weight is a mistake of ours', () =>
    expect(() => slotTable([{ node: 'n1', weight: 0 }], 61, seed)).toThrow('node n1'))

  /** Pinned: edges of two versions serve beside each other while a fleet is updated. */
  test('stays what it was in earlier versions', () =>
    expect(slotTable(equal(['n1', 'n2', 'n3']), 61, seed).join(' ')).toMatchInlineSnapshot(
      `"n3 n1 n1 n2 n2 n3 n1 n3 n3 n1 n1 n2 n2 n2 n1 n2 n3 n2 n2 n2 n3 n1 n1 n1 n1 n1 n3 n3 n3 n3 n1 n2 n2 n1 n1 n2 n3 n3 n3 n3 n2 n2 n2 n1 n2 n2 n3 n1 n2 n2 n2 n1 n3 n1 n1 n1 n3 n3 n3 n1 n3"`,
    ))
})

describe('one node more or less', () => {
  /**
   * The slots of the lost node must move. What else moves is Maglev's price for an even table, and it
   * grows with the number of nodes. It is a property of many tables together, so it is asked of the mean.
   */
  test.each([
    [3, 1.1],
    [6, 1.3],
    [10, 1.4],
    [20, 2],
    [100, 5],
  ])('of %i equal nodes moves at most %f of its share', (count, bound) => {
    const shares: number[] = []
    for (let round = 0; round < 20; round += 1) {
      const all = Array.from({ length: count }, (_, at) => `r${round}-node-${at}`)
      const before = tableOf(equal(all), 1021)
      const after = tableOf(equal(all.slice(1)), 1021)
      const own = before.filter((node) => node === all[0]).length
      expect(moved(before, after)).toBeGreaterThanOrEqual(own)
      shares.push((moved(before, after) / 1021) * count)
    }
    expect(shares.reduce((sum, each) => sum + each, 0) / shares.length).toBeLessThanOrEqual(bound)
  })

  test('of 300 moves at most 4 of its share in the big table', () => {
    const all = Array.from({ length: 300 }, (_, at) => `node-${at}`)
    const [before, after] = [tableOf(equal(all)), tableOf(equal(all.slice(1)), 65_537)]
    expect((moved(before, after) / before.length) * all.length).toBeLessThanOrEqual(4)
  })
})

test.each<[string, number[], number]>([
  ['one node', [1], 61],
  ['one heavy node', [65_535], 61],
  ['six equal nodes', [1, 1, 1, 1, 1, 1], 61],
  ['seven equal nodes', [1, 1, 1, 1, 1, 1, 1], 1021],
  ['one pod beside nine', [1, 9], 1021],
  ['two nodes of five pods', [5, 5], 61],
  ['204 equal nodes', Array.from({ length: 204 }, () => 1), 1021],
  ['205 equal nodes', Array.from({ length: 205 }, () => 1), 65_537],
  ['one pod beside three hundred', [1, 300], 65_537],
])('%s: a table of the right size', (_what, weights, expected) => {
  expect(tableSizeFor(weights.map((weight, at) => ({ node: `n${at}`, weight })))).toBe(expected)
})
