import { resourceKey } from '@weir/contract'
import { OperatingError, silentLogger } from '@weir/kernel'
import { expect, test } from 'vitest'
import { elementsOf, weightOf, type Element } from '../../domain/forwarding-changes.ts'
import { createForwardingModel, type Wanted } from '../../domain/forwarding-model.ts'
import { emptyTable } from '../../domain/forwarding-table.ts'
import type { Nft } from './nft.ts'
import { createWriter } from './writer.ts'

const wish = (number: number): Wanted => ({
  key: resourceKey.parse(`web-00000000-0000-4000-8000-${String(number).padStart(12, '0')}`),
  frontends: new Map([[`203.0.113.${number} . 6 . 80`, 'open']]),
  ranges: [],
  affinity: undefined,
  nodes: [{ node: 'n1', weight: 1, mac: '02:00:00:00:00:01' }],
})
const wishes = Array.from({ length: 40 }, (_, number) => wish(number))

/** A kernel that takes so many elements in one transaction, and otherwise none of it. */
const startWriter = (most: number) => {
  const held: Element[] = []
  const sizes: number[] = []
  const unused = () => Promise.reject(new Error('not asked here'))
  const nft: Nft = {
    isLoaded: () => Promise.resolve(true),
    load: unused,
    commit: (change) => {
      sizes.push(weightOf(change))
      if (weightOf(change) > most) return Promise.reject(new OperatingError('Message too long'))
      held.push(...change.added)
      return Promise.resolve()
    },
    elements: () => Promise.resolve(held),
    pins: unused,
    clients: unused,
    unpin: unused,
    takeCounts: unused,
  }
  const model = createForwardingModel(emptyTable, 0)
  return { writer: createWriter({ nft, model, log: silentLogger }), held, sizes, model }
}

test('a kernel that takes few elements at once gets them in more transactions, each once', async () => {
  const { writer, held, sizes, model } = startWriter(90)
  await Promise.all(wishes.map((each) => writer.want(each)))
  expect(held).toHaveLength(elementsOf(model.table()).length)
  expect(new Set(held).size).toBe(held.length)
  expect(sizes.filter((size) => size > 90).length).toBeGreaterThan(0)
  const tries = sizes.length
  await writer.want(wish(41))
  // It knows by now.
  expect(sizes.slice(tries)).toHaveLength(1)
})

test('one change that is too long by itself is refused', async () => {
  const { writer } = startWriter(1)
  await expect(writer.want(wish(1))).rejects.toThrow('Message too long')
})
