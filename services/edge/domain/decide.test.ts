import { expect, test } from 'vitest'
import { desiredOf, removeOrder, serveOrder } from '../rig/orders.ts'
import { decide } from './decide.ts'

const uid = 'aaaaaaaa-0000-4000-8000-000000000001'
const serve = (epoch: number, generation: number) =>
  serveOrder(desiredOf({ uid, epoch, generation, frontends: [], targets: [] }))
const remove = (epoch: number, generation: number) =>
  removeOrder(desiredOf({ uid, epoch, generation, frontends: [], targets: [] }))
const same = () => true

test.each([
  ['the first order is obeyed', undefined, serve(1, 1), 'obey'],
  ['a tombstone for an unknown resource is obeyed', undefined, remove(3, 2), 'obey'],
  ['a greater generation is obeyed', serve(1, 1), serve(1, 2), 'obey'],
  ['a lesser generation is late', serve(1, 2), serve(1, 1), 'late'],
  ['a greater epoch is obeyed, whatever its generation', serve(1, 9), serve(2, 1), 'obey'],
  ['a lesser epoch is late, whatever its generation', serve(2, 1), serve(1, 9), 'late'],
  ['a tombstone comes after the generation it names', serve(1, 2), remove(1, 2), 'obey'],
  ['that generation is late after its tombstone', remove(1, 2), serve(1, 2), 'late'],
  ['a tombstone of an older generation is late', serve(1, 3), remove(1, 2), 'late'],
  ['a tombstone of an older incarnation is late', serve(2, 1), remove(1, 7), 'late'],
  ['the next incarnation is obeyed after a tombstone', remove(1, 2), serve(2, 1), 'obey'],
  ['the same order again is repeated', serve(1, 2), serve(1, 2), 'repeated'],
  ['the same tombstone again is repeated', remove(1, 2), remove(1, 2), 'repeated'],
])('%s', (_rule, held, order, verdict) => {
  expect(decide(held, order, same)).toBe(verdict)
})

test('two orders of one version that say different things contradict', () => {
  expect(decide(serve(1, 2), serve(1, 2), () => false)).toBe('contradicts')
})
