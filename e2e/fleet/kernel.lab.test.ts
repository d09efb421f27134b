// The driver's promises, kept through two real agents, each of which forwards in the kernel of an edge of the
// lab. Agents run in the process of the tests, where the nodes that they ask are; in the lab's network each of
// these has a machine, by whose MAC address an edge knows it.
import { ipAddress } from '@weir/contract'
import { kernelCapabilities } from '@weir/drivers'
import { afterAll, beforeAll, describe } from 'vitest'
import { testDriver } from '../../libs/drivers/driver.conformance.ts'
import { readOwnMac } from '../../services/edge/data-plane/kernel/neighbours.ts'
import type { RunProgram } from '../../services/edge/data-plane/kernel/run-program.ts'
import { createKernelEdges, type EdgeHost } from '../../services/edge/rig/kernel-edges.ts'
import { addressOf, createLab, labProblem, type Lab } from '../../services/edge/rig/lab.ts'
import { createAddresses } from '../../services/edge/rig/orders.ts'
import { createFleetRig } from './fleet-rig.ts'
import { createStandinNodes, type StandinNodes } from './standin-nodes.ts'
import { leftInTable, readTable } from './table-read.ts'

const problem = await labProblem()
const edges: readonly EdgeHost[] = ['e1', 'e2']
const hosts = ['n1', 'n2'] as const
const address = createAddresses()
const targets = hosts.map((node) => ({ node, ip: ipAddress.parse(address()), weight: 1 }))
const inLab = targets.map(({ node, ip }) => [ip, addressOf(node).IPv4] as const)

/** Runs a program on a host of the lab, where the nodes have other addresses than here. */
const translated =
  (run: RunProgram): RunProgram =>
  async (argv, input) => {
    if (argv[0] !== 'ip' || typeof input === 'object') return run(argv, input)
    const there = inLab.reduce((text, [own, lab]) => text.replaceAll(own, lab), input ?? '')
    const said = await run(argv, there)
    return inLab.reduce((text, [own, lab]) => text.replaceAll(`"${lab}"`, `"${own}"`), said)
  }

describe.skipIf(problem !== undefined)(
  `kernel edges of the lab${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let nodes: StandinNodes
    const ipByMac = new Map<string, string>()
    beforeAll(async () => {
      lab = await createLab('route')
      nodes = await createStandinNodes(targets)
      for (const { node, ip } of targets) ipByMac.set(await readOwnMac(lab.on(node), 'eth0'), ip)
    })
    afterAll(async () => {
      await nodes.close()
      await lab.stop()
    })

    const options = {
      target: 'two real agents, kernel',
      capabilities: kernelCapabilities,
      tokens: false,
      tellsOfChanges: true,
      tags: false,
      lags: false,
      timeoutMs: 300_000,
    }
    testDriver('edge', options, () => {
      const kernels = createKernelEdges(lab)
      return createFleetRig({
        dataPlane: 'kernel',
        edges,
        open: (edge) => {
          const host = edge as EdgeHost
          const run = translated(lab.on(host))
          return kernels.planeOn(host, { run, drainMs: 1000, lookMs: 2000 })
        },
        read: (edge, held) => readTable({ nodes, ipByMac, run: lab.on(edge as EdgeHost) }, held),
        strays: (edge, held) => leftInTable({ run: lab.on(edge as EdgeHost) }, held),
        clear: () => kernels.clear(),
        vips: Array.from({ length: 6 }, (_, index) => `203.0.113.${index + 1}`),
        targets,
      })
    })
  },
)
