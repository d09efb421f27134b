import { createMemoryBus } from '@weir/bus'
import {
  driverName,
  edgeHeartbeatSubject,
  edgeId,
  fleetName,
  platformTenant,
  type EdgeRepair,
} from '@weir/contract'
import { createMemoryStore } from '@weir/eventlog'
import { systemClock, systemIds } from '@weir/kernel'
import { expect, test } from 'vitest'
import { createEdgeRepairs } from './edge-repairs.ts'
import { heartbeatsOf } from './edge-words.ts'

const fleet = fleetName.parse('local')
const edge = edgeId.parse('edge-1')
const driver = driverName.parse('edge')
const repair = (second: number): EdgeRepair => ({
  at: `2026-01-01T00:00:0${second}.000Z`,
  elements: second,
  examples: ['fe 203.0.113.10 . 6 . 80 was missing'],
})

const open = async () => {
  const bus = createMemoryBus({ clock: systemClock, random: () => systemIds.random() })
  const store = createMemoryStore({ clock: systemClock, ids: systemIds })
  const recorderOf = () => {
    const { record } = createEdgeRepairs(store.log)
    return { record: async () => record({ driver, beats: await heartbeatsOf(bus, fleet) }) }
  }
  const beat = async (...repairs: readonly EdgeRepair[]): Promise<void> => {
    const at = '2026-01-01T00:00:09.000Z'
    const said = { fleet, edge, dataPlane: 'kernel', startedAt: at, at, repairs, resources: [] }
    await bus.publish([{ subject: edgeHeartbeatSubject(fleet, edge), body: JSON.stringify(said) }])
  }
  const told = async () => {
    const story = await store.log.story(platformTenant, `edge-${edge}`)
    return story.flatMap((each) =>
      each.type === 'EdgeTableRepaired' ? [each.data.repair.elements] : [],
    )
  }
  return { bus, recorderOf, beat, told }
}

test('what an edge made good is recorded once, by however many and however often', async () => {
  const { bus, recorderOf, beat, told } = await open()
  const [one, other] = [recorderOf(), recorderOf()]
  await beat(repair(1))
  await Promise.all([one.record(), other.record()])
  await beat(repair(1), repair(2), repair(3))
  await Promise.all([one.record(), other.record()])
  await one.record()
  await recorderOf().record()
  expect(await told()).toEqual([1, 2, 3])
  await bus.close()
})

test('a heartbeat that is not understood hides no other edge’s', async () => {
  const { bus, recorderOf, beat, told } = await open()
  const subject = edgeHeartbeatSubject(fleet, edgeId.parse('edge-0'))
  await bus.publish([{ subject, body: 'no JSON' }])
  await beat(repair(4))
  expect(await recorderOf().record()).toBe(1)
  expect(await told()).toEqual([4])
  await bus.close()
})
