import { eventually } from '@weir/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientAddresses, vipPort } from '../../services/edge/rig/lab.ts'
import { holds } from '../harness/holds.ts'
import { tableName } from '../../services/edge/data-plane/kernel/skeleton.ts'
import { platformProblem, startKernelPlatform, type KernelPlatform } from './kernel-platform.ts'
import { nodeAddresses, nodeNames } from './places.ts'

const problem = await platformProblem()
const soon = { deadlineMs: 40_000 }
const families = ['IPv4', 'IPv6'] as const
type Family = (typeof families)[number]
const protocols = ['TCP', 'UDP'] as const

interface Ingress {
  readonly ip: string
  readonly ipMode: string
}

interface ServiceObject {
  readonly status: { readonly loadBalancer: { readonly ingress?: readonly Ingress[] } }
}

describe.skipIf(problem !== undefined)(
  `kernel edges before real kube-proxies${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let platform: KernelPlatform
    beforeAll(async () => {
      platform = await startKernelPlatform()
    }, 180_000)
    afterAll(() => platform.stop())

    /** Makes a Service with a TCP and a UDP port of one number; its address, once the status tells it. */
    const expose = async (name: string, family: Family, spec: object = {}): Promise<string> => {
      const ports = protocols.map((protocol) => ({
        name: protocol.toLowerCase(),
        protocol,
        port: vipPort,
      }))
      const service = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name },
        spec: {
          type: 'LoadBalancer',
          ipFamilies: [family],
          selector: { app: name },
          externalTrafficPolicy: 'Local',
          ports,
          ...spec,
        },
      }
      await platform.kubectl(['create', '-f', '-'], JSON.stringify(service))
      return eventually(async () => {
        const [ingress, ...more] = await ingressOf(name)
        expect([ingress?.ipMode, more]).toEqual(['VIP', []])
        return ingress?.ip
      }, soon)
    }
    const ingressOf = async (name: string): Promise<readonly Ingress[]> => {
      const said = await platform.kubectl(['get', 'service', name, '-o', 'json'])
      const service: ServiceObject = JSON.parse(said)
      return service.status.loadBalancer.ingress ?? []
    }
    const patch = (name: string, spec: object) =>
      platform.kubectl(['patch', 'service', name, '--type=merge', '-p', JSON.stringify({ spec })])
    const forget = async (name: string): Promise<void> => {
      await platform.kubectl(['delete', 'service', name, '--timeout=60s'])
    }
    /** Pods `NAME-1`, `NAME-2`… of the app NAME, one on each of these nodes. */
    const deploy = async (name: string, nodes: readonly (typeof nodeNames)[number][]) => {
      for (const [at, node] of nodes.entries())
        await platform.pods.add(`${name}-${at + 1}`, name, node)
    }
    const undeploy = async (name: string, count: number): Promise<void> => {
      for (let at = 1; at <= count; at += 1) await platform.pods.remove(`${name}-${at}`)
    }
    const answered = async (address: string, protocol: 'TCP' | 'UDP' = 'TCP', count = 20) =>
      new Set(await platform.lab.ask({ protocol, address, count }))
    const rulesOn = (edge: 'e1' | 'e2') =>
      platform.lab.on(edge)(['nft', 'list', 'table', 'netdev', tableName])

    test.each(families)(
      'Local: pods see the client’s own address, TCP and UDP on one port, %s',
      async (family) => {
        const name = `local-${family.toLowerCase()}`
        await deploy(name, ['n1', 'n2'])
        const address = await expose(name, family)
        const client = clientAddresses[family]
        for (const protocol of protocols) {
          await holds(async () => {
            const expected = [`${name}-1 ${client}`, `${name}-2 ${client}`]
            expect(await answered(address, protocol)).toEqual(new Set(expected))
          }, soon)
        }
        await forget(name)
        expect(await answered(address, 'TCP', 1)).toEqual(new Set([null]))
        for (const edge of ['e1', 'e2'] as const) expect(await rulesOn(edge)).not.toContain(address)
        await undeploy(name, 2)
      },
      120_000,
    )

    test.each(families)(
      'Cluster: every node takes flows, and pods see the nodes, %s',
      async (family) => {
        const name = `cluster-${family.toLowerCase()}`
        await deploy(name, ['n1'])
        const address = await expose(name, family, { externalTrafficPolicy: 'Cluster' })
        // Of the node where the pod is, the gateway of its pods; of the others, their own address.
        const others = nodeNames
          .slice(1)
          .map((node) => nodeAddresses(node)[family === 'IPv4' ? 0 : 1])
        for (const protocol of protocols) {
          await holds(async () => {
            const seen = [...(await answered(address, protocol, 40))].map(
              (said) => said?.split(' ')[1],
            )
            expect(seen).toHaveLength(nodeNames.length)
            expect(seen).toEqual(expect.arrayContaining(others))
            expect(seen).not.toContain(clientAddresses[family])
          }, soon)
        }
        await forget(name)
        await undeploy(name, 1)
      },
      120_000,
    )

    test('source ranges are in force at the edges, and edits of them at once', async () => {
      await deploy('ranged', ['n1'])
      const address = await expose('ranged', 'IPv4', {
        loadBalancerSourceRanges: ['192.0.2.0/24'],
      })
      // The agent takes what the kernel counted, and tells it.
      const ask = `fetch('http://127.0.0.1:9090/metrics').then((it) => it.text()).then(console.log)`
      const denialsOf = async (edge: 'e1' | 'e2'): Promise<number> => {
        const told = await platform.lab.on(edge)([process.execPath, '-e', ask])
        return Number(/^weir_edge_denied_by_source_total\S* (\d+)/m.exec(told)?.[1] ?? 0)
      }
      expect(await answered(address, 'TCP', 4)).toEqual(new Set([null]))
      await holds(async () => {
        expect((await denialsOf('e1')) + (await denialsOf('e2'))).toBeGreaterThan(0)
      }, soon)
      await patch('ranged', { loadBalancerSourceRanges: ['198.51.100.0/24'] })
      await holds(async () => {
        expect(await answered(address)).toEqual(new Set([`ranged-1 ${clientAddresses.IPv4}`]))
      }, soon)
      await forget('ranged')
      await undeploy('ranged', 1)
    }, 120_000)

    test('pods are shared alike, wherever they are: nine on one node, one on another', async () => {
      await deploy('skewed', ['n1', ...Array.from({ length: 9 }, () => 'n2' as const)])
      const address = await expose('skewed', 'IPv4')
      const shareOfFirst = async (count: number): Promise<number> => {
        const said = await platform.lab.ask({ protocol: 'TCP', address, count })
        expect(said).not.toContain(null)
        return said.filter((one) => one?.startsWith('skewed-1 ')).length / count
      }
      await holds(async () => expect(await shareOfFirst(50)).toBeLessThan(0.3), soon)
      // A tenth, within three standard deviations of 400 draws; half without weights.
      expect(Math.abs((await shareOfFirst(400)) - 0.1)).toBeLessThan(0.045)
      await forget('skewed')
      await undeploy('skewed', 10)
    }, 180_000)

    test('a pod that moves takes its flows along, and none fails once it has', async () => {
      await deploy('moving', ['n1', 'n1'])
      const address = await expose('moving', 'IPv4')
      await holds(async () => expect((await answered(address)).size).toBe(2), soon)
      await platform.pods.add('moving-3', 'moving', 'n3')
      await holds(async () => expect((await answered(address)).size).toBe(3), soon)
      await platform.pods.remove('moving-1', 3000)
      await platform.pods.remove('moving-2', 3000)
      const expected = new Set([`moving-3 ${clientAddresses.IPv4}`])
      await holds(async () => expect(await answered(address)).toEqual(expected), soon)
      expect(await answered(address, 'TCP', 100)).toEqual(expected)
      await forget('moving')
      await undeploy('moving', 3)
    }, 180_000)

    test('weir edge verify finds what was changed by hand, and the log has its repair', async () => {
      await deploy('verified', ['n1'])
      const address = await expose('verified', 'IPv4')
      await holds(async () => {
        const { said } = await platform.weir(['edge', 'verify'])
        expect(said).toMatch(/e1: \d+ resources, each as the log has it/)
        expect(said).toMatch(/e2: \d+ resources, each as the log has it/)
      }, soon)
      const element = `{ ${address} . tcp . ${vipPort} }`
      const byHand = ['nft', 'delete', 'element', 'netdev', tableName, 'fe', element]
      await platform.lab.on('e1')(byHand)
      const found = await platform.weir(['edge', 'verify'])
      expect(found.code).toBe(1)
      expect(found.said).toContain('e1: 1 elements of its table differed and are made good')
      expect(found.said).toContain(`fe ${address} . 6 . ${vipPort} was missing`)
      expect(found.said).toMatch(/e2: \d+ resources, each as the log has it/)
      expect((await platform.weir(['edge', 'verify'])).code).toBe(0)
      expect(await rulesOn('e1')).toContain(`${address} . tcp . ${vipPort}`)
      await holds(async () => {
        const { said } = await platform.weir([
          'events',
          'all',
          '--tenant',
          'platform',
          '-o',
          'json',
        ])
        expect(said).toContain('EdgeTableRepaired')
        expect(said).toContain(`fe ${address} . 6 . ${vipPort} was missing`)
      }, soon)
      const shown = await platform.weir(['edge', 'show', 'e2'])
      expect(shown.said).toMatch(new RegExp(`e2 .* serving .*${address}:${vipPort}/TCP.* n1=1`))
      await forget('verified')
      await undeploy('verified', 1)
    }, 180_000)

    test('the whole control plane and both agents die: traffic goes on, and no rule changes', async () => {
      await deploy('lasting', ['n1', 'n2'])
      const address = await expose('lasting', 'IPv4')
      await holds(async () => expect((await answered(address)).size).toBe(2), soon)
      const held = await platform.lab.hold(address, 200)
      const changes = await platform.watchRules()
      await platform.killControlPlane()
      await Promise.all([platform.killAgent('e1'), platform.killAgent('e2')])
      const alone = await platform.lab.ask({ protocol: 'TCP', address, count: 200 })
      expect(alone).not.toContain(null)
      expect(await held.alive()).toBe(200)
      await platform.startControlPlane()
      await Promise.all([platform.startAgent('e1'), platform.startAgent('e2')])
      expect(await held.alive()).toBe(200)
      expect(changes.count()).toBe(0)
      // And it is not only silent: what is asked of it now is done.
      await forget('lasting')
      expect(changes.count()).toBeGreaterThan(0)
      expect(await answered(address, 'TCP', 1)).toEqual(new Set([null]))
      await undeploy('lasting', 2)
    }, 240_000)
  },
)
