// How many Services may be missing at once before somebody is asked.
import { cluster, clusterId, event, streamOf, tenantId, type DomainEvent } from '@weir/contract'
import { createMemoryStore } from '@weir/eventlog'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { expect, test } from 'vitest'
import { createAbsence, isMassive } from './absence.ts'

const tenant = tenantId.parse('acme')
const id = clusterId.parse('11111111-1111-4111-8111-111111111111')
const known = {
  tenant,
  cluster: cluster.parse({
    id,
    tenant,
    name: 'one',
    server: 'https://one.example',
    driver: 'edge',
    defaultClass: true,
    nodeCidrs: ['10.0.0.0/8'],
  }),
}

const open = () => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const clock = { ...systemClock, now: () => now }
  const store = createMemoryStore({ clock, ids: systemIds })
  const stream = streamOf('cluster', id)
  const say = async (said: DomainEvent): Promise<void> => {
    const version = (await store.log.story(tenant, id)).length
    await store.log.append({
      tenant,
      commandId: `test/${version}`,
      events: [{ stream, expectedVersion: version, event: said }],
      actor: 'test',
      correlationId: id,
      causationId: 'test',
    })
  }
  const again = (over: Partial<typeof store.log> = {}) =>
    createAbsence({ known, log: { ...store.log, ...over }, clock, logger: silentLogger })
  return {
    store,
    absence: again(),
    again,
    say,
    pass: (ms: number) => (now += ms),
    told: async () => (await store.log.story(tenant, id)).map(({ type }) => type),
  }
}

test.for([
  [1, 1, false],
  [4, 4, false],
  [5, 5, true],
  [5, 16, true],
  [5, 17, false],
  [300, 1001, false],
] as const)('%d of %d missing at once are too many: %s', ([missing, of, massive]) => {
  expect(isMassive(missing, of)).toBe(massive)
})

test('few are believed, and nothing is said of them', async () => {
  const { absence, told } = open()
  expect(await absence.isBelieved(4, 10)).toBe(true)
  expect(await told()).toEqual([])
})

test('many are held, told of once, and believed for an hour after somebody approved', async () => {
  const { absence, say, pass, told } = open()
  await say(event('ClusterConnected', { cluster: known.cluster }))
  expect(await absence.isBelieved(6, 10)).toBe(false)
  expect(await absence.isBelieved(7, 10)).toBe(false)
  expect(await told()).toEqual(['ClusterConnected', 'ServicesMissing'])
  await say(event('AbsenceApproved', { id }))
  expect(await absence.isBelieved(7, 10)).toBe(true)
  pass(3_600_000)
  expect(await absence.isBelieved(7, 10)).toBe(false)
  expect((await told()).slice(2)).toEqual(['AbsenceApproved', 'ServicesMissing'])
})

test('an end that loses a race is told at the next list', async () => {
  const { absence, store, again, told } = open()
  await absence.isBelieved(6, 10)
  let lost = false
  const losing: typeof store.log.append = async (request) => {
    if (lost) return store.log.append(request)
    lost = true
    return { status: 'conflict', stream: streamOf('cluster', id), actual: 9 }
  }
  const other = again({ append: losing })
  await other.isBelieved(0, 10)
  expect(await told()).toEqual(['ServicesMissing'])
  await other.isBelieved(0, 10)
  expect(await told()).toEqual(['ServicesMissing', 'ServicesReturned'])
})

test('what comes back ends it, whichever process told of it', async () => {
  const { absence, again, told } = open()
  expect(absence.heldBack()).toBe(0)
  expect(await absence.isBelieved(6, 10)).toBe(false)
  expect(absence.heldBack()).toBe(6)
  const other = again()
  expect(await other.isBelieved(0, 10)).toBe(true)
  expect(await other.isBelieved(0, 10)).toBe(true)
  expect(other.heldBack()).toBe(0)
  expect(await told()).toEqual(['ServicesMissing', 'ServicesReturned'])
  expect(await other.isBelieved(6, 10)).toBe(false)
  expect((await told()).at(-1)).toBe('ServicesMissing')
})
