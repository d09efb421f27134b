import { systemClock } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runProgram } from '../data-plane/kernel/run-program.ts'
import { bgpProblem, startBgp, type LabBgp, type LabEdge } from '../rig/bgp.ts'
import { addressOf, createLab, labProblem, vips, type Lab } from '../rig/lab.ts'
import { connectGobgp, GobgpGone, type Gobgp, type HostRoute } from './gobgp.ts'

const problem = (await labProblem()) ?? (await bgpProblem())
const communities = [4_294_901_761]

/** What an edge announces; the first next hop means the session's own address. */
const routesOf = (edge: LabEdge): readonly HostRoute[] => [
  { address: vips.IPv4, nextHop: '0.0.0.0', communities },
  { address: vips.IPv6, nextHop: addressOf(edge).IPv6, communities },
]

describe.skipIf(problem !== undefined)(
  `gobgpd and a router${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let bgp: LabBgp
    const opened: Gobgp[] = []
    const connect = (edge: LabEdge): Gobgp => {
      const api = connectGobgp({ address: bgp.apiOf(edge), now: () => systemClock.now() })
      opened.push(api)
      return api
    }
    const routed = (address: string, edges: readonly LabEdge[]) =>
      eventually(async () => {
        expect(await bgp.routesTo(address)).toEqual(edges)
        return true
      })

    beforeAll(async () => {
      lab = await createLab('route')
      bgp = await startBgp(lab)
    })
    afterAll(async () => {
      for (const api of opened) api.close()
      await bgp.stop()
      await lab.stop()
    })

    test('what two edges announce alike, the router shares among both; what one withdraws, it does not; IPv4, IPv6', async () => {
      const [e1, e2] = [connect('e1'), connect('e2')]
      expect(await e1.sessions()).toEqual({ established: 1, configured: 1 })
      await e1.change(routesOf('e1'), [])
      await e2.change(routesOf('e2'), [])
      for (const address of Object.values(vips)) await routed(address, ['e1', 'e2'])
      expect(await e2.list()).toEqual(routesOf('e2'))
      await e1.change([], routesOf('e1'))
      for (const address of Object.values(vips)) await routed(address, ['e2'])
      expect(await e1.list()).toEqual([])
      await e2.change([], routesOf('e2'))
      for (const address of Object.values(vips)) await routed(address, [])
    })

    test('the routes that others put into gobgpd are neither seen nor withdrawn; IPv4', async () => {
      const api = connect('e1')
      const byHand = ['gobgp', '--target', bgp.apiOf('e1'), 'global', 'rib']
      await runProgram([...byHand, 'add', `${vips.IPv4}/32`, 'nexthop', addressOf('e1').IPv4])
      expect(await api.list()).toEqual([])
      await api.change(routesOf('e1'), [])
      await api.change([], routesOf('e1'))
      expect(await runProgram(byHand)).toContain(`${vips.IPv4}/32`)
      await runProgram([...byHand, 'del', `${vips.IPv4}/32`])
    })

    test('a gobgpd that dies takes its routes along, and is known to be gone; IPv4', async () => {
      const api = connect('e1')
      await api.change(routesOf('e1'), [])
      await routed(vips.IPv4, ['e1'])
      const watching = api.watch(() => undefined).catch((error: unknown) => error)
      await bgp.kill('e1')
      expect(await watching).toBeInstanceOf(GobgpGone)
      await routed(vips.IPv4, [])
      await expect(api.list()).rejects.toThrow(GobgpGone)
      await bgp.start('e1')
      await eventually(async () => {
        expect(await api.list()).toEqual([])
        return true
      })
    })
  },
)
