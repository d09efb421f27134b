import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  elementsIn,
  elementsOf,
  elementsOfSlice,
  slicesOfSlots,
  listedMaps,
} from './forwarding-elements.ts'
import { emptyTable, type BackendSet, type SetId } from './forwarding-table.ts'
import { tableSizes } from './maglev.ts'

const someSets: fc.Arbitrary<ReadonlyMap<SetId, BackendSet>> = fc
  .uniqueArray(
    fc.tuple(fc.integer({ min: 1, max: 99 }), fc.constantFrom(...tableSizes.slice(0, 2))),
    {
      selector: ([id]) => id,
      maxLength: 5,
    },
  )
  .map((entries) => new Map(entries.map(([id, size]) => [id, dealt(id, size)])))

const dealt = (id: SetId, size: BackendSet['size']): BackendSet => ({
  size,
  slots: Array.from({ length: size }, (_, slot) => `02:00:00:00:0${slot % 3}:${10 + (id % 10)}`),
})

test('slices hold every slot once, in order, and each but the last is full', () => {
  fc.assert(
    fc.property(someSets, fc.integer({ min: 1, max: 200 }), (sets, most) => {
      const slices = slicesOfSlots(sets, most).map((slice) => elementsOfSlice(sets, slice))
      const slots = elementsOf({ ...emptyTable, sets }).filter(({ map }) => map === 'slots')
      expect(slices.flat()).toEqual(slots)
      expect(slices.slice(0, -1).filter(({ length }) => length !== most)).toEqual([])
      expect(slices.at(-1)?.length ?? 1).toBeLessThanOrEqual(most)
    }),
  )
})

test('a slice has what its sets are by now', () => {
  const before = new Map([
    [1, dealt(1, 61)],
    [2, dealt(2, 1021)],
  ])
  const [slice = []] = slicesOfSlots(before, 1082)
  const now = new Map([[2, dealt(2, 61)]])
  const keys = elementsOfSlice(now, slice).map(({ key }) => key)
  expect(keys).toEqual(Array.from({ length: 61 }, (_, slot) => `0:2 . ${slot}`))
})

test('maps that are listed and slots together are the table', () => {
  const set = { id: 7, size: 61 } as const
  const service = {
    frontends: new Map([
      ['203.0.113.1 . 6 . 80', 'open'],
      ['2001:db8::1 . 17 . 53', 'closing'],
    ] as const),
    ranges: ['10.0.0.0/8'] as never,
    affinity: undefined,
    set,
  }
  const table = { services: new Map([[1, service]]), sets: new Map([[7, dealt(7, 61)]]) }
  const [slice = []] = slicesOfSlots(table.sets, 61)
  const parts = [
    ...listedMaps.flatMap((map) => elementsIn(table, map)),
    ...elementsOfSlice(table.sets, slice),
  ]
  const textOf = (elements: typeof parts) => elements.map((one) => JSON.stringify(one)).toSorted()
  expect(textOf(parts)).toEqual(textOf([...elementsOf(table)]))
})
