import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createKernelEdges,
  everyFlow,
  nodesOf,
  serve,
  type KernelEdges,
} from '../../rig/kernel-edges.ts'
import { addressOf, createLab, labProblem, type Lab } from '../../rig/lab.ts'

const problem = await labProblem()
/** A MAC address that no port of the switch has, so that it sends such frames to all. */
const nobody = '02:00:00:00:00:99'

describe.skipIf(problem !== undefined)(
  `what a switch floods${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let edges: KernelEdges

    beforeAll(async () => {
      lab = await createLab()
      edges = createKernelEdges(lab)
      await lab.routeTo('e1')
    })
    afterAll(async () => {
      await edges.clear()
      await lab.stop()
    })

    test.each(everyFlow)(
      'is not forwarded by an edge that it was not meant for; $protocol over $family',
      async (flow) => {
        const at = { lladdr: nobody, dev: 'eth1', nud: 'permanent' }
        const neighbour = addressOf('e1')[flow.family]
        const tell = (verb: string, words: readonly string[]) =>
          lab.on('router')(['ip', 'neigh', verb, neighbour, ...words])
        await serve(await edges.planeOn('e1'))
        expect(nodesOf(await lab.ask({ ...flow, count: 4 }))).not.toContain(undefined)
        await tell('replace', Object.entries(at).flat())
        expect(nodesOf(await lab.ask({ ...flow, count: 4 }))).toEqual(new Set([undefined]))
        await tell('del', ['dev', 'eth1'])
        expect(nodesOf(await lab.ask({ ...flow, count: 4 }))).not.toContain(undefined)
        await edges.clear()
      },
    )
  },
)
