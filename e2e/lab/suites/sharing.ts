// How pods share flows, and how they come and go.
import { expect } from 'vitest'
import { addressOf, pools } from '../../../services/edge/rig/lab.ts'
import { agree } from '../agreement.ts'
import { families, knockAll, ofEveryFlow, protocols, type LabTest } from '../ground.ts'
import { edgeNames, type KernelPlatform } from '../kernel-platform.ts'

/** So many that 15 in a hundred more than its share are four and a half deviations for a pod of ten. */
const manyFlows = 8000

export const sharing = (scenario: LabTest): void => {
  for (const protocol of protocols) {
    scenario(
      `nine pods on one node and one on another have alike; IPv4; ${protocol}`,
      async ({ platform, deploy, expose }) => {
        const name = `skewed-${protocol.toLowerCase()}`
        await deploy(name, ['n1', ...Array.from({ length: 9 }, () => 'n2' as const)])
        const { IPv4: address } = await expose(name)
        const unevenness = async (count: number): Promise<number> => {
          const said = await platform.lab.ask({ protocol, address, count })
          expect(said).not.toContain(null)
          const pods = Map.groupBy(said, (one) => one?.split(' ')[0])
          return Math.max(...[...pods.values()].map((each) => each.length)) / (count / 10)
        }
        await agree(platform, 'n1=1,n2=9')
        const weighted = await unevenness(manyFlows)
        // What a balancer does that knows nodes and no pods: flows go to both nodes alike.
        await routeToNodes(platform)
        const unweighted = await unevenness(400)
        await platform.lab.routeTo(...edgeNames)
        process.stdout.write(
          `1 and 9 pods on two nodes, ${protocol}, busiest pod over mean: ` +
            `${weighted.toFixed(2)}; nodes alike: ${unweighted.toFixed(2)}\n`,
        )
        expect(weighted).toBeLessThanOrEqual(1.15)
        expect(unweighted).toBeGreaterThan(4)
      },
    )
  }

  scenario(
    'a pod that moves takes its flows along, and none fails once it has; IPv4, IPv6; TCP, UDP',
    async ({ platform, deploy, expose, answeredBy }) => {
      await deploy('moving', ['n1', 'n1'])
      const addresses = await expose('moving')
      await answeredBy(addresses, ['moving-1', 'moving-2'])
      await platform.pods.add('moving-3', 'moving', 'n3')
      await answeredBy(addresses, ['moving-1', 'moving-2', 'moving-3'])
      await platform.pods.retire('moving-1')
      await platform.pods.retire('moving-2')
      await answeredBy(addresses, ['moving-3'])
      // A datagram from a port that was used within the drain time goes where the earlier ones went.
      const fresh = { IPv4: '198.51.100.77', IPv6: '2001:db8:c::77' }
      const place = async (verb: 'add' | 'del'): Promise<void> => {
        const { on } = platform.lab
        await on('client')(['ip', 'addr', verb, `${fresh.IPv4}/24`, 'dev', 'eth0'])
        await on('client')(['ip', 'addr', verb, `${fresh.IPv6}/64`, 'dev', 'eth0', 'nodad'])
      }
      await place('add')
      try {
        await ofEveryFlow(addresses, async ({ family, ...flow }) => {
          const from = flow.protocol === 'UDP' ? { from: fresh[family] } : {}
          const said = await platform.lab.ask({ ...flow, ...from, count: 100 })
          expect(said.filter((one) => one?.startsWith('moving-3 '))).toHaveLength(100)
        })
      } finally {
        await place('del')
      }
      await platform.pods.remove('moving-3')
    },
  )

  scenario(
    'a rolling update of all pods fails one new flow in a hundred at most; IPv4, IPv6; TCP, UDP',
    async ({ platform, deploy, expose, answeredBy }) => {
      const nodes = ['n1', 'n2', 'n3'] as const
      await deploy('rolling', nodes)
      const addresses = await expose('rolling')
      await answeredBy(addresses, ['rolling-1', 'rolling-2', 'rolling-3'])
      const stop = await knockAll(platform, addresses)
      const fresh = nodes.map((node, at) => ({ node, name: `rolling-${at + 4}`, at: at + 1 }))
      for (const { node, name, at } of fresh) {
        await platform.pods.add(name, 'rolling', node)
        await platform.pods.retire(`rolling-${at}`)
      }
      const { count, failed } = await stop()
      process.stdout.write(`rolling update: ${count} new flows, ${failed.length} failed\n`)
      expect(failed.length / count, failed.join()).toBeLessThanOrEqual(0.01)
      await answeredBy(
        addresses,
        fresh.map(({ name }) => name),
      )
      for (const { name } of fresh) await platform.pods.remove(name)
    },
  )
}

/** Around the edges: the router shares flows out to the nodes that have a pod, each as much. */
const routeToNodes = async ({ lab }: KernelPlatform): Promise<void> => {
  for (const family of families) {
    const hops = (['n1', 'n2'] as const).flatMap((node) => [
      'nexthop',
      'via',
      addressOf(node)[family],
      'dev',
      'eth1',
    ])
    await lab.on('router')(['ip', 'route', 'replace', pools[family], ...hops])
  }
}
