import type { Cidr, ResourceKey } from '@weir/contract'
import { describe, expect, test } from 'vitest'
import { createKernel, dns, keys, mail, sorted, web } from '../rig/forwarding.ts'
import { adoptedTable } from './adopted-table.ts'
import { differencesIn, repairsOf, weightOf, type Stage } from './forwarding-changes.ts'
import { elementsOf, type Element } from './forwarding-elements.ts'
import { createForwardingModel, type ForwardingModel, type Wanted } from './forwarding-model.ts'
import { classIdOf, classIdText, emptyTable } from './forwarding-table.ts'

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
