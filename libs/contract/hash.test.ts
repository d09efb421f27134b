import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson, fnv1a, hashOf } from './hash.ts'

// Partitions and shards hang on these values: another function would move every key.
describe('FNV-1a', () => {
  test.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['foobar', 0xbf9cf968],
    ['Grüße', 3_089_264_184],
  ])('of %j is the published value', (text, value) => expect(fnv1a(text)).toBe(value))
})

describe('canonical JSON', () => {
  test('has its keys in order, at every depth, and nothing undefined', () => {
    const value = { b: 1, a: { d: undefined, c: [{ y: 1, x: null }] } }
    expect(canonicalJson(value)).toBe('{"a":{"c":[{"x":null,"y":1}]},"b":1}')
  })

  test('keeps the order of lists, which means something', () => {
    expect(canonicalJson(['b', 'a'])).toBe('["b","a"]')
  })

  test('reads back as the value it was made of', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value))
        expect(JSON.parse(canonicalJson(value))).toEqual(plain)
      }),
    )
  })
})

test('a fingerprint is the same on every machine', () => {
  expect(hashOf({ b: 1, a: [true, null, 'x'] })).toBe(hashOf({ a: [true, null, 'x'], b: 1 }))
  expect(hashOf({})).toBe('44136fa355b3678a1146ad16f7e8649e')
})
