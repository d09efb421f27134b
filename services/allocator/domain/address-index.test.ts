import { ipAddress, pool, tenantId } from '@weir/contract'
import { expect, test } from 'vitest'
import { createAddressIndex, type AddressClaim } from './address-index.ts'

const acme = tenantId.parse('acme')
const block = pool.parse({
  name: 'public',
  ranges: ['198.51.100.0/29'],
  priority: 1,
  tenants: null,
  quarantineSeconds: 60,
})
const at = (last: number) => ipAddress.parse(`198.51.100.${last}`)
const held = (last: number): AddressClaim => ({
  ip: at(last),
  tenant: acme,
  holder: `s${last}`,
  lastHolder: null,
  releasedAt: null,
  restsUntil: null,
})
const released = (last: number, when: number): AddressClaim => ({
  ...held(last),
  holder: null,
  lastHolder: `s${last}`,
  releasedAt: when,
  restsUntil: when + 60,
})

test('what rests counts as resting only until its time has passed', () => {
  const index = createAddressIndex()
  index.load([held(0), released(1, 100), released(2, 50)])
  expect(index.usage(block, 'IPv4', 90)).toEqual({ held: 1, quarantined: 2, nextFreeAt: 110 })
  expect(index.usage(block, 'IPv4', 130)).toEqual({ held: 1, quarantined: 1, nextFreeAt: 160 })
  expect(index.usage(block, 'IPv4', 160)).toEqual({ held: 1, quarantined: 0, nextFreeAt: null })
  expect(index.longestReleased(block, 'IPv4', 160)).toBe(at(2))
})

test('what was dropped is found again, and before what comes after it', () => {
  const index = createAddressIndex()
  for (let last = 0; last < 3; last += 1) {
    expect(index.neverUsed(block, 'IPv4')).toBe(at(last))
    index.set(held(last))
  }
  expect(index.neverUsed(block, 'IPv4')).toBe(at(3))
  index.drop(at(1))
  expect(index.neverUsed(block, 'IPv4')).toBe(at(1))
  expect(index.usage(block, 'IPv4', 0).held).toBe(2)
})

test('a note taken back leaves the order of releases as it was', () => {
  const index = createAddressIndex()
  index.load([released(1, 10), released(2, 20)])
  const before = index.get(at(1))
  index.set(held(1))
  if (before) index.set(before)
  expect(index.longestReleased(block, 'IPv4', 1000)).toBe(at(1))
})

test('a full pool has nothing new, however often it is asked', () => {
  const index = createAddressIndex()
  for (let last = 0; last < 8; last += 1) index.set(held(last))
  expect(index.neverUsed(block, 'IPv4')).toBeUndefined()
  expect(index.neverUsed(block, 'IPv4')).toBeUndefined()
  index.drop(at(7))
  expect(index.neverUsed(block, 'IPv4')).toBe(at(7))
})

test('what another tenant let go under the same name is not a way back', () => {
  const index = createAddressIndex()
  index.set(released(1, 10))
  expect(index.lastOf('acme', 's1')).toBe(at(1))
  expect(index.lastOf('rival', 's1')).toBeUndefined()
})

/** To parse so many addresses takes as long as the machine wants. */
const patient = { timeout: 60_000 }

test(
  'a choice and a refusal among 100,000 claims cost well under a millisecond each',
  patient,
  () => {
    const index = createAddressIndex()
    const wide = pool.parse({ ...block, ranges: ['10.0.0.0/15'] })
    const claims = Array.from({ length: 100_000 }, (_, n): AddressClaim => ({
      ...held(0),
      ip: ipAddress.parse(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`),
    }))
    index.load(claims)
    index.usage(wide, 'IPv4', 0)
    const began = performance.now()
    for (let n = 0; n < 1000; n += 1) {
      index.usage(wide, 'IPv4', n)
      index.longestReleased(wide, 'IPv4', n)
    }
    expect(performance.now() - began).toBeLessThan(1000)
  },
)
