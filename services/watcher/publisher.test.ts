import {
  clusterId,
  loadBalancerIntent,
  observation,
  serviceUid,
  tenantId,
  type NodesObservation,
} from '@weir/contract'
import type { OutgoingMessage } from '@weir/bus'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createPublisher, type PublisherPorts, type Sighting } from './publisher.ts'

let stop: AbortController
beforeEach(() => {
  stop = new AbortController()
})
afterEach(() => stop.abort())

const nodes = (...names: string[]): Sighting => ({
  kind: 'nodes',
  tenant: tenantId.parse('acme'),
  cluster: clusterId.parse('11111111-1111-4111-8111-111111111111'),
  nodes: names.map((name) => ({ name, addresses: [], excluded: null })),
})

const rising = (): (() => number) => {
  let order = 0
  return () => (order += 1)
}

const start = (
  fail: () => boolean = () => false,
  {
    clock = systemClock,
    nextOrder = rising(),
  }: Partial<Pick<PublisherPorts, 'clock' | 'nextOrder'>> = {},
) => {
  const sent: NodesObservation[] = []
  const publish = async (messages: readonly OutgoingMessage[]) => {
    if (fail()) throw new Error('the bus is away')
    sent.push(
      ...messages.map(({ body }) => observation.parse(JSON.parse(body)) as NodesObservation),
    )
    return []
  }
  const ports = { clock, nextOrder, ids: systemIds, logger: silentLogger, epoch: 3 }
  const publisher = createPublisher({ ...ports, bus: { publish } })
  return { sent, publisher, running: publisher.run(stop.signal) }
}

test('what has not changed is not said again, and everything is when asked for', async () => {
  const { sent, publisher } = start()
  await publisher.publish(nodes('a'))
  await publisher.publish(nodes('a'))
  expect(sent).toHaveLength(1)
  await publisher.again()
  expect(sent).toHaveLength(2)
})

test('what is gone is said again until it is known, and then no more', async () => {
  const { sent, publisher } = start()
  const uid = serviceUid.parse('22222222-2222-4222-8222-222222222222')
  const { tenant, cluster } = nodes()
  const service: Sighting = {
    kind: 'service',
    tenant,
    cluster,
    serviceUid: uid,
    namespace: 'default',
    name: 'web',
    phase: 'present',
    intent: loadBalancerIntent.parse({
      ports: [],
      externalTrafficPolicy: 'Cluster',
      healthCheckNodePort: null,
      sourceRanges: [],
      sessionAffinity: { kind: 'None' },
      ipFamilies: ['IPv4'],
      requestedAddress: null,
      requestedPool: null,
      proxyProtocol: 'none',
      invalid: [],
    }),
  }
  await publisher.publish(nodes('a'))
  await publisher.publish(service)
  await publisher.publish({ kind: 'endpoints', tenant, cluster, serviceUid: uid, readyByNode: {} })
  expect(publisher.gone()).toEqual([])
  await publisher.publish({ ...service, phase: 'gone' })
  expect(publisher.gone()).toEqual([uid])
  sent.length = 0
  await publisher.again()
  expect(sent).toHaveLength(3)
  publisher.forget(new Set([uid]))
  sent.length = 0
  await publisher.again()
  expect(sent.map(({ kind }) => kind)).toEqual(['nodes'])
})

test('only the newest of what waits for a bus that is away is published', async () => {
  let away = true
  const { sent, publisher } = start(() => away)
  const first = publisher.publish(nodes('a'))
  const second = publisher.publish(nodes('a', 'b'))
  away = false
  await Promise.all([first, second])
  expect(sent.map((seen) => seen.nodes.length)).toEqual([2])
})

test('a cluster that is taken up again by a clock that was set back goes on in order', async () => {
  const nextOrder = rising()
  const before = start(undefined, { nextOrder })
  await before.publisher.publish(nodes('a'))
  const clock = { ...systemClock, now: () => systemClock.now() - 60_000 }
  const after = start(undefined, { nextOrder, clock })
  await after.publisher.publish(nodes('b'))
  expect(after.sent[0]?.order).toBeGreaterThan(before.sent[0]?.order ?? Number.NaN)
  expect(after.sent[0]?.watcherEpoch).toBe(3)
})

test('nobody waits for a publisher that has ended', async () => {
  const { publisher, running } = start(() => true)
  const waiting = publisher.publish(nodes('a'))
  stop.abort()
  await running
  await waiting
  await publisher.publish(nodes('b'))
})
