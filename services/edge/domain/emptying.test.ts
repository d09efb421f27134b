import fc from 'fast-check'
import { expect, test } from 'vitest'
import { desiredOf } from '../rig/orders.ts'
import { isEmptiedByHealth, withOtherWords, type OtherWord } from './emptying.ts'

const targetsOf = (...weights: readonly number[]) =>
  desiredOf({
    frontends: [],
    targets: weights.map((weight, at) => ({ node: `n${at + 1}`, ip: `10.0.0.${at + 1}`, weight })),
  }).targets
const wordOf = (edge: string, healthy: Readonly<Record<string, number | null>>): OtherWord => ({
  edge,
  healthy: Object.entries(healthy).map(([node, weight]) => ({ node, weight })),
})

test.each<[string, readonly number[], readonly OtherWord[], Record<string, number>]>([
  ['nobody answers: the own word decides', [1, 1], [], {}],
  ['another edge has nobody healthy either: two agree', [1, 1], [wordOf('e2', {})], {}],
  ['another edge finds one healthy: it serves', [1, 1], [wordOf('e2', { n2: null })], { n2: 1 }],
  ['with the weight that it tells', [1, 1], [wordOf('e2', { n2: 7 })], { n2: 7 }],
  [
    'one edge that knows better is enough, and of two words the greater counts',
    [1, 1],
    [wordOf('e2', {}), wordOf('e3', { n1: 2 }), wordOf('e4', { n1: 3, n2: 1 })],
    { n1: 3, n2: 1 },
  ],
  ['a node that is not ordered does not serve', [1], [wordOf('e2', { n9: 1 })], {}],
  ['a node that drains does not serve', [0, 1], [wordOf('e2', { n1: 1 })], {}],
  ['a weight of 0 is no node that serves', [1], [wordOf('e2', { n1: 0 })], {}],
])('%s', (_rule, weights, words, expected) => {
  const serving = withOtherWords(targetsOf(...weights), words)
  expect(Object.fromEntries(serving.map(({ node, weight }) => [node, weight]))).toEqual(expected)
})

test.each([
  ['health empties a set that has nodes to take flows', [1, 0], 0, true],
  ['a set with a node left is not empty', [1, 1], 1, false],
  ['where no node is to take flows the order emptied it', [0, 0], 0, false],
  ['where no node is ordered at all, too', [], 0, false],
])('%s', (_rule, weights, usable, expected) => {
  const some = Array.from({ length: usable }, () => ({ node: 'n1', ip: '10.0.0.1', weight: 1 }))
  expect(isEmptiedByHealth(targetsOf(...weights), some)).toBe(expected)
})

test('whatever others say, only nodes that the order wants serve, once each, with some weight', () => {
  const word = fc.dictionary(
    fc.constantFrom('n1', 'n2', 'n3', 'n4'),
    fc.option(fc.nat({ max: 9 }), { nil: null }),
  )
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 3 }), { maxLength: 3 }), fc.array(word), (weights, said) => {
      const words = said.map((healthy, at) => wordOf(`e${at}`, healthy))
      const serving = withOtherWords(targetsOf(...weights), words)
      const wanted = targetsOf(...weights).filter(({ weight }) => weight > 0)
      expect(wanted.map(({ node }) => node)).toEqual(
        expect.arrayContaining(serving.map(({ node }) => node)),
      )
      expect(new Set(serving.map(({ node }) => node)).size).toBe(serving.length)
      expect(serving.every(({ weight }) => weight > 0)).toBe(true)
    }),
  )
})
