import { hashOf } from './hash.ts'
import { z } from 'zod'
import { sessionAffinity, trafficPolicy } from './intent.ts'
import { clusterId, driverName, installationId, resourceKey, serviceUid, tenantId } from './ids.ts'
import { cidr, ipAddress, port, protocol } from './net.ts'

/** Who owns a resource. The marks go into the create call; a resource without ours is never touched. */
export const ownershipMarks = z.object({
  installation: installationId,
  tenant: tenantId,
  cluster: clusterId,
  service: serviceUid,
  key: resourceKey,
  /** The incarnation number of the resource, 1 for the first. */
  epoch: z.int().min(1),
})
export type OwnershipMarks = z.infer<typeof ownershipMarks>

/** Where traffic goes: a node with a weight. Weight 0 takes no new connection. */
export const target = z.object({
  node: z.string().max(253),
  ip: ipAddress,
  weight: z.int().min(0).max(65_535),
  /** The Node's `spec.providerID`, by which a cloud knows the machine. */
  providerId: z.string().max(500).optional(),
})
export type Target = z.infer<typeof target>

/**
 * A frontend together with the node port that answers for it; without one, nodes answer for the address
 * itself (`allocateLoadBalancerNodePorts: false`). The unspecified address (`0.0.0.0` or `::`) asks the
 * provider for one of its own.
 */
export const resourceFrontend = z.object({
  ip: ipAddress,
  protocol,
  port,
  nodePort: port.optional(),
})
export type ResourceFrontend = z.infer<typeof resourceFrontend>

/**
 * What must exist at a provider for one load balancer. The same shape is kept in the log, sent to
 * drivers and published to edges.
 */
export const desiredResource = z.object({
  marks: ownershipMarks,
  driver: driverName,
  /** Rises by one with every change of the desired state within an epoch, 1 for the first. */
  generation: z.int().min(1),
  frontends: z.array(resourceFrontend).max(500),
  targets: z.array(target).max(5000),
  /** `Local` asks for the client's own address at the pod, `Cluster` gives a node's. */
  policy: trafficPolicy,
  /**
   * How a node's health is asked, HTTP GET on the node: kube-proxy's own `:10256/healthz` under
   * `Cluster`, the Service's healthCheckNodePort under `Local`, whose answer carries the weight.
   */
  health: z.object({ port, path: z.string().startsWith('/'), weightFromHeader: z.boolean() }),
  /** The address that the user asks a provider for by name, where the provider gives addresses. */
  requestedAddress: ipAddress.optional(),
  sourceRanges: z.array(cidr).max(1000),
  affinity: sessionAffinity,
  proxyProtocol: z.enum(['none', 'v2']),
})
export type DesiredResource = z.infer<typeof desiredResource>

/** The fingerprint of everything a provider is told, without the generation. */
export const desiredHash = (desired: DesiredResource): string =>
  hashOf({ ...desired, generation: 0 })

/** One entry of `status.loadBalancer.ingress`: an address, or a name that clients must resolve. */
export const ingress = z.union([
  z.object({
    ip: ipAddress,
    /** `Proxy` when the balancer ends the connection itself, `VIP` when packets reach the node as sent. */
    ipMode: z.enum(['VIP', 'Proxy']),
  }),
  z.object({
    hostname: z
      .string()
      .max(253)
      .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/),
  }),
])
export type Ingress = z.infer<typeof ingress>
