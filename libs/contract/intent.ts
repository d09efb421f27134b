import { hashOf } from './hash.ts'
import { z } from 'zod'
import { driverName, poolName, sharingKey } from './ids.ts'
import { cidr, ipAddress, ipFamily, port, protocol } from './net.ts'

/** One port of a Service, as the load balancer must serve it. */
export const intentPort = z.object({
  /** The port's name in the Service, empty when it has none. */
  name: z.string().max(63),
  protocol,
  /** The port clients connect to on the load balancer's address. */
  port,
  /** The port on every node that kube-proxy answers; null while the Service has none. */
  nodePort: port.nullable(),
})
export type IntentPort = z.infer<typeof intentPort>

/** Whether connections of one client stay on one node, and for how long. */
export const sessionAffinity = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('None') }),
  z.object({ kind: z.literal('ClientIP'), timeoutSeconds: z.int().min(1).max(86_400) }),
])
export type SessionAffinity = z.infer<typeof sessionAffinity>

export const trafficPolicy = z.enum(['Cluster', 'Local'])
export type TrafficPolicy = z.infer<typeof trafficPolicy>

/**
 * The normalised desired state of a load balancer: what the Service asks for, without what does not
 * matter to us. Lists are sorted, so equal wishes have equal hashes; the hash is what "changed" means.
 */
export const loadBalancerIntent = z.object({
  ports: z.array(intentPort).max(500),
  externalTrafficPolicy: trafficPolicy,
  /** Allocated by the API server under `Local`; null under `Cluster`. */
  healthCheckNodePort: port.nullable(),
  /** Clients that may connect; empty means all. */
  sourceRanges: z.array(cidr).max(1000),
  sessionAffinity,
  ipFamilies: z.array(ipFamily).min(1).max(2),
  /** An address the user asks for by name; it is granted or refused, never replaced silently. */
  requestedAddress: ipAddress.nullable(),
  /** A pool the user asks for by name. */
  requestedPool: poolName.nullable(),
  /** The key of Services of this namespace that it shares an address with; missing for one of its own. */
  sharingKey: sharingKey.optional(),
  /** The driver that `loadBalancerClass: weir.dev/NAME` names; missing for the cluster's default. */
  requestedDriver: driverName.optional(),
  /** Whether a PROXY protocol v2 header precedes each connection to a pod. */
  proxyProtocol: z.enum(['none', 'v2']),
  /** What in the Service breaks a rule of ours; such a Service is refused, each entry says why. */
  invalid: z.array(z.object({ field: z.string(), problem: z.string().max(500) })).max(20),
})
export type LoadBalancerIntent = z.infer<typeof loadBalancerIntent>

/** The fingerprint of an intent, 32 hexadecimal digits. */
export const intentHash = (intent: LoadBalancerIntent): string => hashOf(intent)
