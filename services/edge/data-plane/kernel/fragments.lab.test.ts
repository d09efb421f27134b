import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  createKernelEdges,
  desiredFor,
  nodesOf,
  serve,
  targetOf,
  type KernelEdges,
} from '../../rig/kernel-edges.ts'
import { createLab, labProblem, vips, type Lab } from '../../rig/lab.ts'

const problem = await labProblem()
const nodes = ['n1', 'n2', 'n3'] as const
const families = ['IPv4', 'IPv6'] as const
const inPieces = { protocol: 'UDP', sends: 4000 } as const

describe.skipIf(problem !== undefined)(
  `datagrams in pieces at a kernel edge${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let edges: KernelEdges
    const all = { targets: nodes.map((node) => targetOf(node)) }

    beforeAll(async () => {
      lab = await createLab()
      edges = createKernelEdges(lab)
      await lab.routeTo('e1')
    })
    afterEach(() => edges.clear())
    afterAll(() => lab.stop())

    test.each(families)('reach one node with all pieces, UDP over %s', async (family) => {
      await serve(await edges.planeOn('e1'), desiredFor(all))
      const answers = await lab.ask({ ...inPieces, address: vips[family], count: 20 })
      expect(nodesOf(answers)).toEqual(new Set(nodes))
    })

    test.each(families)(
      'of whom the ranges leave out reach nobody, UDP over %s',
      async (family) => {
        const plane = await edges.planeOn('e1')
        await serve(
          plane,
          desiredFor({ ...all, sourceRanges: ['192.0.2.0/24', '2001:db8:9::/48'] }),
        )
        /** Pieces that came to the nodes; nstat would keep a history in a file, which may be another user's. */
        const count = ['env', 'NSTAT_HISTORY=/dev/null', 'nstat', '-asz']
        const came = () =>
          Promise.all(
            nodes.map((node) => lab.on(node)([...count, 'IpReasmReqds', 'Ip6ReasmReqds'])),
          )
        const before = await came()
        expect(await lab.ask({ ...inPieces, address: vips[family] })).toEqual([null])
        expect(await came()).toEqual(before)
      },
    )
  },
)
