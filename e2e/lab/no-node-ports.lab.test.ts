import { eventually } from '@weir/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientAddresses, vipPort } from '../../services/edge/rig/lab.ts'
import { holds } from '../harness/holds.ts'
import { platformProblem, startKernelPlatform, type KernelPlatform } from './kernel-platform.ts'
import { nodeAddresses, nodeNames } from './places.ts'

const problem = await platformProblem()
const soon = { deadlineMs: 40_000 }
const name = 'portless'
const protocols = ['TCP', 'UDP'] as const

interface ServiceObject {
  readonly spec: {
    readonly ports: readonly { readonly nodePort?: number }[]
    readonly healthCheckNodePort?: number
  }
  readonly status: {
    readonly loadBalancer: {
      readonly ingress?: readonly { readonly ip: string; readonly ipMode: string }[]
    }
  }
}

describe.skipIf(problem !== undefined)(
  `Services without node ports${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let platform: KernelPlatform
    beforeAll(async () => {
      platform = await startKernelPlatform()
      await platform.pods.add(`${name}-1`, name, 'n1')
      await platform.pods.add(`${name}-2`, name, 'n2')
    }, 180_000)
    afterAll(() => platform.stop())

    const read = async (): Promise<ServiceObject> =>
      JSON.parse(await platform.kubectl(['get', 'service', name, '-o', 'json']))
    const expose = async (family: 'IPv4' | 'IPv6', policy: string): Promise<string> => {
      const service = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name },
        spec: {
          type: 'LoadBalancer',
          allocateLoadBalancerNodePorts: false,
          ipFamilies: [family],
          selector: { app: name },
          externalTrafficPolicy: policy,
          ports: protocols.map((protocol) => ({
            name: protocol.toLowerCase(),
            protocol,
            port: vipPort,
          })),
        },
      }
      await platform.kubectl(['create', '-f', '-'], JSON.stringify(service))
      return eventually(async () => {
        const { ingress = [] } = (await read()).status.loadBalancer
        expect(ingress.map(({ ipMode }) => ipMode)).toEqual(['VIP'])
        return ingress[0]?.ip
      }, soon)
    }
    const answers = async (protocol: 'TCP' | 'UDP', address: string) =>
      (await platform.lab.ask({ protocol, address, count: 40 })).map((said) => said?.split(' '))

    test.each(['IPv4', 'IPv6'] as const)(
      'Local: pods see the client’s own address, TCP and UDP, and the health port stays, %s',
      async (family) => {
        const address = await expose(family, 'Local')
        const { ports, healthCheckNodePort } = (await read()).spec
        expect(ports.map(({ nodePort }) => nodePort)).toEqual([undefined, undefined])
        expect(healthCheckNodePort).toBeGreaterThan(0)
        for (const protocol of protocols) {
          await holds(async () => {
            const said = await answers(protocol, address)
            expect(new Set(said.map((one) => one?.[0]))).toEqual(
              new Set([`${name}-1`, `${name}-2`]),
            )
            expect(new Set(said.map((one) => one?.[1]))).toEqual(new Set([clientAddresses[family]]))
          }, soon)
        }
        await platform.kubectl(['delete', 'service', name, '--timeout=60s'])
        expect(await platform.lab.ask({ protocol: 'TCP', address, count: 1 })).toEqual([null])
      },
      120_000,
    )

    test.each(['IPv4', 'IPv6'] as const)(
      'Cluster: every node takes flows, TCP and UDP, %s',
      async (family) => {
        const address = await expose(family, 'Cluster')
        const own = nodeNames.map((node) => nodeAddresses(node)[family === 'IPv4' ? 0 : 1])
        for (const protocol of protocols) {
          await holds(async () => {
            const said = await answers(protocol, address)
            expect(said).not.toContain(undefined)
            expect(new Set(said.map((one) => one?.[0]))).toEqual(
              new Set([`${name}-1`, `${name}-2`]),
            )
            // The node without a pod hands on with its own address.
            expect(said.map((one) => one?.[1])).toContain(own[2])
          }, soon)
        }
        await platform.kubectl(['delete', 'service', name, '--timeout=60s'])
      },
      120_000,
    )
  },
)
