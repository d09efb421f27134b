import type { Site } from '../../cli/up/bootstrap.ts'
import { addressOf } from '../../services/edge/rig/lab.ts'

/** Where the control plane listens, each on loopback of its namespace. */
export const controlPorts = { kubernetes: 6443, other: 6444, nats: 4222, api: 7080 } as const

/** A second tenant; its cluster has Services and nothing else. */
export const otherTenant = 'other'

export const edgeNames = ['e1', 'e2'] as const
export type EdgeName = (typeof edgeNames)[number]
export type NodeName = 'n1' | 'n2' | 'n3'
export const nodeNames: readonly NodeName[] = ['n1', 'n2', 'n3']

/** A node's network of pods: a bridge with the first address, and the number of a pod as host part. */
export const podAddress = (node: NodeName, pod: number): { IPv4: string; IPv6: string } => {
  const network = node.slice(1)
  return { IPv4: `10.244.${network}.${pod}`, IPv6: `fd00:10:244:${network}::${pod.toString(16)}` }
}

/** What the platform gives out and where the tenant's nodes are. */
export const site: Site = {
  pool: [
    { first: '203.0.113.1', last: '203.0.113.239' },
    { first: '2001:db8:f::1', last: '2001:db8:f::fa' },
  ],
  nodeCidrs: ['10.0.0.0/24', '2001:db8:1::/64'],
}

/** Beyond those: one address, for two tenants. */
export const scarceAddress = '203.0.113.240'

export const nodeAddresses: (node: NodeName) => { IPv4: string; IPv6: string } = addressOf

/** Long enough for a machine that does much else. */
export const soon = { deadlineMs: 60_000 }
