import { expect, test } from 'vitest'
import { intentHash, loadBalancerIntent, type LoadBalancerIntent } from './intent.ts'

const wish = (changes: Partial<Record<keyof LoadBalancerIntent, unknown>> = {}) =>
  loadBalancerIntent.parse({
    ports: [{ name: 'https', protocol: 'TCP', port: 443, nodePort: 30_443 }],
    externalTrafficPolicy: 'Cluster',
    healthCheckNodePort: null,
    sourceRanges: ['192.0.2.0/24'],
    sessionAffinity: { kind: 'None' },
    ipFamilies: ['IPv4'],
    requestedAddress: null,
    requestedPool: null,
    proxyProtocol: 'none',
    invalid: [],
    ...changes,
  })

/** The same value with every object's keys set in the opposite order. */
const turned = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(turned)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).toReversed()
  return Object.fromEntries(entries.map(([key, inner]) => [key, turned(inner)]))
}

test('equal wishes have equal hashes, whatever order their fields were set in', () => {
  expect(intentHash(turned(wish()) as LoadBalancerIntent)).toBe(intentHash(wish()))
})

test('addresses and blocks are compared as addresses, not as text', () => {
  const one = wish({ requestedAddress: '2001:DB8::1', sourceRanges: ['2001:DB8:0::/48'] })
  const other = wish({ requestedAddress: '2001:db8:0::1', sourceRanges: ['2001:db8::/48'] })
  expect(intentHash(one)).toBe(intentHash(other))
})

test.each<[string, Partial<Record<keyof LoadBalancerIntent, unknown>>]>([
  ['a port', { ports: [{ name: 'https', protocol: 'TCP', port: 8443, nodePort: 30_443 }] }],
  ['a node port', { ports: [{ name: 'https', protocol: 'TCP', port: 443, nodePort: 30_444 }] }],
  ['a protocol', { ports: [{ name: 'https', protocol: 'UDP', port: 443, nodePort: 30_443 }] }],
  ['the policy', { externalTrafficPolicy: 'Local' }],
  ['the port of health checks', { healthCheckNodePort: 32_101 }],
  ['the source ranges', { sourceRanges: [] }],
  ['the affinity', { sessionAffinity: { kind: 'ClientIP', timeoutSeconds: 60 } }],
  ['the families', { ipFamilies: ['IPv4', 'IPv6'] }],
  ['the address asked for', { requestedAddress: '198.51.100.7' }],
  ['the pool asked for', { requestedPool: 'public' }],
  ['the PROXY protocol', { proxyProtocol: 'v2' }],
  ['what is wrong with it', { invalid: [{ field: 'spec', problem: 'is odd' }] }],
])('another wish for %s is another hash', (_what, changes) => {
  expect(intentHash(wish(changes))).not.toBe(intentHash(wish()))
})
