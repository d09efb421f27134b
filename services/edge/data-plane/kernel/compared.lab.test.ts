import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createKernelEdges,
  desiredFor,
  everyFlow,
  serve,
  targetOf,
  type KernelEdges,
} from '../../rig/kernel-edges.ts'
import { createLab, labProblem, type Lab } from '../../rig/lab.ts'
import type { KernelPlane } from './kernel-plane.ts'
import { tableName } from './skeleton.ts'

const problem = await labProblem()
const services = 30

describe.skipIf(problem !== undefined)(
  `the table of a kernel edge${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let edges: KernelEdges
    let plane: KernelPlane

    beforeAll(async () => {
      lab = await createLab()
      edges = createKernelEdges(lab)
      await lab.routeTo('e1')
      plane = await edges.planeOn('e1')
      await serve(plane)
      // Each has other weights and so a set of its own: thousands of slots, which are compared in several turns.
      const others = Array.from({ length: services }, (_, number) =>
        desiredFor({
          uid: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
          frontends: [{ ip: `203.0.114.${number}`, protocol: 'TCP', port: 80, nodePort: 30_080 }],
          targets: [targetOf('n1', number + 2), targetOf('n2', 1)],
        }),
      )
      await Promise.all(others.map((desired) => serve(plane, desired)))
    })
    afterAll(async () => {
      await edges.clear()
      await lab.stop()
    })

    /** Such as `0:1 . 0x0000003c : 02:00:00:00:00:01`. */
    const slots = async (): Promise<readonly string[]> => {
      const text = await lab.on('e1')(['nft', 'list', 'map', 'netdev', tableName, 'slots'])
      return (text.match(/\w+:\w+ \. 0x\w+ : [\w:]{17}/g) ?? []).toSorted()
    }
    const keyOf = (slot = ''): string => slot.split(' : ')[0] ?? ''
    const byHand = (verb: 'add' | 'delete', element: string) =>
      lab.on('e1')(['nft', verb, 'element', 'netdev', tableName, 'slots', `{ ${element} }`])

    test('is found out when a slot is missing, and when one leads elsewhere', async () => {
      const before = await slots()
      expect(before.length).toBeGreaterThan(services * 61)
      const [lost, moved] = [keyOf(before[0]), keyOf(before.at(-1))]
      await byHand('delete', lost)
      expect(await plane.verify()).toBe(1)
      await byHand('delete', moved)
      await byHand('add', `${moved} : 02:00:00:00:00:99`)
      expect(await plane.verify()).toBe(1)
      expect(await plane.verify()).toBe(0)
      expect(await slots()).toEqual(before)
    })

    test('is compared again and again, and no flow is any the worse for it; IPv4, IPv6; TCP, UDP', async () => {
      const knocking = await Promise.all(
        everyFlow.map(({ protocol, address }) => lab.knock({ protocol, address })),
      )
      const before = await slots()
      for (let turn = 0; turn < 5; turn += 1) expect(await plane.verify()).toBe(0)
      expect(await slots()).toEqual(before)
      const knocked = await Promise.all(knocking.map((one) => one.stop()))
      expect(knocked.flatMap(({ failed }) => failed)).toEqual([])
      expect(Math.min(...knocked.map(({ answered }) => answered))).toBeGreaterThan(20)
      expect(plane.counters().unserved).toBe(0)
    })
  },
)
