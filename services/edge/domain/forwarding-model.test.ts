import { resourceKey, type Cidr, type ResourceKey } from '@weir/contract'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { adoptedTable } from './adopted-table.ts'
import {
  differencesIn,
  elementsOf,
  packStages,
  repairsOf,
  weightOf,
  type Change,
  type Element,
  type Stage,
} from './forwarding-changes.ts'
import { createForwardingModel, type ForwardingModel, type Wanted } from './forwarding-model.ts'
import { straysIn } from './strays.ts'
import { classIdOf, classIdText, emptyTable, type FrontendState } from './forwarding-table.ts'

/** Elements as the kernel keeps them: it refuses what is there twice and what isn't there. */
const createKernel = (): {
  commit(change: Change): void
  held(): Element[]
  value(map: string, key: string): string | undefined
} => {
  const elements = new Map<string, Element>()
  const nameOf = ({ map, key }: Element): string => `${map} ${key}`
  return {
    commit: ({ deleted, added }) => {
      for (const element of deleted) {
        if (!elements.delete(nameOf(element))) throw new Error(`no ${nameOf(element)}`)
      }
      for (const element of added) {
        if (elements.has(nameOf(element))) throw new Error(`${nameOf(element)} exists`)
        elements.set(nameOf(element), element)
      }
    },
    held: () => [...elements.values()],
    value: (map, key) => {
      const found = elements.get(`${map} ${key}`)
      return found && (found.value ?? '')
    },
  }
}
const sorted = (elements: readonly Element[]): string[] =>
  elements.map(({ map, key, value }) => `${map} ${key} ${value ?? ''}`).sort()

const keyOf = (name: string): ResourceKey =>
  resourceKey.parse(`${name}-00000000-0000-4000-8000-000000000001`)
const [web, mail, dns] = [keyOf('web'), keyOf('mail'), keyOf('dns')]
const keys = [web, mail, dns, keyOf('db')]
const macOf = (node: string): string => `02:00:00:00:00:${node.slice(1).padStart(2, '0')}`
const nodesOf = (...names: string[]) => names.map((node) => ({ node, weight: 1, mac: macOf(node) }))
const wish = (key: ResourceKey, more: Partial<Wanted> = {}): Wanted => ({
  key,
  frontends: new Map([[`203.0.113.${keys.indexOf(key) + 1} . 6 . 80`, 'open' as const]]),
  ranges: undefined,
  affinity: undefined,
  nodes: nodesOf('n1', 'n2', 'n3'),
  ...more,
})
const gone = (key: ResourceKey): Wanted => wish(key, { frontends: new Map(), nodes: [] })
const fresh = (): ForwardingModel => createForwardingModel(emptyTable, 0)
const total = (stages: readonly Stage[]): number =>
  stages.flat().reduce((sum, change) => sum + weightOf(change), 0)
const setOf = (model: ForwardingModel, key: ResourceKey): number | undefined =>
  model.table().services.get(model.idOf(key) ?? 0)?.set?.id

describe('backend sets', () => {
  test('are shared by resources that want the same nodes with the same weights', () => {
    const model = fresh()
    model.plan([wish(web), wish(mail, { nodes: nodesOf('n3', 'n1', 'n2') })])
    expect(setOf(model, web)).toBe(setOf(model, mail))
    expect(model.table().sets.size).toBe(1)
  })

  test('of resources with other weights are their own', () => {
    const model = fresh()
    model.plan([wish(web), wish(mail, { nodes: [{ node: 'n1', weight: 2, mac: macOf('n1') }] })])
    expect(setOf(model, web)).not.toBe(setOf(model, mail))
  })

  test('that all resources leave at once rewrite only the slots that move', () => {
    const model = fresh()
    model.plan([wish(web), wish(mail)])
    const before = setOf(model, web)
    const nodes = nodesOf('n1', 'n2')
    const { stages } = model.plan([wish(web, { nodes }), wish(mail, { nodes })])
    expect([setOf(model, web), setOf(model, mail)]).toEqual([before, before])
    // The slots of n3 are a third of 61; each goes and comes.
    expect(total(stages)).toBeLessThan(2 * 61 * 0.5)
    expect(stages.flat().every(({ added }) => added.every(({ map }) => map === 'slots'))).toBe(true)
  })

  test('that one resource leaves stay as they are for the others', () => {
    const model = fresh()
    model.plan([wish(web), wish(mail)])
    const before = setOf(model, mail)
    model.plan([wish(web, { nodes: nodesOf('n1') })])
    expect(setOf(model, mail)).toBe(before)
    expect(setOf(model, web)).not.toBe(before)
  })

  test('that a resource leaves for another’s go once no packet is led to them', () => {
    const model = fresh()
    model.plan([wish(web, { nodes: nodesOf('n1') }), wish(mail, { nodes: nodesOf('n2') })])
    const { stages } = model.plan([wish(web, { nodes: nodesOf('n2') })])
    const mapsOf = (stage: Stage): Set<string> =>
      new Set(stage.flatMap(({ deleted }) => deleted.map(({ map }) => map)))
    expect(stages.map(mapsOf)).toEqual([new Set(['pool61']), new Set(['slots', 'nodes'])])
  })

  test('that nobody uses go', () => {
    const model = fresh()
    model.plan([wish(web)])
    model.plan([gone(web)])
    expect(elementsOf(model.table())).toEqual([])
  })

  test('a resource without nodes keeps its frontends and has no set', () => {
    const model = fresh()
    model.plan([wish(web, { nodes: [] })])
    expect(sorted(elementsOf(model.table()))).toEqual([
      'fe 203.0.113.1 . 6 . 80 0:1',
      'inner 203.0.113.1 . 6 . 80 0:1',
    ])
  })
})

describe('frontends', () => {
  const shared = new Map([['203.0.113.9 . 6 . 80', 'open' as const]])
  test('belong to the resource that had them first, and the other is told', () => {
    const model = fresh()
    const { refused } = model.plan([
      wish(web, { frontends: shared }),
      wish(mail, { frontends: shared }),
    ])
    expect(refused).toEqual(new Map([[mail, ['203.0.113.9 . 6 . 80']]]))
    expect(model.holderOf('203.0.113.9 . 6 . 80')).toBe(web)
  })

  test('that one resource leaves another may take in the same batch', () => {
    const [model, kernel] = [fresh(), createKernel()]
    for (const change of model.plan([wish(web, { frontends: shared })]).stages.flat()) {
      kernel.commit(change)
    }
    const { refused, stages } = model.plan([wish(mail, { frontends: shared }), gone(web)])
    expect(refused.size).toBe(0)
    for (const change of stages.flat()) kernel.commit(change)
    expect(kernel.value('fe', '203.0.113.9 . 6 . 80')).toBe('0:2')
  })

  test('that close may be taken, and come not back to where they closed', () => {
    const model = fresh()
    const closing = new Map([['203.0.113.9 . 6 . 80', 'closing' as const]])
    model.plan([wish(web, { frontends: shared })])
    model.plan([wish(web, { frontends: closing })])
    expect(model.plan([wish(mail, { frontends: shared })]).refused.size).toBe(0)
    model.plan([wish(web, { frontends: closing })])
    expect(model.holderOf('203.0.113.9 . 6 . 80')).toBe(mail)
    expect(sorted(elementsOf(model.table())).filter((each) => each.startsWith('clos'))).toEqual([])
  })
})

test('the id of a resource that went is not given to the next', () => {
  const model = fresh()
  model.plan([wish(web)])
  model.plan([gone(web)])
  model.plan([wish(mail)])
  expect(model.idOf(mail)).toBe(2)
})

test('class ids are read as they are written, and reserved ones are nobody', () => {
  for (const id of [1, 0xffff, 0x1_0000, 0xabcd_ef01, 0xffff_fffe]) {
    expect(classIdOf(classIdText(id))).toBe(id)
  }
  for (const text of ['0:0', 'ffff:ffff', 'none', '1', '1:12345', '']) {
    expect(classIdOf(text)).toBeUndefined()
  }
})

describe('after a restart', () => {
  const before = fresh()
  before.plan([wish(web, { ranges: ['10.0.0.0/8' as Cidr], affinity: 60 }), wish(mail)])
  const held = elementsOf(before.table())
  const reborn = (): ForwardingModel => createForwardingModel(adoptedTable(held), 7)

  test('what is wanted as before changes nothing', () => {
    const model = reborn()
    const wishes = [wish(mail), wish(web, { ranges: ['10.0.0.0/8' as Cidr], affinity: 60 })]
    expect(model.plan(wishes).stages).toEqual([])
    expect(model.releaseUnclaimed()).toEqual([])
    expect(model.idOf(web)).toBe(1)
  })

  test('what nobody has claimed stays until it is given up', () => {
    const model = reborn()
    model.plan([wish(mail)])
    expect(sorted(elementsOf(model.table()))).toEqual(sorted(held))
    model.releaseUnclaimed()
    expect([...model.table().services.keys()]).toEqual([2])
  })

  test('new resources get ids that nothing in the kernel knows', () => {
    const model = reborn()
    const frontends = new Map([['203.0.113.99 . 17 . 53', 'open' as const]])
    model.plan([wish(dns, { frontends })])
    expect(model.idOf(dns)).toBe(8)
  })

  test('nodes that changed meanwhile rewrite only the slots that move', () => {
    const model = reborn()
    const nodes = nodesOf('n1', 'n2')
    const { stages } = model.plan([
      wish(web, { nodes, ranges: ['10.0.0.0/8' as Cidr], affinity: 60 }),
      wish(mail, { nodes }),
    ])
    expect(total(stages)).toBeLessThan(2 * 61 * 0.5)
    expect(stages.length).toBeGreaterThan(0)
  })
})

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

test('what is repaired is told element by element', () => {
  const model = createForwardingModel(emptyTable, 0)
  model.plan([wish(web)])
  const [lost, changed, ...rest] = elementsOf(model.table())
  const strange: Element = { map: 'restricted', key: '0:9' }
  const held = [...rest, strange, { map: 'slots', key: '', ...changed, value: '0:8' } as Element]
  expect(differencesIn(repairsOf(held, model.table()))).toEqual([
    `${lost?.map} ${lost?.key} was missing`,
    'restricted 0:9 was not ordered',
    `${changed?.map} ${changed?.key} was 0:8 instead of ${changed?.value}`,
  ])
})
