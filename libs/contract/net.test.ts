import { describe, expect, test } from 'vitest'
import { cidr, cidrContains, familyOf, fromInteger, ipAddress, toInteger } from './net.ts'

describe('an address', () => {
  test.each([
    ['198.51.100.7', '198.51.100.7'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['::1', '::1'],
  ])('%s is written %s', (text, canonical) => expect(ipAddress.parse(text)).toBe(canonical))

  test.each([
    '',
    '1.2.3',
    '010.0.0.1',
    '1.2.3.4 ',
    '0x7f.1',
    '::ffff:1.2.3.4',
    'fe80::1%eth0',
    '1.2.3.4/32',
    '256.1.1.1',
  ])('%j is refused by name', (text) => {
    const read = ipAddress.safeParse(text)
    expect(read.error?.issues[0]?.message).toContain('is not an IPv4 or IPv6 address')
  })

  test.each(['0.0.0.0', '198.51.100.7', '255.255.255.255', '2001:db8::ffff'])(
    '%s survives the way to an integer and back',
    (text) => {
      const ip = ipAddress.parse(text)
      expect(fromInteger(toInteger(ip), familyOf(ip))).toBe(ip)
    },
  )
})

describe('a block', () => {
  test.each([
    [' 10.0.0.0/8 ', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8::/32', '2001:db8::/32'],
  ])('%j is written %s', (text, canonical) => expect(cidr.parse(text)).toBe(canonical))

  test.each(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0.0/x', '::/129', '10.0.0.0/-1'])(
    '%j is refused',
    (text) => expect(cidr.safeParse(text).success).toBe(false),
  )

  test('bits after the prefix are refused with what to write', () => {
    expect(cidr.safeParse('10.1.2.3/8').error?.issues[0]?.message).toContain('write 10.0.0.0/8')
  })

  test('holds its own addresses and no others', () => {
    const block = cidr.parse('198.51.100.0/30')
    expect(cidrContains(block, ipAddress.parse('198.51.100.3'))).toBe(true)
    expect(cidrContains(block, ipAddress.parse('198.51.100.4'))).toBe(false)
    expect(cidrContains(block, ipAddress.parse('::1'))).toBe(false)
  })
})
