// What the router hears of the edges, and what clients notice when an edge is there no more.
import { expect } from 'vitest'
import { systemClock } from '@weir/kernel'
import { holdSeconds } from '../../../services/edge/rig/bgp.ts'
import { holds } from '../../harness/holds.ts'
import { families, knockAll, soon, type Addresses, type LabTest } from '../ground.ts'
import { edgeNames, type KernelPlatform } from '../kernel-platform.ts'
import { watchAddress } from '../monitors.ts'
import { threePods } from './losses.ts'

export const announcing = (scenario: LabTest): void => {
  for (const family of families) {
    scenario(
      `the router knows an address from its Service’s status on until it is let go; ${family}; TCP, UDP`,
      async ({ platform, deploy, expose, forget, answeredBy }) => {
        const name = `announced-${family.toLowerCase()}`
        await deploy(name, ['n1', 'n2'])
        const addresses = await expose(name, {}, [family])
        await routed(platform, addresses, edgeNames)
        await answeredBy(addresses, [`${name}-1`, `${name}-2`])
        const changes = await watchAddress(platform.lab, addresses[family])
        await forget(name)
        expect(await platform.bgp.routesTo(addresses[family])).toEqual([])
        // Each edge withdraws it and then closes it: the first one to close it, and the last one.
        const seen = changes.all()
        expect(new Set(seen)).toEqual(new Set(['router', ...edgeNames]))
        expect([seen[0], seen.at(-1) === 'router']).toEqual(['router', false])
      },
    )
  }

  scenario(
    'without a ready pod an address is withdrawn, with the next one it is back; IPv4, IPv6; TCP, UDP',
    async ({ platform, deploy, expose, answeredBy }) => {
      await deploy('vanishing', ['n2'])
      const addresses = await expose('vanishing')
      await routed(platform, addresses, edgeNames)
      await platform.pods.remove('vanishing-1')
      await routed(platform, addresses, [])
      await platform.pods.add('vanishing-2', 'vanishing', 'n3')
      await routed(platform, addresses, edgeNames)
      await answeredBy(addresses, ['vanishing-2'])
      await platform.pods.remove('vanishing-2')
    },
  )

  for (const { how, harm, heal, heardMs, blindMs } of goings) {
    scenario(
      `an edge ${how} takes no flow along, and new ones go on; IPv4, IPv6; TCP, UDP`,
      async (ground) => {
        const { platform } = ground
        const { addresses, live } = await threePods(ground, 'silent')
        await routed(platform, addresses, edgeNames)
        const stop = await knockAll(platform, addresses)
        const since = systemClock.now()
        await harm(platform)
        try {
          await routed(platform, addresses, ['e2'])
          const heard = systemClock.now() - since
          expect(await live.lost()).toEqual([])
          const { count, failed, lastFailedAt } = await stop()
          const blind = Math.max(0, lastFailedAt - since)
          process.stdout.write(
            `an edge ${how}: the router went without it after ${heard} ms; of ${count} new flows ` +
              `${failed.length} failed, the last one begun after ${blind} ms; all ${live.count} old ones live\n`,
          )
          expect(heard).toBeLessThan(heardMs)
          expect(blind, failed.join('\n')).toBeLessThanOrEqual(blindMs)
        } finally {
          await heal(platform)
        }
        await routed(platform, addresses, edgeNames)
        expect(await live.lost()).toEqual([])
        live.end()
      },
    )
  }
}

/** A router's hold time, and a second. */
const patienceMs = (holdSeconds + 1) * 1_000

const startAgain = async ({ bgp, startAgent }: KernelPlatform): Promise<void> => {
  await bgp.start('e1')
  await startAgent('e1')
}

/** The switch carries nothing from and to the first edge, and goes on sending to its port what is meant for it. */
const nothingPasses = `table netdev cut {
  chain in { type filter hook ingress device e1 priority 0; policy drop; }
  chain out { type filter hook egress device e1 priority 0; policy drop; }
}
`

/** Ways for the first edge to go: the router leaves it out within `heardMs`, and after `blindMs` no new flow fails. */
const goings = [
  {
    how: 'that falls silent',
    heardMs: patienceMs,
    blindMs: patienceMs,
    harm: ({ lab }: KernelPlatform) => lab.on('switch')(['nft', '-f', '-'], nothingPasses),
    heal: ({ lab }: KernelPlatform) =>
      lab.on('switch')(['nft', 'delete', 'table', 'netdev', 'cut']),
  },
  {
    how: 'whose agent and gobgpd hang',
    heardMs: patienceMs,
    blindMs: 0,
    harm: async ({ bgp, pidOfAgent }: KernelPlatform) => {
      process.kill(pidOfAgent('e1'), 'SIGSTOP')
      bgp.hang('e1')
    },
    heal: async (platform: KernelPlatform) => {
      await platform.bgp.kill('e1')
      await platform.killAgent('e1')
      await startAgain(platform)
    },
  },
  {
    how: 'whose agent and gobgpd are killed',
    heardMs: patienceMs,
    blindMs: 0,
    harm: async ({ bgp, killAgent }: KernelPlatform) => {
      await Promise.all([killAgent('e1'), bgp.kill('e1')])
    },
    heal: startAgain,
  },
  {
    how: 'that leaves in order',
    heardMs: patienceMs,
    blindMs: 0,
    harm: async ({ bgp, killAgent }: KernelPlatform) => {
      await bgp.leave('e1')
      await killAgent('e1')
    },
    heal: startAgain,
  },
  {
    how: 'that cannot read its table any more',
    heardMs: soon.deadlineMs,
    blindMs: 0,
    harm: async (platform: KernelPlatform) => {
      await inAgent(platform, ['mount', '--bind', '/bin/false', await pathOfNft(platform)])
      // It looks by itself once a minute, and from the first failure on every other second.
      await platform.weir(['edge', 'verify'])
    },
    heal: async (platform: KernelPlatform) => {
      await inAgent(platform, ['umount', await pathOfNft(platform)])
    },
  },
]

const pathOfNft = async ({ lab }: KernelPlatform): Promise<string> =>
  (await lab.on('e1')(['sh', '-c', 'realpath "$(command -v nft)"'])).trim()

/** Runs a program where the first edge's agent sees the machine. */
const inAgent = ({ lab, pidOfAgent }: KernelPlatform, argv: readonly string[]): Promise<string> =>
  lab.on('e1')(['nsenter', '--mount', '--target', String(pidOfAgent('e1')), ...argv])

/** The router shares the flows to all of these among just such edges. */
const routed = (
  { bgp }: KernelPlatform,
  addresses: Addresses,
  edges: readonly string[],
): Promise<void> =>
  holds(async () => {
    const used = Object.values(addresses).filter((address) => address !== '')
    for (const address of used) expect(await bgp.routesTo(address)).toEqual(edges)
  }, soon)
