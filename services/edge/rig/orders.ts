import {
  clusterId,
  desiredResource,
  driverName,
  edgeOrder,
  fleetName,
  installationId,
  resourceKeyOf,
  serviceUid,
  tenantId,
  type DesiredResource,
  type EdgeOrder,
} from '@weir/contract'
import { randomInt, randomUUID } from 'node:crypto'

/** Loopback addresses that no other test uses at this moment. */
export const createAddresses = (): (() => string) => {
  const block = `127.${randomInt(64, 250)}.${randomInt(1, 250)}`
  let last = 0
  return () => {
    last += 1
    return `${block}.${last}`
  }
}

/** What a test says about a resource; the rest is ordinary. */
export interface Wish {
  readonly frontends: readonly {
    ip: string
    protocol: string
    port: number
    nodePort?: number | undefined
  }[]
  readonly targets: readonly { node: string; ip: string; weight: number }[]
  readonly uid?: string
  readonly epoch?: number
  readonly generation?: number
  readonly policy?: string
  readonly health?: { port: number; path: string; weightFromHeader: boolean }
  readonly sourceRanges?: readonly string[]
  readonly affinity?: { kind: 'None' } | { kind: 'ClientIP'; timeoutSeconds: number }
  readonly proxyProtocol?: string
}

export const fleet = fleetName.parse('test-fleet')

/** A desired resource as the provisioner would make it. */
export const desiredOf = (wish: Wish): DesiredResource => {
  const service = serviceUid.parse(wish.uid ?? randomUUID())
  return desiredResource.parse({
    policy: 'Cluster',
    health: { port: 10_256, path: '/healthz', weightFromHeader: false },
    sourceRanges: [],
    affinity: { kind: 'None' },
    proxyProtocol: 'none',
    generation: 1,
    driver: 'edge',
    ...wish,
    marks: {
      installation: installationId.parse('test'),
      tenant: tenantId.parse('acme'),
      cluster: clusterId.parse('c0ffee00-0000-4000-8000-000000000001'),
      service,
      key: resourceKeyOf(driverName.parse('edge'), service),
      epoch: wish.epoch ?? 1,
    },
  })
}

export const serveOrder = (desired: DesiredResource): EdgeOrder =>
  edgeOrder.parse({ order: 'serve', fleet, desired })

export const removeOrder = ({ marks, generation }: DesiredResource): EdgeOrder =>
  edgeOrder.parse({ order: 'remove', fleet, marks, generation })
