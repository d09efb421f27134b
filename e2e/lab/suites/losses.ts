// What clients notice when nodes, edges and the whole control plane go: nothing.
import { expect } from 'vitest'
import { setTimeout as pause } from 'node:timers/promises'
import { addressOf } from '../../../services/edge/rig/lab.ts'
import { holds } from '../../harness/holds.ts'
import { agree } from '../agreement.ts'
import {
  holdFlows,
  knockAll,
  soon,
  type Addresses,
  type Ground,
  type Live,
  type LabTest,
} from '../ground.ts'
import { edgeNames, podRoutes, type KernelPlatform } from '../kernel-platform.ts'
import { addressesOf } from '../nodes.ts'
import { nodeAddresses } from '../places.ts'

export const losses = (scenario: LabTest): void => {
  for (const { how, drain, undo } of drains) {
    scenario(
      `a node drained by ${how} keeps its flows, and new ones go elsewhere; IPv4, IPv6; TCP, UDP`,
      async (ground) => {
        const { platform, answeredBy } = ground
        const { addresses, live } = await threePods(ground, 'drained')
        await drain(platform)
        try {
          await answeredBy(addresses, ['drained-2', 'drained-3'])
          await expectWhole(live, `a node drained by ${how}`)
        } finally {
          await undo(platform)
        }
        expect(await live.lost()).toEqual([])
        live.end()
      },
    )
  }

  scenario(
    'a node that changes its address keeps its flows and takes new ones; IPv4, IPv6; TCP, UDP',
    async (ground) => {
      const { platform, answeredBy } = ground
      const { addresses, live } = await threePods(ground, 'renumbered')
      const before = nodeAddresses('n1')
      const after = { IPv4: '10.0.0.31', IPv6: '2001:db8:1::31' }
      await renumber(platform, before, after)
      try {
        await holds(async () => {
          const { said } = await platform.weir(['events', 'all', '-o', 'json'])
          expect(said).toContain(after.IPv4)
        }, soon)
        await answeredBy(addresses, ['renumbered-1', 'renumbered-2', 'renumbered-3'])
        expect(await live.lost()).toEqual([])
      } finally {
        await renumber(platform, after, before)
      }
      live.end()
    },
  )

  scenario(
    'an edge that goes takes no flow along: the other has the same table; IPv4, IPv6; TCP, UDP',
    async (ground) => {
      const { platform } = ground
      const { lab } = platform
      const { addresses, live } = await threePods(ground, 'lost')
      const stop = await knockAll(platform, addresses)
      for (const [gone, left] of [
        ['e1', 'e2'],
        ['e2', 'e1'],
      ] as const) {
        await lab.routeTo(left)
        await lab.on('switch')(['ip', 'link', 'set', gone, 'down'])
        try {
          await expectWhole(live, `edge ${gone} lost`)
        } finally {
          await lab.on('switch')(['ip', 'link', 'set', gone, 'up'])
        }
        await agree(platform)
        await lab.routeTo(...edgeNames)
        expect(await live.lost()).toEqual([])
      }
      expect((await stop()).failed).toEqual([])
      live.end()
    },
  )

  scenario(
    'all but the kernel is dead for a minute: no flow fails, no rule changes; IPv4, IPv6; TCP, UDP',
    async (ground) => {
      const { platform, forget, silent } = ground
      const { addresses, live } = await threePods(ground, 'lasting')
      const changes = await platform.watchRules()
      const stop = await knockAll(platform, addresses)
      await platform.killControlPlane()
      await Promise.all(edgeNames.map((edge) => platform.killAgent(edge)))
      await pause(60_000)
      const { count, failed } = await stop()
      const told = `${count} new flows, ${failed.length} failed`
      process.stdout.write(`a minute without any process: ${told}\n`)
      expect(failed).toEqual([])
      await expectWhole(live, 'a minute without any process')
      await platform.startControlPlane()
      await Promise.all(edgeNames.map((edge) => platform.startAgent(edge)))
      await Promise.all(edgeNames.map((edge) => platform.agentLooked(edge)))
      expect(await live.lost()).toEqual([])
      expect(changes.all()).toEqual([])
      live.end()
      // And it is not only silent: what is asked of it now is done.
      await forget('lasting')
      expect(changes.all()).not.toEqual([])
      await silent(addresses)
    },
    360_000,
  )
}

/** Pods on all nodes, and flows to them that live on. */
export const threePods = async (ground: Ground, name: string) => {
  const { platform, deploy, expose, answeredBy } = ground
  await deploy(name, ['n1', 'n2', 'n3'])
  const addresses = await expose(name)
  // Each edge looks at the nodes by itself: a flow that begins while one knows fewer is not the same to both, nor is a
  // datagram that comes from the same port within the drain time.
  await agree(platform)
  await answeredBy(addresses, [`${name}-1`, `${name}-2`, `${name}-3`])
  return { addresses, live: await holdFlows(platform, addresses) }
}

/** Prints how many of the flows live; fails unless all do. */
const expectWhole = async (live: Live, after: string): Promise<void> => {
  const lost = await live.lost()
  process.stdout.write(`${after}, live flows: ${live.count - lost.length} of ${live.count}\n`)
  expect(lost).toEqual([])
}

const excluded = 'node.kubernetes.io/exclude-from-external-load-balancers'
const toBeDeleted = 'ToBeDeletedByClusterAutoscaler'

const drains = [
  {
    how: 'its label',
    drain: ({ kubectl }: KernelPlatform) => kubectl(['label', 'node', 'n1', `${excluded}=true`]),
    undo: ({ kubectl }: KernelPlatform) => kubectl(['label', 'node', 'n1', `${excluded}-`]),
  },
  {
    how: 'the autoscaler’s taint',
    drain: ({ kubectl }: KernelPlatform) =>
      kubectl(['taint', 'node', 'n1', `${toBeDeleted}=1:NoSchedule`]),
    undo: ({ kubectl }: KernelPlatform) =>
      kubectl(['taint', 'node', 'n1', `${toBeDeleted}:NoSchedule-`]),
  },
  {
    how: 'cordon and deletion',
    drain: async ({ kubectl }: KernelPlatform) => {
      await kubectl(['cordon', 'n1'])
      await kubectl(['delete', 'node', 'n1'])
    },
    undo: async (platform: KernelPlatform) => {
      const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } }
      await platform.kubectl(['create', '-f', '-'], JSON.stringify(node))
      await tellAddresses(platform, nodeAddresses('n1'))
    },
  },
]

/** What a kubelet says of its node's addresses. */
const tellAddresses = ({ kubectl }: KernelPlatform, addresses: Addresses): Promise<string> => {
  const value = addressesOf(Object.values(addresses)).addresses
  // Else the patch would be merged, and the old addresses stay.
  const patch = JSON.stringify([{ op: 'add', path: '/status/addresses', value }])
  return kubectl(['patch', 'node', 'n1', '--subresource=status', '--type=json', '-p', patch])
}

/** Another address for the first node; its routes go with the old one and come anew. */
const renumber = async (platform: KernelPlatform, from: Addresses, to: Addresses) => {
  const router = addressOf('router')
  const lines = [
    `addr add ${to.IPv4}/24 dev eth0`,
    `addr add ${to.IPv6}/64 dev eth0 nodad`,
    `addr del ${from.IPv4}/24 dev eth0`,
    `addr del ${from.IPv6}/64 dev eth0`,
    `route replace default via ${router.IPv4}`,
    `route replace default via ${router.IPv6}`,
    ...podRoutes('n1'),
  ]
  const { lab } = platform
  await lab.on('n1')(['sysctl', '-q', '-w', 'net.ipv4.conf.all.promote_secondaries=1'])
  await lab.on('n1')(['ip', '-batch', '-'], `${lines.join('\n')}\n`)
  await tellAddresses(platform, to)
  // It goes on answering for the health of Services where it began to, and as any node's is started anew.
  await platform.killKubeProxy('n1')
}
