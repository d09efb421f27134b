// Nodes whose network drops what they answer clients with, and a second fleet that does not need it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { addressOf, pools, vipPort } from '../../../services/edge/rig/lab.ts'
import { holds } from '../../harness/holds.ts'
import type { LabTest } from '../ground.ts'
import type { KernelPlatform } from '../kernel-platform.ts'
import { nodeNames } from '../places.ts'

/** Some calls in vain, a while of a status that is shown, and a move. */
const aWhile = { deadlineMs: 120_000 }

export const proxies = (scenario: LabTest): void => {
  scenario(
    'stand in at the same address when nodes cannot answer, until told otherwise; TCP over IPv4',
    async ({ platform, deploy, expose, service, answers }) => {
      const { lab, weir } = platform
      await makeFleet(platform)
      await deploy('behind', ['n1', 'n2'])
      const { IPv4: address } = await expose('behind', cluster, ['IPv4'])
      const flow = { protocol: 'TCP', address, port: vipPort } as const
      const answering = async () =>
        new Set([...(await answers(flow))].map((one) => one?.split(' ')[0]))
      const pods = new Set(['behind-1', 'behind-2'])
      await holds(async () => expect(await answering()).toEqual(pods), aWhile)

      const served = async () => (await service('behind', 'IPv4'))?.status.loadBalancer?.ingress

      for (const node of nodeNames) await lab.on(node)(['nft', '-f', '-'], dropping)
      try {
        await holds(async () => {
          expect(await served()).toMatchObject([{ ip: address, ipMode: 'Proxy' }])
        }, aWhile)
        expect((await weir(['cluster', 'list'])).said).toContain('n1, n2, n3 cannot answer clients')
        const { said } = await weir(['explain', 'service', 'default/behind-ipv4'])
        expect(said).toContain('from edge to proxies, by direct-return')
        await lead(platform, address, 'control')
        await holds(async () => expect(await answering()).toEqual(pods), aWhile)
      } finally {
        for (const node of nodeNames)
          await lab.on(node)(['nft', 'delete', 'table', 'inet', 'strict'])
        await done(platform, ['cluster', 'set-driver', 'local', 'edge'])
      }
      await holds(async () => {
        expect(await served()).toMatchObject([{ ip: address, ipMode: 'VIP' }])
        expect((await weir(['edge', 'show', 'p1'])).said).not.toContain(address)
      }, aWhile)
      await lead(platform, address, 'edges')
      await holds(async () => expect(await answering()).toEqual(pods), aWhile)
      await done(platform, ['driver', 'remove', 'proxies'])
    },
    600_000,
  )
}

const cluster = { externalTrafficPolicy: 'Cluster' }

/** Some networks let no packet out that does not carry the node's own address. */
const dropping = `
table inet strict {
  chain out {
    type filter hook postrouting priority 200;
    ip saddr ${pools.IPv4} drop
  }
}
`

/** A fleet of one proxy, on the machine of the control plane. */
const makeFleet = async (platform: KernelPlatform): Promise<void> => {
  const ip = (...args: string[]) => platform.lab.on('control')(['ip', 'route', 'replace', ...args])
  await ip('local', pools.IPv4, 'dev', 'lo')
  await ip('default', 'via', addressOf('router').IPv4)
  await platform.startProxy('p1', 'proxies')
  const settings = join(platform.folder, 'fleet.json')
  writeFileSync(settings, JSON.stringify({ dataPlane: 'userspace' }))
  const create = ['driver', 'create', 'proxies', '--kind', 'fleet', '--account', 'proxies']
  await done(platform, [...create, '--settings', settings])
}

const done = async ({ weir }: KernelPlatform, args: readonly string[]): Promise<void> => {
  const { said, code } = await weir(args)
  expect(code, said).toBe(0)
}

/** What edges that announce their addresses have routers do. */
const lead = async ({ lab }: KernelPlatform, address: string, to: 'control' | 'edges') => {
  const route = ['route', to === 'control' ? 'replace' : 'del', `${address}/32`]
  await lab.on('router')(['ip', ...route, 'via', addressOf('control').IPv4])
}
