import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decodeEvent } from './codec.ts'
import { isRefusal, reasonOf, reasonText } from './reasons.ts'

const golden = (type: string) => {
  const path = join(import.meta.dirname, `golden/${type}.v1.json`)
  const decoded = decodeEvent(JSON.parse(readFileSync(path, 'utf8')))
  if (decoded.status !== 'known') throw new Error(`${type} was not known`)
  return decoded.event
}
const reason = (type: string) => {
  const event = golden(type)
  if (!isRefusal(event)) throw new Error(`${type} is no refusal`)
  return reasonOf(event)
}

describe('a refusal tells the cause and the way out', () => {
  test.each([
    ['PoolMissing', 'premium', 'pool annotation'],
    ['PoolExhausted', 'public (254)', 'heals when an address comes free'],
    ['AddressNotInPool', '203.0.113.9', 'the pools public'],
    ['AddressTaken', '9c4e1f60-2b7d-4e8a-a1c5-77d02f3e8b94', 'ask for another'],
    ['ProtocolUnsupported', 'SCTP', 'remove the ports'],
    ['FamilyUnsupported', 'IPv6', 'spec.ipFamilies'],
    ['IntentInvalid', 'spec.loadBalancerSourceRanges[0]', 'correct it'],
    ['ResourceRefused', 'the driver edge cannot do SCTP', 'does without'],
  ])('%s', (type, cause, wayOut) => {
    const { code, message, fix } = reason(type)
    expect(code).toBe(type)
    expect(message).toContain(cause)
    expect(fix).toContain(wayOut)
    expect(`${message}${fix}`).not.toMatch(/undefined|\.$/)
  })

  test("another tenant's Service is never named", () => {
    const taken = golden('AddressTaken')
    if (taken.type !== 'AddressTaken') throw new Error('another type')
    const { message } = reasonOf({ ...taken, data: { ...taken.data, holder: null } })
    expect(message).toBe('the address 198.51.100.7 is held by another load balancer')
  })
})

test('a step of the life is no refusal', () => {
  expect(isRefusal(golden('FrontendsAllocated'))).toBe(false)
})

test('as one line it fits where it is written', () => {
  const long = { code: 'IntentInvalid', message: 'x'.repeat(2000), fix: 'y' }
  expect(reasonText(long)).toHaveLength(900)
  expect(reasonText({ code: 'C', message: 'm', fix: 'f' })).toBe('C: m. To fix: f.')
})
