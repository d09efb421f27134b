import { edgeHeartbeat, edgeId, edgeLifetimes, type EdgeHeartbeat } from '@weir/contract'
import { expect, test } from 'vitest'
import { createHeartbeat } from './heartbeat.ts'
import { desiredOf, fleet } from './rig/orders.ts'

/** An edge that holds `count` resources, and what its beats publish, at most two in a message. */
const beating = (count: number) => {
  const world = { held: [] as EdgeHeartbeat['resources'], changes: 0, refuse: false }
  const hold = (number: number): void => {
    const { marks } = desiredOf({ frontends: [], targets: [] })
    world.held = Array.from({ length: number }, () => ({ marks, generation: 1 }))
    world.changes += 1
  }
  hold(count)
  const published: { subject: string; body: string; ttlMs?: number }[] = []
  const heart = createHeartbeat({
    bus: {
      publish: async (messages) => {
        if (world.refuse) throw new Error('the bus is away')
        published.push(...messages)
        return []
      },
    },
    fleet,
    edge: edgeId.parse('edge-1'),
    plane: { kind: 'userspace', repairs: () => [] },
    startedAt: '2026-01-01T00:00:00Z',
    now: () => '2026-01-01T00:00:05Z',
    held: () => world.held,
    changes: () => world.changes,
    partMax: 2,
  })
  /** The parts that one beat tells: number of resources and revision; the subjects are checked. */
  const beat = async () => {
    published.length = 0
    await heart.beat()
    return published.map(({ subject, body, ttlMs }) => {
      const said = edgeHeartbeat.parse(JSON.parse(body))
      const number = said.part?.number ?? 0
      const base = `weir.edge.${fleet}.heartbeat.edge-1`
      expect(subject).toBe(number === 0 ? base : `${base}.${number}`)
      expect(ttlMs).toBe(edgeLifetimes.heartbeatMs)
      return { number, of: said.part?.count ?? 1, resources: said.resources.length }
    })
  }
  return { world, hold, heart, beat }
}
const whole = [
  { number: 0, of: 3, resources: 2 },
  { number: 1, of: 3, resources: 2 },
  { number: 2, of: 3, resources: 1 },
]

test.each([0, 1, 2])('%d resources fit into one message, told whole each time', async (count) => {
  const { beat } = beating(count)
  for (let nth = 0; nth < 3; nth += 1) {
    expect(await beat()).toEqual([{ number: 0, of: 1, resources: count }])
  }
})

test('more goes in parts, and the first alone while nothing changes', async () => {
  const { beat, hold } = beating(5)
  expect(await beat()).toEqual(whole)
  expect(await beat()).toEqual(whole.slice(0, 1))
  hold(4)
  expect(await beat()).toEqual([
    { number: 0, of: 2, resources: 2 },
    { number: 1, of: 2, resources: 2 },
  ])
  expect(await beat()).toHaveLength(1)
  hold(1)
  expect(await beat()).toEqual([{ number: 0, of: 1, resources: 1 }])
  hold(5)
  expect(await beat()).toEqual(whole)
})

test('all parts come again when the bus lost them, refused them, and now and then', async () => {
  const { world, beat, heart } = beating(5)
  world.refuse = true
  await expect(beat()).rejects.toThrow('away')
  world.refuse = false
  expect(await beat()).toEqual(whole)
  heart.forget()
  expect(await beat()).toEqual(whole)
  const lengths: number[] = []
  for (let nth = 0; nth < 24; nth += 1) lengths.push((await beat()).length)
  expect(lengths.filter((length) => length === 3)).toHaveLength(2)
})
