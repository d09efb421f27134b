import { fleetName } from '@weir/contract'
import type { Clock } from '@weir/kernel'
import { expect, test } from 'vitest'
import { serve } from '../carry-out.ts'
import { desiredOf, ourInstallation } from '../sample-desired.ts'
import { createEdgeDriver } from './edge-driver.ts'
import { refOf } from './edge-inventory.ts'
import { createStandinBus, createStandinEdge } from './fleet-standin.ts'

const fleet = fleetName.parse('local')

test('a release reads the order anew, and spares what a later one asks for', async () => {
  const clock: Clock = {
    now: () => Date.parse('2026-01-01T00:00:00Z'),
    sleep: async () => undefined,
  }
  const bus = createStandinBus()
  const edge = createStandinEdge(bus, clock, { fleet, name: 'one' })
  edge.beat()
  // Neither reads what passes on the bus, so that the first one's memory grows old.
  const [first, second] = [1, 2].map(() =>
    createEdgeDriver({ bus, clock, fleet, installation: ourInstallation }),
  )
  if (first === undefined || second === undefined) throw new Error('there are two')
  const { marks } = desiredOf()
  await serve(first, desiredOf())
  await edge.work()
  await serve(second, desiredOf(1, { epoch: 2 }))
  const told = bus.published()
  await first.release({ kind: 'load balancer', ref: refOf(marks), marks })
  expect(bus.published()).toBe(told)
  await edge.work()
  expect(edge.serving().map(({ desired }) => desired.marks.epoch)).toEqual([2])
})
