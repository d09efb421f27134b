// Events of the stream `lb-<serviceUid>`, written by the allocator: the life of one service as a load
// balancer. One life ends with FrontendsReleased; a Service that comes back starts the next.
import { z } from 'zod'
import { clusterId, driverName, poolName, serviceUid, sharingGroup } from './ids.ts'
import { loadBalancerIntent } from './intent.ts'
import { frontend, ipAddress, ipFamily, protocol } from './net.ts'

const hash = z.string().regex(/^[0-9a-f]{32}$/)

/** An IP held by one load balancer, or by a group of those that share it. */
export const lease = z.object({ ip: ipAddress, pool: poolName, group: sharingGroup.optional() })
export type Lease = z.infer<typeof lease>

/** Why this address: the rule that chose it. */
export const choiceReason = z.enum([
  'requested',
  'sticky',
  'never-used',
  'released-longest-ago',
  'provider',
  'shared',
])

export const lbEvents = {
  /** A Service wants a load balancer. Emitted by the allocator; everything else follows from it. */
  LoadBalancerRequested: z.object({
    cluster: clusterId,
    serviceUid,
    namespace: z.string(),
    name: z.string(),
    driver: driverName,
    intent: loadBalancerIntent,
    intentHash: hash,
  }),

  /**
   * The wish changed: ports, policy, ranges or affinity. Emitted by the allocator after the frontends
   * it needs are held; the provisioner brings the resource up to it.
   */
  LoadBalancerChanged: z.object({
    intent: loadBalancerIntent,
    intentHash: hash,
    /** Names of the intent's fields that differ from before. */
    fields: z.array(z.string()),
  }),

  /**
   * Addresses and frontends are held for this load balancer and nobody else. Emitted by the
   * allocator, in the transaction that takes the rows; lists everything held from now on. Nothing is
   * held, and the choice is `provider`, where the driver's provider gives the address itself.
   */
  FrontendsAllocated: z.object({
    leases: z.array(lease),
    frontends: z.array(frontend),
    choice: choiceReason,
    /** Pools that were open to the choice, in the order they were tried. */
    considered: z.array(poolName),
    /** Addresses of before, which the resource may still use: held until `FrontendsVacated`. */
    leaving: z.array(lease).optional(),
    /** Frontends of before on shared addresses, which the resource may still use: likewise. */
    closing: z.array(frontend).optional(),
  }),

  /**
   * The resource was shown to serve without these addresses, and without these frontends of shared ones:
   * they are let go, and the addresses rest. Emitted by the allocator, in the transaction that lets the
   * rows go.
   */
  FrontendsVacated: z.object({
    leases: z.array(lease),
    frontends: z.array(frontend).optional(),
    quarantineUntil: z.iso.datetime(),
  }),

  /**
   * What one load balancer holds in a sharing group from now on; nothing once it left. Emitted by the
   * allocator in the stream of the group, together with what changes it in the load balancer's own: two
   * that join or leave at the same time are decided one after the other.
   */
  SharingChanged: z.object({
    group: sharingGroup,
    cluster: clusterId,
    namespace: z.string(),
    serviceUid,
    leases: z.array(lease),
    frontends: z.array(frontend),
  }),

  /** No pool exists that this tenant may use. Emitted by the allocator; the watcher tells the user. */
  PoolMissing: z.object({ intentHash: hash, requestedPool: poolName.nullable() }),

  /** Every pool that fits is full or in quarantine. Heals when an address is released. */
  PoolExhausted: z.object({
    intentHash: hash,
    tried: z.array(z.object({ pool: poolName, size: z.string(), quarantined: z.int() })),
    /** When the next address leaves quarantine, RFC 3339; null when none is in it. */
    nextFreeAt: z.iso.datetime().nullable(),
  }),

  /** The address asked for lies in no pool this tenant may use. Heals when a pool covers it. */
  AddressNotInPool: z.object({ intentHash: hash, address: ipAddress, pools: z.array(poolName) }),

  /** The address asked for is held by another load balancer. Heals when that one lets go. */
  AddressTaken: z.object({
    intentHash: hash,
    address: ipAddress,
    /** Who holds it, told only when it is the same tenant's. */
    holder: serviceUid.nullable(),
  }),

  /** A port asked for on a shared address is another Service's of the group. Heals when that lets go of it. */
  FrontendTaken: z.object({
    intentHash: hash,
    frontend,
    holder: serviceUid,
  }),

  /** The Service has a port whose protocol no driver of ours carries. Heals when the port goes. */
  ProtocolUnsupported: z.object({ intentHash: hash, protocols: z.array(protocol).min(1) }),

  /** No pool has addresses of the IP family the Service needs first. */
  FamilyUnsupported: z.object({ intentHash: hash, family: ipFamily }),

  /** A field of the Service breaks a rule of ours; nothing is served rather than something else. */
  IntentInvalid: z.object({
    intentHash: hash,
    problems: z.array(z.object({ field: z.string(), problem: z.string() })).min(1),
  }),

  /**
   * Another driver serves from now on. Emitted by the allocator; the provisioner makes the new resource
   * before it removes the old one. Begins a new epoch.
   */
  DriverChanged: z.object({
    from: driverName,
    to: driverName,
    /** `direct-return`: nodes cannot answer clients themselves, so a fleet of proxies serves. */
    cause: z.enum(['cluster-default', 'load-balancer-class', 'direct-return']),
  }),

  /** The load balancer must go. Emitted by the allocator; the provisioner removes the resource. */
  ReleaseRequested: z.object({
    reason: z.enum(['service-deleted', 'no-longer-wanted', 'service-gone', 'cluster-deregistered']),
  }),

  /**
   * Nothing is held any more and this life is over. Emitted by the allocator after the finalizer is
   * gone; the addresses rest until `quarantineUntil` before somebody else may have them.
   */
  FrontendsReleased: z.object({
    leases: z.array(lease),
    frontends: z.array(frontend),
    quarantineUntil: z.iso.datetime().nullable(),
  }),
} as const
