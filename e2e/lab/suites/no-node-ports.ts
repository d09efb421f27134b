// Services with `allocateLoadBalancerNodePorts: false`: edges need no node port.
import { expect } from 'vitest'
import { clientAddresses } from '../../../services/edge/rig/lab.ts'
import { holds } from '../../harness/holds.ts'
import { families, ofEveryFlow, soon, type LabTest } from '../ground.ts'
import { nodeAddresses } from '../places.ts'

const portless = { allocateLoadBalancerNodePorts: false }

export const noNodePorts = (scenario: LabTest): void => {
  scenario(
    'Local: pods see the client, and the health port stays; IPv4, IPv6; TCP, UDP',
    async ({ deploy, expose, service, answeredBy }) => {
      await deploy('portless', ['n1', 'n2'])
      const addresses = await expose('portless', portless)
      for (const family of families) {
        const spec = (await service('portless', family))?.spec
        expect(spec?.ports.map(({ nodePort }) => nodePort)).toEqual([undefined, undefined])
        expect(spec?.healthCheckNodePort).toBeGreaterThan(0)
      }
      await answeredBy(addresses, ['portless-1', 'portless-2'])
    },
  )

  scenario(
    'Cluster: every node takes flows; IPv4, IPv6; TCP, UDP',
    async ({ deploy, expose, answers }) => {
      await deploy('portless', ['n1', 'n2'])
      const wish = { ...portless, externalTrafficPolicy: 'Cluster' }
      const addresses = await expose('portless', wish)
      await ofEveryFlow(addresses, async ({ family, ...flow }) => {
        await holds(async () => {
          const said = [...(await answers({ ...flow, count: 40 }))].map((one) => one?.split(' '))
          expect(new Set(said.map((one) => one?.[0]))).toEqual(
            new Set(['portless-1', 'portless-2']),
          )
          // The node without a pod hands on with its own address.
          expect(said.map((one) => one?.[1])).toContain(nodeAddresses('n3')[family])
          expect(said.map((one) => one?.[1])).not.toContain(clientAddresses[family])
        }, soon)
      })
    },
  )
}
