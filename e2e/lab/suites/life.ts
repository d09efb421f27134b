// One Service's life through kernel edges, and what becomes of its address.
import { expect } from 'vitest'
import { clientAddresses, vipPort } from '../../../services/edge/rig/lab.ts'
import { toldInOrder, wholeLife } from '../../harness/chapters.ts'
import { holds } from '../../harness/holds.ts'
import type { LogEvent } from '../../harness/objects.ts'
import { families, nameOf, ofEveryFlow, portsOf, rulesOn, serviceOf, soon } from '../ground.ts'
import type { Addresses, Ground, LabTest } from '../ground.ts'
import type { KernelPlatform } from '../kernel-platform.ts'
import { otherTenant, scarceAddress } from '../places.ts'

export const life = (scenario: LabTest): void => {
  scenario(
    'a whole life keeps its address and leaves nothing behind; IPv4, IPv6; TCP, UDP',
    async (ground) => {
      const { deploy, expose, patch, forget, answeredBy, silent, nothingLeft, platform } = ground
      const pods = ['life-1', 'life-2']
      await deploy('life', ['n1', 'n2'])
      const addresses = await expose('life')
      await answeredBy(addresses, pods)
      await patch('life', { ports: portsOf(9090) })
      await answeredBy(addresses, pods, 9090)
      await silent(addresses)
      await patch('life', { ports: portsOf(vipPort), externalTrafficPolicy: 'Cluster' })
      await seeNodes(ground, addresses)
      await patch('life', { externalTrafficPolicy: 'Local' })
      await answeredBy(addresses, pods)
      await patch('life', { loadBalancerSourceRanges: ['192.0.2.0/24', '2001:db8:ffff::/48'] })
      await silent(addresses)
      await patch('life', { loadBalancerSourceRanges: null })
      await answeredBy(addresses, pods)
      await patch('life', { type: 'ClusterIP', externalTrafficPolicy: null })
      await silent(addresses)
      await holds(() => nothingLeft(addresses), soon)
      await patch('life', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' })
      await answeredBy(addresses, pods)
      await forget('life')
      await nothingLeft(addresses)
      await silent(addresses)
      for (const family of families) {
        const story = await storyOf(platform, nameOf('life', family))
        const twice = [...wholeLife, ...wholeLife]
        expect(toldInOrder(story, twice)).toEqual(twice)
        const given = story.filter(({ type }) => type === 'FrontendsAllocated')
        for (const { data } of given) expect(JSON.stringify(data)).toContain(addresses[family])
      }
    },
  )

  scenario(
    'an address goes to another tenant after every edge let it go and it rested; IPv4; TCP, UDP',
    async ({ platform, deploy, service }) => {
      const { kubectl, kubectlOfOther } = platform
      await deploy('mine', ['n1'])
      const pool = ['--range', `${scarceAddress}-${scarceAddress}`, '--quarantine', '10']
      await platform.weir(['pool', 'create', 'scarce', ...pool, '--priority', '900'])
      const wish = (name: string): string =>
        JSON.stringify(serviceOf(name, 'IPv4', {}, { 'weir.dev/pool': 'scarce' }))
      await kubectl(['create', '-f', '-'], wish('mine'))
      await holds(async () => {
        const { status } = (await service('mine', 'IPv4')) ?? {}
        expect(status?.loadBalancer?.ingress?.[0]?.ip).toBe(scarceAddress)
      }, soon)
      await kubectlOfOther(['create', '-f', '-'], wish('theirs'))
      const heldByOther = async (): Promise<boolean> => {
        const story = await storyOf(platform, 'theirs-ipv4', otherTenant)
        return story.some(({ type }) => type === 'FrontendsAllocated')
      }
      await holds(async () => {
        const story = await storyOf(platform, 'theirs-ipv4', otherTenant)
        expect(story.map(({ type }) => type)).toContain('PoolExhausted')
      }, soon)
      await platform.killAgent('e1')
      await kubectl(['delete', 'service', 'mine-ipv4', '--wait=false'])
      const lets = async (edge: 'e1' | 'e2'): Promise<boolean> =>
        !(await rulesOn(platform, edge)).includes(`${scarceAddress} `)
      await holds(async () => expect(await lets('e2')).toBe(true), soon)
      // One edge has it still, so its owner has not let it go, and nobody else may have it.
      expect([await lets('e1'), await heldByOther()]).toEqual([false, false])
      expect(await service('mine', 'IPv4')).toBeDefined()
      await platform.startAgent('e1')
      await holds(async () => expect(await heldByOther()).toBe(true), soon)
      await laterThanItsRest(platform)
      await kubectlOfOther(['delete', 'service', 'theirs-ipv4', '--timeout=60s'])
    },
  )
}

/** Resolves when pods see nodes in the place of the client. */
const seeNodes = async ({ answers }: Ground, addresses: Addresses): Promise<void> => {
  await ofEveryFlow(addresses, async ({ family, ...flow }) => {
    await holds(async () => {
      const said = [...(await answers(flow))]
      expect(said).not.toContain(null)
      expect(said.filter((one) => one?.endsWith(` ${clientAddresses[family]}`))).toEqual([])
    }, soon)
  })
}

const storyOf = async (
  platform: KernelPlatform,
  name: string,
  tenant = 'local',
): Promise<readonly LogEvent[]> => {
  const args = ['events', 'service', `default/${name}`, '--tenant', tenant, '-o', 'json']
  const { said, code } = await platform.weir(args)
  return code === 0 ? JSON.parse(said) : []
}

/** Both edges confirmed the end, and the next holder came after the rest that began with it. */
const laterThanItsRest = async (platform: KernelPlatform): Promise<void> => {
  const mine = await storyOf(platform, 'mine-ipv4')
  const absent = mine.find(({ type }) => type === 'ResourceAbsent')
  expect(absent?.data).toMatchObject({ confirmedBy: ['e1', 'e2'] })
  const released = mine.find(({ type }) => type === 'FrontendsReleased')
  const theirs = await storyOf(platform, 'theirs-ipv4', otherTenant)
  const given = theirs.find(({ type }) => type === 'FrontendsAllocated')
  expect(Date.parse(given?.recordedtime ?? '')).toBeGreaterThanOrEqual(
    Date.parse(String(released?.data['quarantineUntil'])),
  )
}
