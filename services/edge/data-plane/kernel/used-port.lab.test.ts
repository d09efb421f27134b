import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  createKernelEdges,
  desiredFor,
  everyFlow,
  nodesOf,
  serve,
  targetOf,
  type KernelEdges,
  type NodeHost,
} from '../../rig/kernel-edges.ts'
import { createLab, labProblem, type Lab } from '../../rig/lab.ts'

const problem = await labProblem()
const nodes = ['n1', 'n2', 'n3'] as const
const fromPort = 40_001
const manyPorts = 12
const on = (...some: readonly NodeHost[]) =>
  desiredFor({ targets: some.map((node) => targetOf(node)) })
const connections = everyFlow.filter(({ protocol }) => protocol === 'TCP')
const datagrams = everyFlow.filter(({ protocol }) => protocol === 'UDP')
type Flow = (typeof everyFlow)[number]

describe.skipIf(problem !== undefined)(
  `a port that a client used before${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let edges: KernelEdges
    /** Which nodes answer a flow from each of the ports. */
    const answering = async (flow: Flow, count = manyPorts) =>
      nodesOf(await lab.ask({ ...flow, fromPort, count }))
    const only = (node: NodeHost | undefined) => new Set([node])

    beforeAll(async () => {
      lab = await createLab()
      edges = createKernelEdges(lab)
      await lab.routeTo('e1')
    })
    afterEach(() => edges.clear())
    afterAll(() => lab.stop())

    test.each(connections)(
      'leads a new connection to a node of now, not to one that left the order; $protocol over $family',
      async (flow) => {
        const plane = await edges.planeOn('e1')
        await serve(plane, on('n1'))
        const held = await lab.hold(flow.address, 20)
        expect(await answering(flow)).toEqual(only('n1'))
        await serve(plane, on('n2'))
        expect(await answering(flow)).toEqual(only('n2'))
        // And that node is the pinned one now.
        expect(await answering(flow)).toEqual(only('n2'))
        expect(await held.alive()).toBe(20)
      },
    )

    test.each(connections)(
      'leads a new connection to a node of now, not to one that lost its health; $protocol over $family',
      async (flow) => {
        const plane = await edges.planeOn('e1')
        await serve(plane, on(...nodes), [targetOf('n1')])
        expect(await answering(flow)).toEqual(only('n1'))
        await serve(plane, on(...nodes), [targetOf('n2'), targetOf('n3')])
        expect(await answering(flow)).toEqual(new Set(['n2', 'n3']))
        await serve(plane, on(...nodes), [])
        expect(await answering(flow, 2)).toEqual(only(undefined))
      },
    )

    test.each(connections)(
      'leads a connection whose SYN is sent again to the node of the first, though slots moved; $protocol over $family',
      async (flow) => {
        const plane = await edges.planeOn('e1')
        await serve(plane, on('n1'))
        expect(await answering(flow)).toEqual(only('n1'))
        await serve(plane, on(...nodes))
        expect(await answering(flow)).toEqual(only('n1'))
      },
    )

    test.each(connections)(
      'leads a new connection where its client belongs by affinity; $protocol over $family',
      async (flow) => {
        const affinity = { kind: 'ClientIP', timeoutSeconds: 60 } as const
        const sticky = (...some: readonly NodeHost[]) => ({ ...on(...some), affinity })
        const plane = await edges.planeOn('e1')
        await serve(plane, sticky('n1'))
        expect(await answering(flow)).toEqual(only('n1'))
        await serve(plane, sticky('n2'))
        expect(await answering(flow)).toEqual(only('n2'))
        await serve(plane, sticky(...nodes))
        expect(await answering(flow)).toEqual(only('n2'))
      },
    )

    test.each(connections)(
      'begins no connection at a frontend that left the order; $protocol over $family',
      async (flow) => {
        const plane = await edges.planeOn('e1')
        await serve(plane, on('n1'))
        const held = await lab.hold(flow.address, 20)
        expect(await answering(flow)).toEqual(only('n1'))
        const { frontends, ...rest } = on('n1')
        const others = frontends.filter(({ ip }) => ip !== flow.address)
        await serve(plane, { ...rest, frontends: others })
        expect(await answering(flow, 2)).toEqual(only(undefined))
        expect(await held.alive()).toBe(20)
      },
    )

    test.each(connections)(
      'is of another flow by UDP: a new connection takes no datagrams along; TCP, UDP over $family',
      async (flow) => {
        const datagram = { ...flow, protocol: 'UDP' } as const
        const plane = await edges.planeOn('e1')
        await serve(plane, on('n1'))
        expect(await answering(datagram)).toEqual(only('n1'))
        expect(await answering(flow)).toEqual(only('n1'))
        await serve(plane, on('n2'))
        expect(await answering(flow)).toEqual(only('n2'))
        expect(await answering(datagram)).toEqual(only('n1'))
      },
    )

    test.each(datagrams)(
      'goes on with the node it had, UDP, for nothing tells a new flow; $family',
      async (flow) => {
        const plane = await edges.planeOn('e1')
        await serve(plane, on('n1'))
        expect(await answering(flow)).toEqual(only('n1'))
        await serve(plane, on('n2'))
        expect(await answering(flow)).toEqual(only('n1'))
      },
    )
  },
)
