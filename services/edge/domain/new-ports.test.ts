import { expect, test } from 'vitest'
import { desiredOf, removeOrder, serveOrder } from '../rig/orders.ts'
import { newPorts } from './new-ports.ts'

const web = (...ways: readonly (readonly [string, number, number?])[]) =>
  desiredOf({
    uid: '0b2c7d1e-64f3-4c55-8f2a-91d7e0a4b6c3',
    targets: [],
    frontends: ways.map(([protocol, port, nodePort]) => ({
      ip: '198.51.100.7',
      protocol,
      port,
      nodePort,
    })),
  })
const before = web(['TCP', 80, 30_080], ['TCP', 443, 30_443])

test.each([
  ['nothing was known', web(['TCP', 80, 30_080]), undefined, [30_080]],
  ['nothing changed', before, before, []],
  ['a frontend was added', web(['TCP', 80, 30_080], ['TCP', 81, 30_081]), before, [30_081]],
  ['a frontend left', web(['TCP', 80, 30_080]), before, []],
  ['a node port changed', web(['TCP', 80, 30_090], ['TCP', 443, 30_443]), before, [30_090]],
  [
    'two frontends share a node port',
    web(['TCP', 1, 30_001], ['TCP', 2, 30_001]),
    before,
    [30_001],
  ],
  ['a frontend has no node port', web(['TCP', 80], ['TCP', 443, 30_443]), before, []],
  ['nothing but addresses was there', before, web(['TCP', 80], ['TCP', 443]), [30_080, 30_443]],
  ['UDP was added', web(['UDP', 80, 30_080], ['TCP', 80, 30_080]), before, []],
])('when %s, those ports are new', (_what, desired, known, ports) => {
  expect(newPorts(serveOrder(desired), known && serveOrder(known))).toEqual(ports)
})

test('after a tombstone all are new, and a tombstone has none', () => {
  expect(newPorts(serveOrder(before), removeOrder(before))).toEqual([30_080, 30_443])
  expect(newPorts(removeOrder(before), serveOrder(before))).toEqual([])
})

test('of very many ports some stand for all', () => {
  const many = Array.from({ length: 100 }, (_, nth) => ['TCP', nth + 1, 30_000 + nth] as const)
  expect(newPorts(serveOrder(web(...many)), undefined)).toHaveLength(16)
})
