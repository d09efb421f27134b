import { desiredResource, driverName, fleetName, installationId } from '@weir/contract'
import { createMemoryDriver, remove, serve } from '@weir/drivers'
import { systemClock, systemIds } from '@weir/kernel'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Explanation } from './cleanup-explain.ts'
import { createFleetReader, type CleanupReport, type Finding } from './fleet.ts'
import { openApi, requested, said, type Api } from './rig/api.ts'
import type { FleetReader } from './routes/fleet.ts'

const service = '0b2c7d1e-64f3-4c55-8f2a-91d7e0a4b6c3'
const installation = installationId.parse('ours')
const desired = desiredResource.parse({
  marks: {
    installation,
    tenant: 'acme',
    cluster: '5a8f7a52-0c1e-4a7b-9d1c-3a1f7c2b9e10',
    service,
    key: `edge-${service}`,
    epoch: 1,
  },
  driver: 'edge',
  generation: 1,
  frontends: [{ ip: '127.1.0.1', protocol: 'TCP', port: 80, nodePort: 30_080 }],
  targets: [],
  policy: 'Cluster',
  health: { port: 10_256, path: '/healthz', weightFromHeader: false },
  sourceRanges: [],
  affinity: { kind: 'None' },
  proxyProtocol: 'none',
})
const intended = said('ResourceIntended', {
  key: desired.marks.key,
  epoch: 1,
  generation: 1,
  driver: 'edge',
  externalName: `${desired.marks.key}-1`,
  desired,
})
const releasing = said('ReleaseRequested', { reason: 'service-deleted' })
const released = said('FrontendsReleased', { leases: [], frontends: [], quarantineUntil: null })

let api: Api
let heartbeats: string[]
let driver: ReturnType<typeof createMemoryDriver>
let reader: FleetReader
beforeEach(async () => {
  api = await openApi()
  heartbeats = []
  driver = createMemoryDriver({ name: 'edge', installation })
  const bus = {
    lastOfEach: async function* (_stream: string, _filter: string) {
      for (const body of heartbeats) yield { body }
    },
  }
  reader = createFleetReader({
    bus: bus as never,
    clock: systemClock,
    ids: systemIds,
    log: api.store.log,
    drivers: new Map([['edge', driver]]),
    schemaProblem: async () => null,
    fleets: async () => [{ driver: driverName.parse('edge'), fleet: fleetName.parse('local') }],
    installation,
    graceMs: 60_000,
  })
})
afterEach(() => api.close())

const findings = async (): Promise<readonly Finding[]> => {
  const report = (await reader.report()) as { findings: readonly Finding[] }
  return report.findings
}

describe('the report', () => {
  test('tells of a cluster that lost so much that nothing of it is released, until that is over', async () => {
    const id = desired.marks.cluster
    const held = async () =>
      ((await reader.report()) as CleanupReport).held.filter(
        ({ name }) => name === 'services-missing',
      )
    const missing = said('ServicesMissing', { id, missing: 6, of: 10 })
    for (const end of ['ServicesReturned', 'AbsenceApproved'] as const) {
      await api.tell(id, missing)
      expect((await held()).map(({ why }) => why)).toEqual([
        expect.stringMatching(/^tenant acme: 6 of 10 .* weir cluster approve-absence 5a8f7a52/),
      ])
      await api.tell(id, said(end, { id }))
      expect(await held()).toEqual([])
    }
  })

  test('has nothing to say of what must exist', async () => {
    await api.tell(service, requested(service, 'web'), intended)
    await serve(driver, desired)
    expect(await reader.report()).toMatchObject({ examined: 1, mode: 'observe', findings: [] })
  })

  test('names what outlived its Service, and whose it was', async () => {
    await api.tell(service, requested(service, 'web'), intended, releasing, released)
    await serve(driver, desired)
    expect(await findings()).toMatchObject([{ kind: 'orphan', tenant: 'acme', service }])
  })

  test('does not take an old list for the truth', async () => {
    await api.tell(service, requested(service, 'web'), intended, releasing, released)
    await serve(driver, desired)
    driver.freezeList(true)
    await remove(driver, desired.marks)
    expect(await findings()).toEqual([])
  })

  test('tells what nobody intended from what is to be removed', async () => {
    await serve(driver, desired)
    const [found] = await findings()
    expect(found?.kind).toBe('no-intent')
    expect(found?.problem).toContain('never deleted by itself')
  })

  test('names an address that is held although its story is over', async () => {
    await api.tell(service, requested(service, 'web'), releasing, released)
    await api.store.log.append({
      tenant: desired.marks.tenant,
      commandId: 'take',
      events: [],
      claims: [{ change: 'take', scope: 'address', key: '127.1.0.1', holder: service }],
      actor: 'test',
      correlationId: service,
      causationId: 'test',
    })
    const [found] = await findings()
    expect(found).toMatchObject({ kind: 'held-without-reason', ref: 'address 127.1.0.1', service })
  })

  test('is the same for two who ask at once', async () => {
    await api.tell(service, requested(service, 'web'), intended, releasing, released)
    await serve(driver, desired)
    const [one, other] = await Promise.all([findings(), findings()])
    expect(one).toHaveLength(1)
    expect(other).toEqual(one)
  })
})

test('an edge that says what nobody understands hides none of the others', async () => {
  const at = '2026-03-01T12:00:00.000Z'
  const beat = { fleet: 'local', dataPlane: 'userspace', startedAt: at, at, resources: [] }
  heartbeats = ['not JSON', '{}']
  heartbeats.push(...['edge-2', 'edge-1'].map((edge) => JSON.stringify({ ...beat, edge })))
  expect(await reader.edges()).toMatchObject([{ edge: 'edge-1' }, { edge: 'edge-2' }])
})

describe('an explanation', () => {
  const explain = async (text: string) => (await reader.explain(text)) as Explanation | undefined

  test('of what must exist says which intent wants it', async () => {
    await api.tell(service, requested(service, 'web'), intended)
    await serve(driver, desired)
    const told = await explain(desired.marks.key)
    expect(told?.things).toMatchObject([{ verdict: 'live', epoch: 1 }])
    expect(told?.things[0]?.evidence).toContain('epoch 1 is wanted')
  })

  test('of an orphan names the release, and the events that led there', async () => {
    await api.tell(service, requested(service, 'web'), intended, releasing, released)
    await serve(driver, desired)
    const told = await explain(service)
    expect(told?.things[0]).toMatchObject({ verdict: 'orphan' })
    expect(told?.events.map(({ type }) => type)).toEqual([
      'LoadBalancerRequested',
      'ResourceIntended',
      'ReleaseRequested',
      'FrontendsReleased',
    ])
  })

  test('of what is gone tells its story all the same', async () => {
    await api.tell(service, requested(service, 'web'), intended, releasing, released)
    const told = await explain(desired.marks.key)
    expect([told?.things, told?.events.length]).toEqual([[], 4])
  })

  test('of what nobody knows is none', async () => {
    expect(await explain('lb-nobody-made')).toBeUndefined()
  })
})
