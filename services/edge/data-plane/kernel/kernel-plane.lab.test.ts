import { OperatingError } from '@weir/kernel'
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
import { clientAddresses, createLab, labProblem, vipPort, vips, type Lab } from '../../rig/lab.ts'
import type { RunProgram } from './run-program.ts'
import { tableName } from './skeleton.ts'

const problem = await labProblem()
const protocols = ['TCP', 'UDP'] as const

describe.skipIf(problem !== undefined)(
  `a kernel edge${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let edges: KernelEdges
    const planeOn: KernelEdges['planeOn'] = (...args) => edges.planeOn(...args)
    const listing = (edge: 'e1' | 'e2') =>
      lab.on(edge)(['nft', '-a', 'list', 'table', 'netdev', tableName])

    beforeAll(async () => {
      lab = await createLab()
      edges = createKernelEdges(lab)
    })
    beforeEach(() => lab.routeTo('e1'))
    afterEach(() => edges.clear())
    afterAll(() => lab.stop())

    test.each(everyFlow)(
      'carries $protocol over $family to all nodes, which see the client’s own address',
      async ({ family, protocol }) => {
        expect(await serve(await planeOn('e1'))).toEqual({ status: 'serving' })
        const answers = await lab.ask({ protocol, address: vips[family], count: 30 })
        const expected = ['n1', 'n2'].map((node) => `${node} ${clientAddresses[family]}`)
        expect(new Set(answers)).toEqual(new Set(expected))
      },
    )

    test.each(everyFlow)(
      'admits only the source ranges, $protocol over $family',
      async ({ family, protocol }) => {
        const plane = await planeOn('e1')
        const flow = { protocol, address: vips[family] }
        await serve(plane, desiredFor({ sourceRanges: ['192.0.2.0/24', '2001:db8:9::/48'] }))
        expect(await lab.ask(flow)).toEqual([null])
        await serve(plane, desiredFor({ sourceRanges: ['198.51.100.0/24', '2001:db8:c::/64'] }))
        expect(await lab.ask(flow)).toEqual([expect.any(String)])
        await eventually(() => expect(plane.counters().deniedBySource).toBeGreaterThan(0))
      },
    )

    test('keeps the connections of a node that leaves, and cuts them when its drain is over; IPv4; TCP', async () => {
      const plane = await planeOn('e1', { drainMs: 3000 })
      await serve(plane)
      const held = await lab.hold(vips.IPv4, 40)
      const onN1 = held.answers.filter((answer) => answer?.startsWith('n1')).length
      expect(onN1).toBeGreaterThan(0)
      await serve(plane, desiredFor({ targets: [targetOf('n2')] }))
      expect(await held.alive()).toBe(40)
      const answers = await lab.ask({ protocol: 'TCP', address: vips.IPv4, count: 20 })
      expect(nodesOf(answers)).toEqual(new Set(['n2']))
      await eventually(async () => expect(await held.alive()).toBe(40 - onN1), {
        deadlineMs: 15_000,
      })
    })

    test('sends a flow to the same node on every edge; IPv4, IPv6; TCP', async () => {
      const [one, other] = await Promise.all([planeOn('e1'), planeOn('e2')])
      await Promise.all([serve(one), serve(other)])
      const held = await lab.hold(vips.IPv4, 100)
      const six = await lab.hold(vips.IPv6, 100)
      await lab.routeTo('e2')
      expect([await held.alive(), await six.alive()]).toEqual([100, 100])
      await lab.routeTo('e1', 'e2')
      expect([await held.alive(), await six.alive()]).toEqual([100, 100])
    })

    test('that starts anew goes on with what is in the kernel, and changes nothing of it; IPv4; TCP', async () => {
      const first = await planeOn('e1')
      await serve(first)
      const held = await lab.hold(vips.IPv4, 40)
      const without = desiredFor({ generation: 2, targets: [targetOf('n2')] })
      await serve(first, without)
      await first.close()
      const before = await listing('e1')
      expect(await held.alive()).toBe(40)
      const second = await planeOn('e1')
      await serve(second, without)
      await second.releaseUnclaimed()
      expect(await second.verify()).toBe(0)
      // Flows of other tests come and go; that these kept theirs is asked below.
      const still = (text: string): string =>
        text.replace(/map pinned \{.*?\n\t\}/s, '').replaceAll(/packets \d+ bytes \d+/g, '')
      expect(still(await listing('e1'))).toBe(still(before))
      expect(await held.alive()).toBe(40)
    })

    test('that starts anew gives up what nobody orders any more; IPv4; TCP', async () => {
      const first = await planeOn('e1')
      await serve(first)
      await first.close()
      const second = await planeOn('e1')
      await second.releaseUnclaimed()
      expect(await lab.ask({ protocol: 'TCP', address: vips.IPv4 })).toEqual([null])
      expect(await listing('e1')).not.toContain(vips.IPv4)
    })

    test('leaves nothing of a removed resource, and does not answer for it; IPv4; TCP', async () => {
      const plane = await planeOn('e1')
      const desired = desiredFor({ sourceRanges: ['198.51.100.0/24'] })
      await serve(plane, desired)
      const held = await lab.hold(vips.IPv4, 5)
      await plane.remove(desired.marks.key)
      expect(await held.alive()).toBe(0)
      expect(await lab.ask({ protocol: 'TCP', address: vips.IPv4 })).toEqual([null])
      const left = await listing('e1')
      for (const gone of [vips.IPv4, vips.IPv6, '198.51.100.0/24']) expect(left).not.toContain(gone)
    })

    test.each(protocols)('without usable nodes answers nobody, %s over IPv4', async (protocol) => {
      const plane = await planeOn('e1')
      expect(await serve(plane, desiredFor(), [])).toEqual({ status: 'serving' })
      expect(await lab.ask({ protocol, address: vips.IPv4 })).toEqual([null])
    })

    test('keeps a client with one node under affinity; IPv4; TCP, UDP', async () => {
      const plane = await planeOn('e1')
      const affinity = { kind: 'ClientIP', timeoutSeconds: 60 } as const
      const targets = (['n1', 'n2', 'n3'] as const).map((node) => targetOf(node))
      await serve(plane, desiredFor({ affinity, targets }))
      const answers = await lab.ask({ protocol: 'TCP', address: vips.IPv4, count: 30 })
      expect(nodesOf(answers).size).toBe(1)
      const udp = await lab.ask({ protocol: 'UDP', address: vips.IPv4, count: 5 })
      expect(nodesOf([...answers, ...udp]).size).toBe(1)
    })

    test('shares new flows by weight; IPv4; TCP', async () => {
      const plane = await planeOn('e1')
      await serve(plane, desiredFor({ targets: [targetOf('n1', 1), targetOf('n2', 9)] }))
      const answers = await lab.ask({ protocol: 'TCP', address: vips.IPv4, count: 200 })
      const share = answers.filter((answer) => answer?.startsWith('n2')).length / answers.length
      // Four standard deviations of 200 draws with 0.9.
      expect(Math.abs(share - 0.9)).toBeLessThan(0.085)
    })

    test('names a node that nobody answers for, and serves with the others; IPv4; TCP', async () => {
      const plane = await planeOn('e1')
      const lost = { node: 'lost', ip: '10.0.0.99', weight: 1 }
      const outcome = await serve(plane, desiredFor({ targets: [targetOf('n1'), lost] }))
      expect(outcome).toEqual({
        status: 'refused',
        problem: 'node lost (10.0.0.99) does not answer on eth0',
        served: { addresses: everyFlow.map(({ address }) => address), nodes: 1 },
      })
      const answers = await lab.ask({ protocol: 'TCP', address: vips.IPv4, count: 10 })
      expect(nodesOf(answers)).toEqual(new Set(['n1']))
    })

    test('finds what somebody changed by hand and repairs it; IPv4; TCP', async () => {
      const plane = await planeOn('e1')
      await serve(plane)
      const byHand = lab.on('e1')
      const key = `${vips.IPv4} . tcp . ${vipPort}`
      await byHand(['nft', 'delete', 'element', 'netdev', tableName, 'fe', `{ ${key} }`])
      await byHand(['nft', 'add', 'element', 'netdev', tableName, 'restricted', '{ 0:9 }'])
      expect(await lab.ask({ protocol: 'TCP', address: vips.IPv4 })).toEqual([null])
      expect(await plane.verify()).toBe(2)
      expect(await plane.verify()).toBe(0)
      expect(await lab.ask({ protocol: 'TCP', address: vips.IPv4 })).toEqual([expect.any(String)])
    })

    test('loads its table again when somebody deleted it; IPv4; TCP', async () => {
      const plane = await planeOn('e1')
      await serve(plane)
      await lab.on('e1')(['nft', 'delete', 'table', 'netdev', tableName])
      // A look of its own may have come first, since what nft says of it is looked into at once.
      await plane.verify()
      expect(plane.repairs()[0]?.elements).toBeGreaterThan(60)
      expect(await lab.ask({ protocol: 'TCP', address: vips.IPv4 })).toEqual([expect.any(String)])
    })

    test('says what nft said, and makes good what it did not take; IPv4; UDP', async () => {
      let fails = false
      const run: RunProgram = async (argv, input) => {
        if (fails && String(input).includes('element')) throw new OperatingError('nft: no memory')
        return lab.on('e1')(argv, input)
      }
      const plane = await planeOn('e1', { run })
      await serve(plane)
      fails = true
      const change = desiredFor({ generation: 2, targets: [targetOf('n3')] })
      const outcome = await serve(plane, change)
      expect(outcome).toEqual({ status: 'refused', problem: 'nft: no memory' })
      expect(nodesOf(await lab.ask({ protocol: 'UDP', address: vips.IPv4 }))).not.toContain('n3')
      fails = false
      expect(await serve(plane, change)).toEqual({ status: 'serving' })
      expect(await plane.verify()).toBe(0)
      const answers = await lab.ask({ protocol: 'UDP', address: vips.IPv4, count: 3 })
      expect(nodesOf(answers)).toEqual(new Set(['n3']))
    })

    test('touches no table but its own', async () => {
      const foreign = 'table inet theirs {\n\tchain one {\n\t\tcounter packets 0 bytes 0\n\t}\n}\n'
      await lab.on('e1')(['nft', '-f', '-'], foreign)
      const plane = await planeOn('e1')
      const desired = desiredFor()
      await serve(plane, desired)
      await plane.remove(desired.marks.key)
      expect(await lab.on('e1')(['nft', 'list', 'table', 'inet', 'theirs'])).toBe(foreign)
    })

    test('follows a node whose address moves to another machine; IPv4; UDP', async () => {
      const plane = await planeOn('e1')
      const moved = '10.0.0.31'
      await lab.on('n1')(['ip', 'addr', 'add', `${moved}/24`, 'dev', 'eth0'])
      await serve(plane, desiredFor({ targets: [{ node: 'n', ip: moved, weight: 1 }] }))
      const first = await lab.ask({ protocol: 'UDP', address: vips.IPv4 })
      expect(nodesOf(first)).toEqual(new Set(['n1']))
      await lab.on('n1')(['ip', 'addr', 'del', `${moved}/24`, 'dev', 'eth0'])
      await lab.on('n3')(['ip', 'addr', 'add', `${moved}/24`, 'dev', 'eth0'])
      try {
        await lab.on('e1')(['ip', 'neigh', 'flush', 'dev', 'eth0'])
        await eventually(
          async () =>
            expect(nodesOf(await lab.ask({ protocol: 'UDP', address: vips.IPv4 }))).toEqual(
              new Set(['n3']),
            ),
          { deadlineMs: 20_000 },
        )
      } finally {
        await lab.on('n3')(['ip', 'addr', 'del', `${moved}/24`, 'dev', 'eth0'])
      }
    })
  },
)
