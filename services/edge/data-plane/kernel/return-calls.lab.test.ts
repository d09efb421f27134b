// Real nodes of the lab, called by the address of a load balancer; one of them drops what it would answer with.
import { join } from 'node:path'
import { silentLogger } from '@weir/kernel'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { callsOf } from '../../domain/direct-return.ts'
import { createKernelEdges, desiredFor, serve, type KernelEdges } from '../../rig/kernel-edges.ts'
import { addressOf, createLab, labProblem, vipPort, vips, type Lab } from '../../rig/lab.ts'
import { createReturnCalls, type Connect } from './return-calls.ts'

const problem = await labProblem()
const script = join(import.meta.dirname, '..', '..', 'rig', 'connect-once.ts')
const families = ['IPv4', 'IPv6'] as const
type Family = (typeof families)[number]

describe.skipIf(problem !== undefined)(
  `answers with an address of ours${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let edges: KernelEdges
    const connect: Connect = async (connecting) =>
      JSON.parse(await lab.on('e1')([process.execPath, script, JSON.stringify(connecting)]))
    const drop = (rule: string) => lab.on('n1')(['nft', '-f', '-'], dropping(rule))

    beforeAll(async () => {
      lab = await createLab()
      edges = createKernelEdges(lab)
      for (const address of ['10.0.0.1', '2001:db8:1::1']) {
        await lab.on('e1')(['ip', 'route', 'add', 'default', 'via', address])
      }
    })
    beforeEach(() => lab.routeTo('e1'))
    afterEach(async () => {
      await lab.on('n1')(['nft', 'flush', 'ruleset'])
      await edges.clear()
    })
    afterAll(() => lab.stop())

    /** What comes of calling both nodes, with a node port that is answered at their own addresses. */
    const callAll = async (family: Family) => {
      const targets = (['n1', 'n2'] as const).map((node) => ({
        node,
        ip: addressOf(node)[family],
        weight: 1,
      }))
      const frontends = [{ ip: vips[family], protocol: 'TCP', port: vipPort, nodePort: ownPort }]
      const desired = desiredFor({ targets, frontends })
      const plane = await edges.planeOn('e1')
      await serve(plane, desired)
      const calls = createReturnCalls({
        run: lab.on('e1'),
        device: 'eth0',
        log: silentLogger,
        connect,
      })
      const asked = callsOf(desired, targets)
      return Promise.all(asked.map(async (call) => [call.node, await calls.call(call)] as const))
    }
    /** A port of the node itself that answers, refusing: nobody listens there. */
    const ownPort = 9

    test.each(families)('come back from every node, over %s', async (family) => {
      expect(await callAll(family)).toEqual([
        ['n1', 'answered'],
        ['n2', 'answered'],
      ])
    })

    test.each(families)('do not come back from a node that drops them, over %s', async (family) => {
      await drop(`${family === 'IPv4' ? 'ip' : 'ip6'} saddr ${vips[family]} drop`)
      expect(await callAll(family)).toEqual([
        ['n1', 'silent'],
        ['n2', 'answered'],
      ])
    })

    test('tell nothing of a node that answers for its own address neither; IPv4', async () => {
      await drop(`ip daddr ${addressOf('e1').IPv4} tcp flags & (syn|ack|rst) != 0 drop`)
      expect(await callAll('IPv4')).toEqual([
        ['n1', 'unknown'],
        ['n2', 'answered'],
      ])
    })

    test('tell nothing where the address is the edge’s own, and leave no route behind; IPv4', async () => {
      await lab.on('e1')(['ip', 'addr', 'add', `${vips.IPv4}/32`, 'dev', 'lo'])
      expect(await callAll('IPv4')).toEqual([
        ['n1', 'unknown'],
        ['n2', 'unknown'],
      ])
      await lab.on('e1')(['ip', 'addr', 'del', `${vips.IPv4}/32`, 'dev', 'lo'])
      const left = await lab.on('e1')(['ip', 'route', 'show', 'table', 'all', vips.IPv4])
      expect(left.trim()).toBe('')
    })
  },
)

const dropping = (rule: string): string => `
table inet test {
  chain out {
    type filter hook output priority 0;
    ${rule}
  }
}
`
