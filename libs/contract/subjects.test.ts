import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decodeEvent } from './codec.ts'
import { edgeId, fleetName, resourceKey, tenantId } from './ids.ts'
import { observation } from './observations.ts'
import {
  edgeHeartbeatSubject,
  edgeOrderSubject,
  edgeReportSubject,
  eventSubject,
  hintSubject,
  observationSubject,
  partitionCount,
  relayShardCount,
  relayShardOf,
  streams,
} from './subjects.ts'

const service = '0b2c7d1e-64f3-4c55-8f2a-91d7e0a4b6c3'
const golden = (name: string) => {
  const path = join(import.meta.dirname, 'golden', name)
  const decoded = decodeEvent(JSON.parse(readFileSync(path, 'utf8')))
  if (decoded.status !== 'known') throw new Error(`${name} was not known`)
  return decoded.event
}

// Consumers of a running platform filter by these: a change would strand what is under way.
describe('subjects are fixed for ever', () => {
  test('64 partitions and 16 shards', () => {
    expect([partitionCount, relayShardCount]).toEqual([64, 16])
  })

  test.each([
    ['LoadBalancerRequested.v1.json', 'weir.evt.36.acme.lb.LoadBalancerRequested'],
    ['ResourceAbsent.v1.json', 'weir.evt.36.acme.resource.ResourceAbsent'],
    ['FinalizerRemoved.v1.json', 'weir.evt.36.acme.status.FinalizerRemoved'],
  ])('%s travels on %s, with its whole story', (name, subject) => {
    expect(eventSubject(golden(name))).toBe(subject)
  })

  test.each([
    ['acme', 15],
    ['platform', 2],
  ])('the tenant %s is carried by shard %d', (tenant, shard) => {
    expect(relayShardOf(tenantId.parse(tenant))).toBe(shard)
  })

  test('the same story of another tenant may have another partition', () => {
    const event = golden('ResourceAbsent.v1.json')
    const other = { ...event, tenantid: tenantId.parse('globex') }
    expect(eventSubject(other)).toMatch(/^weir\.evt\.\d+\.globex\.resource\.ResourceAbsent$/)
  })

  test('an observation has one subject per cluster, kind and key', () => {
    const nodes = observation.parse({
      kind: 'nodes',
      tenant: 'acme',
      cluster: '5a8f7a52-0c1e-4a7b-9d1c-3a1f7c2b9e10',
      watcherEpoch: 0,
      order: 0,
      seenAt: '2026-03-01T12:00:00Z',
      nodes: [],
    })
    const subject = 'weir.obs.acme.5a8f7a52-0c1e-4a7b-9d1c-3a1f7c2b9e10.nodes.all'
    expect(observationSubject(nodes)).toBe(subject)
  })

  test('edges are told and heard per fleet', () => {
    const [fleet, edge] = [fleetName.parse('local'), edgeId.parse('edge-1')]
    const key = resourceKey.parse(`edge-${service}`)
    expect(edgeOrderSubject(fleet, key)).toBe(`weir.edge.local.order.edge-${service}`)
    const report = `weir.edge.local.report.edge-1.edge-${service}`
    expect(edgeReportSubject(fleet, edge, key)).toBe(report)
    expect(edgeHeartbeatSubject(fleet, edge)).toBe('weir.edge.local.heartbeat.edge-1')
    expect(hintSubject(15)).toBe('weir.hint.15')
  })
})

test('every subject lies in the stream that keeps it', () => {
  expect(streams.evt.subjects).toEqual(['weir.evt.>'])
  expect(streams.obs.subjects).toEqual(['weir.obs.>'])
  expect(streams.edge.subjects).toEqual(['weir.edge.>'])
})
