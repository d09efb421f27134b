import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tunnelMacOf } from './tunnel-mac.ts'

test('a node behind the tunnel has a MAC address that no other has, and no switch takes for a group', () => {
  expect(tunnelMacOf('10.2.0.21')).toBe('06:76:0a:02:00:15')
  fc.assert(
    fc.property(fc.uniqueArray(fc.ipV4(), { minLength: 2, maxLength: 50 }), (ips) => {
      const macs = ips.map(tunnelMacOf)
      expect(new Set(macs).size).toBe(ips.length)
      for (const mac of macs) expect(mac).toMatch(/^06:76(:[0-9a-f]{2}){4}$/)
    }),
  )
})

test('the outside of the tunnel is IPv4', () => expect(tunnelMacOf('2001:db8::1')).toBeUndefined())
