import { ipAddress } from '@weir/contract'
import { expect, test } from 'vitest'
import { arpClaim, frameLength, neighbourClaim } from './claim-frames.ts'

const mac = '02:00:00:00:00:0a'
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test('a claim of an IPv4 address is a gratuitous ARP request to all', () => {
  const frame = arpClaim(mac, ipAddress.parse('203.0.113.10'))
  expect(frame).toHaveLength(frameLength.IPv4)
  expect(hex(frame)).toBe(
    'ffffffffffff02000000000a0806000108000604000102000000000acb00710a000000000000cb00710a',
  )
})

// The bytes are of another program that makes the same message; Linux takes them, which the lab shows.
test('a claim of an IPv6 address is an unsolicited advertisement with its checksum', () => {
  const frame = neighbourClaim(mac, ipAddress.parse('2001:db8:f::10'))
  expect(frame).toHaveLength(frameLength.IPv6)
  expect(hex(frame)).toBe(
    '33330000000102000000000a86dd6000000000203aff20010db8000f00000000000000000010ff0200000000000000000000000000018800f8e52000000020010db8000f00000000000000000010020102000000000a',
  )
})
