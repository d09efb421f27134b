// Whom pods see, who is let in, and which pod has a client.
import { expect } from 'vitest'
import { clientAddresses, pools } from '../../../services/edge/rig/lab.ts'
import { holds } from '../../harness/holds.ts'
import { agree } from '../agreement.ts'
import { everyFlow, families, ofEveryFlow, soon, type LabTest } from '../ground.ts'
import { edgeNames, type EdgeName, type KernelPlatform } from '../kernel-platform.ts'
import { nodeAddresses, nodeNames } from '../places.ts'

export const policies = (scenario: LabTest): void => {
  scenario(
    'Local: pods see the client’s own address; IPv4, IPv6; TCP and UDP on one port',
    async ({ deploy, expose, answeredBy }) => {
      await deploy('local', ['n1', 'n2'])
      await answeredBy(await expose('local'), ['local-1', 'local-2'])
    },
  )

  scenario(
    'Cluster: every node takes flows, and pods see the nodes; IPv4, IPv6; TCP, UDP',
    async ({ deploy, expose, answers }) => {
      await deploy('cluster', ['n1'])
      const addresses = await expose('cluster', { externalTrafficPolicy: 'Cluster' })
      await ofEveryFlow(addresses, async ({ family, ...flow }) => {
        // Of the node where the pod is, the gateway of its pods; of the others, their own address.
        const others = nodeNames.slice(1).map((node) => nodeAddresses(node)[family])
        await holds(async () => {
          const said = await answers({ ...flow, count: 40 })
          const seen = [...said].map((one) => one?.split(' ')[1])
          expect(seen).toHaveLength(nodeNames.length)
          expect(seen).toEqual(expect.arrayContaining(others))
          expect(seen).not.toContain(clientAddresses[family])
        }, soon)
      })
    },
  )

  scenario(
    'source ranges hold at the edges, and edits of them at once; IPv4, IPv6; TCP, UDP',
    async ({ platform, deploy, expose, patch, silent, answeredBy }) => {
      await deploy('ranged', ['n1'])
      const nobody = ['192.0.2.0/24', '2001:db8:ffff::/48']
      const addresses = await expose('ranged', { loadBalancerSourceRanges: nobody })
      await silent(addresses)
      await holds(async () => {
        const denied = await Promise.all(edgeNames.map((edge) => denialsOf(platform, edge)))
        expect(Math.max(...denied)).toBeGreaterThan(0)
      }, soon)
      await patch('ranged', { loadBalancerSourceRanges: ['198.51.100.0/24', '2001:db8:c::/64'] })
      await answeredBy(addresses, ['ranged-1'])
    },
  )

  scenario(
    'ClientIP affinity: a client stays with its pod, also on another edge; IPv4, IPv6; TCP, UDP',
    async ({ platform, deploy, expose, answers }) => {
      const { lab } = platform
      await deploy('sticky', ['n1', 'n2', 'n2', 'n3'])
      const addresses = await expose('sticky', { sessionAffinity: 'ClientIP' })
      // An edge that knew fewer nodes would remember clients for one that the other's table doesn't lead them to.
      await agree(platform, 'n1=1,n2=2,n3=1')
      const clients = { IPv4: more('198.51.100.', '/24'), IPv6: more('2001:db8:c::', '/64') }
      for (const { cidr } of families.flatMap((family) => clients[family]))
        await lab.on('client')(['ip', 'addr', 'add', cidr, 'dev', 'eth0'])
      const check = async ({ family, protocol }: (typeof everyFlow)[number]) => {
        const address = addresses[family]
        await holds(async () => {
          const all = new Set<string>()
          for (const { from } of clients[family]) {
            const said = [...(await answers({ protocol, address, from, count: 8 }))]
            expect(said).toEqual([expect.stringMatching(new RegExp(`^sticky-\\d ${from}$`))])
            await lab.routeTo('e2')
            expect(await answers({ protocol, address, from, count: 4 })).toEqual(new Set(said))
            await lab.routeTo(...edgeNames)
            all.add(String(said[0]).split(' ')[0] ?? '')
          }
          expect(all.size).toBeGreaterThan(1)
        }, soon)
      }
      try {
        for (const flow of everyFlow) await check(flow)
      } finally {
        await lab.routeTo(...edgeNames)
        for (const { cidr } of families.flatMap((family) => clients[family]))
          await lab.on('client')(['ip', 'addr', 'del', cidr, 'dev', 'eth0'])
      }
    },
  )

  scenario(
    'without a pod nobody answers, with the first one somebody does; IPv4, IPv6; TCP, UDP',
    async ({ platform, deploy, expose, silent, answeredBy }) => {
      const addresses = await expose('empty')
      await silent(addresses)
      await deploy('empty', ['n3'])
      await answeredBy(addresses, ['empty-1'])
      await platform.pods.remove('empty-1')
      await silent(addresses)
    },
  )

  scenario(
    'a pod that calls the address stays in the cluster; IPv4, IPv6; TCP, UDP',
    async ({ platform, deploy, expose, answeredBy }) => {
      await deploy('inside', ['n1'])
      await deploy('caller', ['n3'])
      const addresses = await expose('inside')
      await answeredBy(addresses, ['inside-1'])
      // Were it to leave the cluster, it would end at the router, which leads nowhere now.
      for (const pool of Object.values(pools))
        await platform.lab.on('router')(['ip', 'route', 'add', 'blackhole', pool])
      try {
        for (const { family, protocol } of everyFlow) {
          const flow = { protocol, address: addresses[family], count: 5 }
          const said = new Set(await platform.pods.ask('caller-1', flow))
          // Its node shows itself to a pod elsewhere, as it does for any address outside the pods' network.
          expect([...said]).toEqual([expect.stringMatching(/^inside-1 /)])
        }
      } finally {
        await platform.lab.routeTo(...edgeNames)
      }
    },
  )
}

/** How many packets an edge refused for their source: its agent takes what the kernel counted, and tells it. */
const denialsOf = async ({ lab }: KernelPlatform, edge: EdgeName): Promise<number> => {
  const ask = `fetch('http://127.0.0.1:9090/metrics').then((it) => it.text()).then(console.log)`
  const told = await lab.on(edge)([process.execPath, '-e', ask])
  return Number(/^weir_edge_denied_by_source_total\S* (\d+)/m.exec(told)?.[1] ?? 0)
}

/** More addresses of the client. */
const more = (network: string, length: string) =>
  ['30', '31', '32', '33', '34', '35'].map((host) => ({
    from: `${network}${host}`,
    cidr: `${network}${host}${length}`,
  }))
