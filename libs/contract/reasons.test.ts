import { expect, test } from 'vitest'
import { event, type DomainEvent } from './events.ts'
import { isRefusal, reasonOf, reasonText } from './reasons.ts'

const intentHash = 'a'.repeat(32)
const refusals = [
  event('PoolMissing', { intentHash, requestedPool: null }),
  event('PoolMissing', { intentHash, requestedPool: 'gold' as never }),
  event('PoolExhausted', { intentHash, tried: [], nextFreeAt: null }),
  event('AddressNotInPool', { intentHash, address: '192.0.2.1' as never, pools: [] }),
  event('AddressTaken', { intentHash, address: '192.0.2.1' as never, holder: null }),
  event('ProtocolUnsupported', { intentHash, protocols: ['SCTP'] }),
  event('FamilyUnsupported', { intentHash, family: 'IPv6' }),
  event('IntentInvalid', { intentHash, problems: [{ field: 'spec.x', problem: 'is odd' }] }),
  event('ResourceRefused', {
    key: 'x' as never,
    driver: 'edge' as never,
    capability: 'udp',
    problem: 'no sockets',
    intentHash,
  }),
] as const

test.each(refusals.map((refusal) => [refusal.type, refusal] as const))(
  'a refusal names cause and fix in one line: %s',
  (code, refusal) => {
    const reason = reasonOf(refusal)
    expect(reason.code).toBe(code)
    expect(reasonText(reason)).toMatch(/^[A-Z][A-Za-z]+: [^\n]{10,}\. To fix: [^\n]{10,}\.$/)
  },
)

test('a reason is told in full or cut at its end', () => {
  const problems = Array.from({ length: 20 }, () => ({ field: 'f', problem: 'x'.repeat(400) }))
  const long = reasonText(reasonOf(event('IntentInvalid', { intentHash, problems })), 300)
  expect(long).toHaveLength(300)
  expect(long.endsWith('…')).toBe(true)
})

test('what serves a Service is no refusal', () => {
  const served: DomainEvent = event('ReleaseRequested', { reason: 'service-gone' })
  expect(isRefusal(served)).toBe(false)
  expect(refusals.every((refusal) => isRefusal(refusal))).toBe(true)
})
