// What is known of the tables that edges have, and what becomes of changes by hand.
import { expect } from 'vitest'
import { tableName } from '../../../services/edge/data-plane/kernel/skeleton.ts'
import { vipPort } from '../../../services/edge/rig/lab.ts'
import { holds } from '../../harness/holds.ts'
import { rulesOn, soon, type LabTest } from '../ground.ts'

export const verify = (scenario: LabTest): void => {
  scenario(
    'weir edge verify finds what was changed by hand, and the log has its repair; IPv4',
    async ({ platform, deploy, expose }) => {
      await deploy('verified', ['n1'])
      const { IPv4: address } = await expose('verified')
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
      expect(await rulesOn(platform, 'e1')).toContain(`${address} . tcp . ${vipPort}`)
      await holds(async () => {
        const ofPlatform = ['events', 'all', '--tenant', 'platform', '-o', 'json']
        const { said } = await platform.weir(ofPlatform)
        expect(said).toContain('EdgeTableRepaired')
        expect(said).toContain(`fe ${address} . 6 . ${vipPort} was missing`)
      }, soon)
      const shown = await platform.weir(['edge', 'show', 'e2'])
      expect(shown.said).toMatch(new RegExp(`e2 .* serving .*${address}:${vipPort}/TCP.* n1=1`))
    },
  )
}
