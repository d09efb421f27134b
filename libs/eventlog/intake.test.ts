import type { RecordedEvent, TenantId } from '@weir/contract'
import { silentLogger } from '@weir/kernel'
import { expect, test } from 'vitest'
import { freshTenant, history, ports, sequences } from './facts.conformance.ts'
import { createIntake } from './intake.ts'
import { createMemoryStore } from './memory-store.ts'

/** A consumer for which the events of some stories make work. */
const rig = async (count: number, busy: readonly string[]) => {
  const store = createMemoryStore(ports)
  const tenant = freshTenant()
  const events = await history(store, tenant, count)
  const dirty: string[] = []
  const intake = createIntake({
    consumer: 'k',
    store,
    logger: silentLogger,
    keysOf: ({ correlationid }) => (busy.includes(correlationid) ? [correlationid] : []),
    onDirty: (_tenant, keys) => dirty.push(...keys),
  })
  const cursor = async (): Promise<number> =>
    (await store.work.lagging('k')).find((lag) => lag.tenant === tenant)?.cursor ?? events.length
  return { store, tenant, events, dirty, intake, cursor }
}

const storyOf = (events: readonly RecordedEvent[], index: number): string =>
  events[index]?.correlationid ?? ''

const lagOf = (tenant: TenantId, cursor: number, head: number) => ({ tenant, cursor, head })

test('events that make no work move the cursor with the next that make some', async () => {
  const { tenant, events, dirty, intake, cursor } = await rig(4, ['s4'])
  const at = events.findIndex(({ correlationid }) => correlationid === 's4')
  await intake.catchUp(lagOf(tenant, 0, 1))
  const began = await cursor()
  await intake.deliver(tenant, events.slice(0, at))
  expect(await cursor()).toBe(began)
  await intake.deliver(tenant, events.slice(at))
  expect(await cursor()).toBeGreaterThan(at)
  expect(dirty).toEqual(['s4'])
})

test('idle events alone move the cursor once a look has read them in the log', async () => {
  const { tenant, events, intake, cursor } = await rig(3, [])
  await intake.deliver(tenant, events.slice(0, 1))
  await intake.deliver(tenant, events.slice(1))
  expect(await cursor()).toBe(1)
  await intake.catchUp(lagOf(tenant, 1, 3))
  expect(await cursor()).toBe(3)
})

test('idle events that the log never had hide nothing that it gets instead', async () => {
  const { store, tenant, events, dirty, intake } = await rig(1, ['s1', 's2'])
  await intake.deliver(tenant, events)
  const [known] = events
  // What a bus still tells of after the log was restored without it.
  const lost = [2, 3].map((sequence) => ({ ...known!, sequence, correlationid: 'idle' }))
  await intake.deliver(tenant, lost)
  const later = await history(store, tenant, 2)
  expect(sequences(later)).toEqual([2, 3])
  await intake.catchUp(lagOf(tenant, 1, 3))
  const expected = later.map((_, index) => storyOf(later, index))
  expect(dirty).toEqual([storyOf(events, 0), ...expected])
})
