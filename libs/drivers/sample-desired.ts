import { desiredResource, installationId, type DesiredResource } from '@weir/contract'

export const ourInstallation = installationId.parse('ours')

/** What a sample has otherwise. */
export type SampleOver = {
  readonly epoch?: number
  readonly installation?: string
  readonly driver?: string
} & Partial<Omit<DesiredResource, 'marks' | 'driver'>>

/** A resource of one service for tests; `number` tells services apart. */
export const desiredOf = (number = 1, over: SampleOver = {}): DesiredResource => {
  const { epoch = 1, installation = ourInstallation, driver = 'edge', ...rest } = over
  const service = `00000000-0000-0000-0000-${String(number).padStart(12, '0')}`
  return desiredResource.parse({
    marks: {
      installation,
      tenant: 'acme',
      cluster: '11111111-1111-1111-1111-111111111111',
      service,
      key: `${driver}-${service}`,
      epoch,
    },
    driver,
    generation: 1,
    frontends: [{ ip: '127.1.0.1', protocol: 'TCP', port: 80, nodePort: 30_080 }],
    targets: [
      { node: 'a', ip: '127.0.0.11', weight: 1 },
      { node: 'b', ip: '127.0.0.12', weight: 1 },
    ],
    policy: 'Cluster',
    health: { port: 10_256, path: '/healthz', weightFromHeader: false },
    sourceRanges: [],
    affinity: { kind: 'None' },
    proxyProtocol: 'none',
    ...rest,
  })
}
