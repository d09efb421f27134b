import { describe, expect, test } from 'vitest'
import { observation, observationFacts, observationKey } from './observations.ts'

const seen = {
  tenant: 'acme',
  cluster: '5a8f7a52-0c1e-4a7b-9d1c-3a1f7c2b9e10',
  watcherEpoch: 3,
  order: 12,
  seenAt: '2026-03-01T12:00:00.000Z',
}
const service = '0b2c7d1e-64f3-4c55-8f2a-91d7e0a4b6c3'
const nodes = observation.parse({
  kind: 'nodes',
  ...seen,
  nodes: [{ name: 'node-1', addresses: ['10.0.0.11'], excluded: null }],
})
const endpoints = observation.parse({
  kind: 'endpoints',
  ...seen,
  serviceUid: service,
  readyByNode: { 'node-1': 3 },
})

describe('the key of an observation', () => {
  test('is the Service, for what is about one', () => {
    expect(observationKey(endpoints)).toBe(service)
  })
  test('is `all` for the set of nodes', () => expect(observationKey(nodes)).toBe('all'))
})

describe('the facts of an observation', () => {
  test('are the same whoever saw them, and whenever', () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const later = { watcherEpoch: 4, order: 1, seenAt: '2026-03-02T00:00:00.000Z', traceparent }
    expect(observationFacts({ ...nodes, ...later })).toEqual(observationFacts(nodes))
  })

  test('keep what and where it is about', () => {
    expect(observationFacts(endpoints)).toEqual({
      kind: 'endpoints',
      tenant: seen.tenant,
      cluster: seen.cluster,
      serviceUid: service,
      readyByNode: { 'node-1': 3 },
    })
  })

  test('differ when what was seen differs', () => {
    const other = observation.parse({ ...endpoints, readyByNode: { 'node-1': 2 } })
    expect(observationFacts(other)).not.toEqual(observationFacts(endpoints))
  })
})

test('a node without ready pods is left out rather than counted as none', () => {
  expect(observation.safeParse({ ...endpoints, readyByNode: { 'node-1': 0 } }).success).toBe(false)
})
