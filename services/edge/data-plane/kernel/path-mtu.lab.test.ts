import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  createKernelEdges,
  desiredFor,
  everyFlow,
  nodesOf,
  serve,
  targetOf,
  type KernelEdges,
} from '../../rig/kernel-edges.ts'
import { addressOf, clientAddresses, createLab, labProblem, vips, type Lab } from '../../rig/lab.ts'
import { tableName } from './skeleton.ts'

const problem = await labProblem()
const nodes = ['n1', 'n2', 'n3'] as const
const families = ['IPv4', 'IPv6'] as const
/** So many that one in ten million runs leaves a node of the three out. */
const manyFlows = 42

describe.skipIf(problem !== undefined)(
  `a kernel edge before a link of 1400 bytes${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let edges: KernelEdges
    const all = desiredFor({ targets: nodes.map((node) => targetOf(node)) })
    /** What a node knows of the way to the client; the client itself says that it takes 1500 bytes. */
    const learnt = async (node: (typeof nodes)[number], family: (typeof families)[number]) =>
      lab.on(node)(['ip', 'route', 'get', clientAddresses[family]])
    const forgetAll = async (): Promise<void> => {
      for (const node of nodes) {
        await lab.on(node)(['ip', '-4', 'route', 'flush', 'cache'])
        await lab.on(node)(['ip', '-6', 'route', 'flush', 'cache'])
      }
    }

    beforeAll(async () => {
      lab = await createLab()
      edges = createKernelEdges(lab)
      await lab.on('router')(['ip', 'link', 'set', 'eth0', 'mtu', '1400'])
      // The client knows and sends no more, but says that it takes as much as ever.
      const known = ['dev', 'eth0', 'mtu', '1400', 'advmss', '1440']
      await lab.on('client')(['ip', 'route', 'replace', 'default', 'via', '198.51.100.1', ...known])
      await lab.on('client')([
        'ip',
        'route',
        'replace',
        'default',
        'via',
        '2001:db8:c::1',
        ...known,
      ])
    })
    afterEach(() => Promise.all([edges.clear(), forgetAll()]))
    afterAll(() => lab.stop())

    test.each(families)(
      'has every node learn it, so that big answers come, TCP over %s',
      async (family) => {
        await lab.routeTo('e1')
        await serve(await edges.planeOn('e1'), all)
        const bulk = {
          protocol: 'TCP',
          address: vips[family],
          count: manyFlows,
          bytes: 200_000,
        } as const
        expect(nodesOf(await lab.ask(bulk))).toEqual(new Set(nodes))
        for (const node of nodes) expect(await learnt(node, family)).toContain('mtu 1400')
      },
    )

    test.each(families)('has the node of a datagram learn it, UDP over %s', async (family) => {
      await lab.routeTo('e1')
      await serve(await edges.planeOn('e1'), desiredFor({ targets: [targetOf('n1')] }))
      const big = { protocol: 'UDP', address: vips[family], bytes: 1420 } as const
      // The first one is what it learns from; later ones come in pieces.
      expect(await lab.ask(big)).toEqual([null])
      expect(nodesOf(await lab.ask(big))).toEqual(new Set(['n1']))
    })

    test.each(families)(
      'tells a node that drains, by the pins of its flows, TCP over %s',
      async (family) => {
        await lab.routeTo('e1')
        const plane = await edges.planeOn('e1')
        await serve(plane, desiredFor({ targets: [targetOf('n1')] }))
        const held = await lab.hold(vips[family], 5)
        await serve(plane, desiredFor({ targets: [targetOf('n2')] }))
        await held.send(5000)
        expect(await learnt('n1', family)).toContain('mtu 1400')
        expect(await learnt('n2', family)).not.toContain('mtu 1400')
      },
    )

    test.each(families)(
      'tells the right node by an edge that knows no flow, TCP over %s',
      async (family) => {
        await lab.routeTo('e1')
        const [one, other] = await Promise.all([edges.planeOn('e1'), edges.planeOn('e2')])
        await Promise.all([serve(one, all), serve(other, all)])
        const router = (argv: string) => lab.on('router')(['ip', ...argv.split(' ')])
        const [six, to] = family === 'IPv4' ? ['-4', '203.0.113.0/24'] : ['-6', '2001:db8:f::/64']
        // What the router says itself goes by the other edge.
        await router(`${six} rule add iif lo lookup 100`)
        await router(`${six} route replace ${to} via ${addressOf('e2')[family]} table 100`)
        try {
          const bulk = {
            protocol: 'TCP',
            address: vips[family],
            count: manyFlows,
            bytes: 200_000,
          } as const
          expect(nodesOf(await lab.ask(bulk))).toEqual(new Set(nodes))
          expect(
            await lab.on('e2')(['nft', 'list', 'map', 'netdev', tableName, 'pinned']),
          ).not.toContain('expires')
        } finally {
          await router(`${six} rule del iif lo lookup 100`)
        }
      },
    )

    test.each(everyFlow.filter(({ protocol }) => protocol === 'TCP'))(
      'finds the node of a sticky client, $protocol over $family',
      async (flow) => {
        await lab.routeTo('e1')
        const affinity = { kind: 'ClientIP', timeoutSeconds: 60 } as const
        const plane = await edges.planeOn('e1')
        const targets = nodes.map((node) => targetOf(node))
        await serve(plane, desiredFor({ affinity, targets }))
        const answers = await lab.ask({ ...flow, count: 2, bytes: 200_000 })
        expect(answers).toEqual([expect.any(String), expect.any(String)])
      },
    )

    test('leaves errors about the edge’s own connections to the edge; IPv4; UDP', async () => {
      await lab.routeTo('e1')
      await serve(await edges.planeOn('e1'), all)
      await lab.on('e1')(['ip', 'route', 'replace', '198.51.100.0/24', 'via', '10.0.0.1'])
      const sends = `const socket = require('node:dgram').createSocket('udp4')
        socket.send(Buffer.alloc(1450), 9, '${clientAddresses.IPv4}', () =>
          setTimeout(() => socket.close(), 500))`
      await lab.on('e1')([process.execPath, '-e', sends])
      const route = await lab.on('e1')(['ip', 'route', 'get', clientAddresses.IPv4])
      expect(route).toContain('mtu 1400')
    })
  },
)
