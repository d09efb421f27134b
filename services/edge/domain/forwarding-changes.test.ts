import type { Cidr, ResourceKey } from '@weir/contract'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createKernel, keys, sorted } from '../rig/forwarding.ts'
import { adoptedTable } from './adopted-table.ts'
import { packStages, repairsOf } from './forwarding-changes.ts'
import { elementsOf, type Element } from './forwarding-elements.ts'
import { createForwardingModel, type ForwardingModel, type Wanted } from './forwarding-model.ts'
import { emptyTable, type FrontendState } from './forwarding-table.ts'
import { straysIn } from './strays.ts'

const fresh = (): ForwardingModel => createForwardingModel(emptyTable, 0)

const someWish: fc.Arbitrary<Wanted> = fc.record({
  key: fc.constantFrom(...keys),
  frontends: fc
    .uniqueArray(
      fc.tuple(
        fc.constantFrom('203.0.113.1 . 6 . 80', '203.0.113.1 . 17 . 80', '2001:db8::1 . 6 . 80'),
        fc.constantFrom<FrontendState>('open', 'open', 'closing'),
      ),
      { selector: ([key]) => key, maxLength: 3 },
    )
    .map((entries) => new Map(entries)),
  ranges: fc.option(
    fc.uniqueArray(fc.constantFrom('10.0.0.0/8', '192.0.2.0/24', '2001:db8::/32'), {
      maxLength: 3,
    }) as fc.Arbitrary<Cidr[]>,
    { nil: undefined },
  ),
  affinity: fc.constantFrom(undefined, undefined, 60, 10_800),
  nodes: fc.uniqueArray(
    fc.record({
      node: fc.constantFrom('n1', 'n2', 'n3', 'n4'),
      weight: fc.constantFrom(1, 1, 2),
      mac: fc.constantFrom('02:00:00:00:00:01', '02:00:00:00:00:02'),
    }),
    { selector: ({ node }) => node, maxLength: 4 },
  ),
})
const batches = fc.array(fc.array(someWish, { minLength: 1, maxLength: 5 }), { maxLength: 8 })

/**
 * What becomes of a packet to a frontend that looks these up in tables which may not be of one time; ranges of an interval
 * set may come into force later than what came with them.
 */
const verdictIn = (frontend: Element, restricting: Element[], allowing: Element[]): string => {
  const id = frontend.value ?? ''
  if (!restricting.some(({ map, key }) => map === 'restricted' && key === id)) return 'let in'
  const ranges = allowing.filter(
    ({ map, key }) => map.startsWith('allow') && key.startsWith(`${id} `),
  )
  return `let in from ${sorted(ranges).join()}`
}
const expectOneVerdict = (before: Element[], after: Element[]): void => {
  const frontendsIn = (held: Element[]) => held.filter(({ map }) => map === 'fe' || map === 'fe6')
  for (const frontend of frontendsIn(before)) {
    const verdicts = [verdictIn(frontend, before, before), verdictIn(frontend, after, after)]
    expect(verdicts).toContain(verdictIn(frontend, before, after))
    expect(verdicts).toContain(verdictIn(frontend, after, before))
  }
  const known = new Set(before.flatMap(({ map, key }) => (map === 'restricted' ? [key] : [])))
  const knownFrontends = new Set(sorted(frontendsIn(before)))
  for (const frontend of frontendsIn(after)) {
    // One more of a service may have what its others had a moment ago.
    if (known.has(frontend.value ?? '') || knownFrontends.has(sorted([frontend]).join())) continue
    expect(verdictIn(frontend, after, before)).toBe(verdictIn(frontend, after, after))
  }
}

describe('whatever is wanted in whatever batches', () => {
  test('the kernel takes every change and holds what the model says', () =>
    fc.assert(
      fc.property(batches, fc.integer({ min: 1, max: 50 }), (batches, most) => {
        const [model, kernel] = [fresh(), createKernel()]
        for (const batch of batches) {
          for (const change of packStages(model.plan(batch).stages, most)) kernel.commit(change)
          expect(sorted(kernel.held())).toEqual(sorted(elementsOf(model.table())))
          expect(repairsOf(kernel.held(), model.table())).toEqual([])
        }
      }),
    ))

  test('a restart at any point finds itself again and changes nothing', () =>
    fc.assert(
      fc.property(batches, (batches) => {
        const [model, last] = [fresh(), new Map<ResourceKey, Wanted>()]
        for (const batch of batches) {
          model.plan(batch)
          for (const each of batch) last.set(each.key, each)
        }
        // What was refused is no part of the kernel, so the wish is what came of it.
        const wishes = [...last.values()].flatMap((each) => {
          const frontends = model.table().services.get(model.idOf(each.key) ?? 0)?.frontends
          return frontends && frontends.size > 0 ? [{ ...each, frontends }] : []
        })
        const held = elementsOf(model.table())
        const reborn = createForwardingModel(adoptedTable(held), 1_000)
        expect(reborn.plan(wishes).stages).toEqual([])
      }),
    ))

  test('killed between any two transactions, the next process makes of it what is wanted', () =>
    fc.assert(
      fc.property(
        batches,
        fc.integer({ min: 1, max: 50 }),
        fc.nat({ max: 40 }),
        (batches, most, kill) => {
          const [model, kernel] = [fresh(), createKernel()]
          const transactions = batches.flatMap((batch) =>
            packStages(model.plan(batch).stages, most),
          )
          for (const change of transactions.slice(0, kill)) kernel.commit(change)
          const held = kernel.held()
          const table = adoptedTable(held)
          kernel.commit({ deleted: straysIn(held, table), added: [] })
          expect(sorted(kernel.held())).toEqual(sorted(elementsOf(table)))
          const reborn = createForwardingModel(table, 1_000)
          for (const change of packStages(reborn.plan(batches.at(-1) ?? []).stages, most)) {
            kernel.commit(change)
          }
          for (const change of packStages(reborn.releaseUnclaimed(), most)) kernel.commit(change)
          expect(sorted(kernel.held())).toEqual(sorted(elementsOf(reborn.table())))
        },
      ),
    ))

  test('a frontend is never open to all while its ranges are on the way', () =>
    fc.assert(
      fc.property(batches, fc.integer({ min: 1, max: 5 }), (batches, most) => {
        const [model, kernel] = [fresh(), createKernel()]
        const closed = (batch: Wanted[]) =>
          batch.map((each) => ({ ...each, ranges: each.ranges ?? (['192.0.2.0/24'] as Cidr[]) }))
        for (const batch of batches) {
          for (const change of packStages(model.plan(closed(batch)).stages, most)) {
            kernel.commit(change)
            const open = kernel.held().filter(({ map }) => map === 'fe' || map === 'fe6')
            for (const { value } of open) {
              expect(kernel.value('restricted', value ?? '')).toBe('')
            }
          }
        }
      }),
    ))

  test('a packet that a transaction overtakes is let in or not as before it or after it', () =>
    fc.assert(
      fc.property(batches, fc.integer({ min: 1, max: 50 }), (batches, most) => {
        const [model, kernel] = [fresh(), createKernel()]
        let before = kernel.held()
        for (const batch of batches) {
          for (const change of packStages(model.plan(batch).stages, most)) {
            kernel.commit(change)
            const after = kernel.held()
            expectOneVerdict(before, after)
            before = after
          }
        }
      }),
    ))

  test('every element that is lost, strange or different is repaired', () =>
    fc.assert(
      fc.property(batches, fc.infiniteStream(fc.nat({ max: 9 })), (batches, dice) => {
        const [model, kernel] = [fresh(), createKernel()]
        for (const batch of batches) model.plan(batch)
        const broken = elementsOf(model.table()).flatMap((element) => {
          const roll = dice.next().value
          if (roll === 0) return []
          return [
            roll === 1 && element.value !== undefined ? { ...element, value: '0:9' } : element,
          ]
        })
        const stray: Element = { map: 'allow', key: 'ab:cd . 0.0.0.0/0' }
        kernel.commit({ deleted: [], added: [...broken, stray] })
        for (const change of packStages(repairsOf(kernel.held(), model.table()), 20)) {
          kernel.commit(change)
        }
        expect(sorted(kernel.held())).toEqual(sorted(elementsOf(model.table())))
      }),
    ))
})
