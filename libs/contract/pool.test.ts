import { describe, expect, test } from 'vitest'
import { ipAddress } from './net.ts'
import { pool, type Pool } from './platform-events.ts'
import { poolCovers, poolSize, runOf } from './pool.ts'

const poolOf = (...ranges: unknown[]): Pool =>
  pool.parse({ name: 'public', ranges, priority: 100, tenants: null, quarantineSeconds: 60 })
const [runA, runB] = [poolOf('198.51.100.0/30'), poolOf({ first: '::1', last: '::ff' })]

describe('a range is a run of addresses, both ends included', () => {
  test.each([
    ['198.51.100.0/24', 'IPv4', 256n],
    ['198.51.100.7/32', 'IPv4', 1n],
    ['0.0.0.0/0', 'IPv4', 2n ** 32n],
    ['2001:db8::/64', 'IPv6', 2n ** 64n],
    [{ first: '198.51.100.10', last: '198.51.100.10' }, 'IPv4', 1n],
    [{ first: '198.51.100.255', last: '198.51.101.0' }, 'IPv4', 2n],
  ])('%j is %s and has %d', (range, family, size) => {
    const [only] = poolOf(range).ranges
    if (!only) throw new Error('the pool has no range')
    const run = runOf(only)
    expect(run.family).toBe(family)
    expect(run.last - run.first + 1n).toBe(size)
  })
})

test.each([
  [{ first: '198.51.100.9', last: '198.51.100.1' }, 'comes after'],
  [{ first: '198.51.100.9', last: '2001:db8::1' }, 'different families'],
  ['198.51.100.1/24', 'write 198.51.100.0/24'],
])('the range %j is refused: %s', (range, rule) => {
  const read = pool.shape.ranges.safeParse([range])
  expect(JSON.stringify(read.error?.issues)).toContain(rule)
})

describe('the size of a pool', () => {
  test('is counted per family', () => {
    const both = poolOf('198.51.100.0/30', '203.0.113.0/31', '2001:db8::/120')
    expect(poolSize(both, 'IPv4')).toBe(6n)
    expect(poolSize(both, 'IPv6')).toBe(256n)
  })

  test('is nothing for a family it has not', () => expect(poolSize(runA, 'IPv6')).toBe(0n))
})

describe('a pool covers', () => {
  test.each([
    [runA, '198.51.100.0', true],
    [runA, '198.51.100.3', true],
    [runA, '198.51.100.4', false],
    [runA, '198.51.99.255', false],
    [runB, '::1', true],
    [runB, '::ff', true],
    [runB, '::100', false],
    // The same integers in the other family are other addresses.
    [runB, '0.0.0.1', false],
    [poolOf('0.0.0.0/0'), '::1', false],
  ])('%#: %s %s', (range, ip, covered) => {
    expect(poolCovers(range, ipAddress.parse(ip))).toBe(covered)
  })
})
