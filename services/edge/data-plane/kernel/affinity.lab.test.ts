import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from '@weir/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  createKernelEdges,
  desiredFor,
  everyFlow,
  nodesOf,
  serve,
  targetOf,
  type KernelEdges,
} from '../../rig/kernel-edges.ts'
import { createLab, labProblem, vips, type Lab } from '../../rig/lab.ts'
import { tableName } from './skeleton.ts'

const problem = await labProblem()
const nodes = ['n1', 'n2', 'n3'] as const
const web = { protocol: 'TCP', address: vips.IPv4 } as const
const uidOf = (node: string): string => `5e1f0000-0000-4000-8000-0000000000${node.slice(1)}0`

describe.skipIf(problem !== undefined)(
  `affinity of a kernel edge${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let edges: KernelEdges
    /** A resource of the node's own, on that node alone or on all: then the client's hash picks one. */
    const wish = (node: (typeof nodes)[number], timeoutSeconds: number, targets = [node]) =>
      desiredFor({
        uid: uidOf(node),
        affinity: { kind: 'ClientIP', timeoutSeconds },
        targets: targets.map((each) => targetOf(each)),
      })
    const known = () => lab.on('e1')(['nft', 'list', 'map', 'netdev', tableName, 'clients'])

    beforeAll(async () => {
      lab = await createLab()
      edges = createKernelEdges(lab)
      await lab.routeTo('e1')
    })
    beforeEach(() => lab.routeTo('e1'))
    afterEach(() => edges.clear())
    afterAll(() => lab.stop())

    // Whatever node the client's hash picks, for two of the three it is another than the known one.
    test.each(everyFlow)(
      'sends a client to the node it had, $protocol over $family, though slots moved',
      async (flow) => {
        const plane = await edges.planeOn('e1')
        for (const node of nodes) {
          await serve(plane, wish(node, 60))
          expect(nodesOf(await lab.ask({ ...flow, count: 2 }))).toEqual(new Set([node]))
          await serve(plane, wish(node, 60, [...nodes]))
          expect(nodesOf(await lab.ask({ ...flow, count: 5 }))).toEqual(new Set([node]))
          await plane.remove(wish(node, 60).marks.key)
        }
      },
    )

    test.each(everyFlow)(
      'lets a client go when it was away for the time-out, $protocol over $family',
      async (flow) => {
        const plane = await edges.planeOn('e1')
        const later = new Set<string | undefined>()
        for (const node of nodes) {
          await serve(plane, wish(node, 2))
          expect(nodesOf(await lab.ask(flow))).toEqual(new Set([node]))
          await serve(plane, wish(node, 2, [...nodes]))
          await eventually(async () => expect(await known()).not.toContain('expires'))
          for (const each of nodesOf(await lab.ask(flow))) later.add(each)
          await plane.remove(wish(node, 2).marks.key)
        }
        expect(later.size).toBe(1)
      },
    )

    test('counts from the last new flow, so a client that comes often stays; IPv4; TCP', async () => {
      const plane = await edges.planeOn('e1')
      for (const node of nodes) {
        await serve(plane, wish(node, 3))
        // One process comes all the time; on a busy machine it takes seconds to start one.
        const knocking = await lab.knock(web)
        expect(nodesOf(await lab.ask(web))).toEqual(new Set([node]))
        await serve(plane, wish(node, 3, [...nodes]))
        await pause(4500)
        expect(nodesOf(await lab.ask(web))).toEqual(new Set([node]))
        await knocking.stop()
        await plane.remove(wish(node, 3).marks.key)
      }
    })

    test('outlives the agent; IPv4; TCP', async () => {
      for (const node of nodes) {
        const first = await edges.planeOn('e1')
        await serve(first, wish(node, 60))
        await lab.ask(web)
        await serve(first, wish(node, 60, [...nodes]))
        await first.close()
        const second = await edges.planeOn('e1')
        await serve(second, wish(node, 60, [...nodes]))
        await second.releaseUnclaimed()
        expect(await second.verify()).toBe(0)
        expect(nodesOf(await lab.ask({ ...web, count: 3 }))).toEqual(new Set([node]))
        await edges.clear()
      }
    })

    test('leaves a node that takes no new flows at once, and for good; IPv4; TCP', async () => {
      const plane = await edges.planeOn('e1')
      for (const [node, other] of [
        ['n1', 'n2'],
        ['n2', 'n3'],
        ['n3', 'n1'],
      ] as const) {
        await serve(plane, wish(node, 60))
        expect(nodesOf(await lab.ask(web))).toEqual(new Set([node]))
        // Its health, not the order, takes it out.
        await serve(plane, wish(node, 60, [...nodes]), [targetOf(other)])
        expect(nodesOf(await lab.ask(web))).toEqual(new Set([other]))
        await serve(plane, wish(node, 60, [...nodes]))
        expect(nodesOf(await lab.ask({ ...web, count: 3 }))).toEqual(new Set([other]))
        await plane.remove(wish(node, 60).marks.key)
      }
    })

    test('keeps the connections of a client whose node leaves; IPv4; TCP', async () => {
      const plane = await edges.planeOn('e1')
      await serve(plane, wish('n1', 1))
      const held = await lab.hold(vips.IPv4, 20)
      await serve(plane, wish('n1', 1, ['n2', 'n3']))
      await eventually(async () => expect(await known()).not.toContain('expires'))
      expect(await held.alive()).toBe(20)
    })
  },
)
