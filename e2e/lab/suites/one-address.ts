// Two Services that share an address, each with its own ports of it.
import { expect } from 'vitest'
import { vipPort } from '../../../services/edge/rig/lab.ts'
import { holds } from '../../harness/holds.ts'
import { families, soon, type LabTest, type Protocol } from '../ground.ts'

const shared = { 'weir.dev/sharing-key': 'dns' }
const over = (protocol: Protocol) => ({
  ports: [{ name: 'dns', protocol, port: vipPort, targetPort: vipPort }],
})

export const oneAddress = (scenario: LabTest): void => {
  for (const family of families) {
    scenario(
      `each Service goes alone, and the address with the last; ${family}; TCP, UDP`,
      async ({ deploy, expose, forget, answers, nothingLeft }) => {
        await deploy('first', ['n1'])
        await deploy('second', ['n2'])
        const { [family]: address } = await expose('first', over('TCP'), [family], shared)
        const { [family]: other } = await expose('second', over('UDP'), [family], shared)
        expect(other).toBe(address)
        const behind = async (protocol: Protocol): Promise<ReadonlySet<string | undefined>> =>
          new Set([...(await answers({ protocol, address }))].map((one) => one?.split(' ')[0]))
        const answeredBy = (protocol: Protocol, pod: string) =>
          holds(async () => expect(await behind(protocol)).toEqual(new Set([pod])), soon)
        const unanswered = (protocol: Protocol) =>
          holds(async () => {
            expect(await answers({ protocol, address, count: 1 })).toEqual(new Set([null]))
          }, soon)
        await answeredBy('TCP', 'first-1')
        await answeredBy('UDP', 'second-1')
        await forget('first')
        expect(await behind('UDP')).toEqual(new Set(['second-1']))
        await unanswered('TCP')
        await forget('second')
        await unanswered('UDP')
        await nothingLeft({ IPv4: '', IPv6: '', [family]: address })
      },
    )
  }
}
