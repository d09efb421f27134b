// Events of the streams `pool-<name>`, `cluster-<id>`, `tenant-<id>`, `driver-<name>`, `cleanup-<scope>` and
// `edge-<name>`: acts of people, written by the api; gc may stop itself, and tells what edges made good and found out.
import { z } from 'zod'
import { edgeRepair } from './edge-inspection.ts'
import { clusterId, driverName, edgeId, fleetName, poolName, serviceUid, tenantId } from './ids.ts'
import { cidr, familyOf, ipAddress, toInteger } from './net.ts'

const fromTo = z.object({ first: ipAddress, last: ipAddress }).superRefine((range, context) => {
  const { first, last } = range
  const refuse = (message: string): void => context.addIssue({ code: 'custom', message })
  if (familyOf(first) !== familyOf(last)) refuse(`${first} and ${last} are of different families`)
  else if (toInteger(first) > toInteger(last))
    refuse(`${first} comes after ${last}; turn them round`)
})

/** A block, or a range `first-last` of one family in that order, both ends included. */
export const addressRange = z.union([
  cidr.transform((block) => ({ block })),
  z.object({ block: cidr }),
  fromTo,
])
export type AddressRange = z.infer<typeof addressRange>

/** A set of address ranges with rules: who may use it, in which order. */
export const pool = z.object({
  name: poolName,
  ranges: z.array(addressRange).min(1).max(100),
  /** Pools with a lower number are tried first; equal ones by name. */
  priority: z.int().min(0).max(1000),
  /** Tenants that may use it; null means every tenant. */
  tenants: z.array(tenantId).max(1000).nullable(),
  /** How long a released address rests before another load balancer may have it. */
  quarantineSeconds: z
    .int()
    .min(0)
    .max(30 * 86_400),
})
export type Pool = z.infer<typeof pool>

/** A tenant's cluster as the platform knows it, without its credentials. */
export const cluster = z.object({
  id: clusterId,
  tenant: tenantId,
  name: z.string().min(1).max(63),
  server: z.url({ protocol: /^https$/ }),
  driver: driverName,
  /** Serve Services without a loadBalancerClass, as a cluster's default implementation does. */
  defaultClass: z.boolean(),
  /** Node addresses outside these blocks are no targets: a tenant's Node may claim any address. */
  nodeCidrs: z.array(cidr).min(1).max(50),
})
export type Cluster = z.infer<typeof cluster>

/** A provider account that load balancers can be made in, or a further fleet of edges, without its credentials. */
export const driverAccount = z.object({
  name: driverName,
  kind: z.enum(['octavia', 'aws-nlb', 'fleet']),
  /** The tenant whose clusters may use it; null for every tenant of the platform. */
  tenant: tenantId.nullable(),
  /** The account or project id that the credentials must turn out to be, or the fleet; anything else is refused. */
  account: z.string().min(1).max(100),
  /** What the kind of driver needs to know, checked by the driver's own schema; never a secret. */
  settings: z.record(z.string().max(100), z.unknown()),
})
export type DriverAccount = z.infer<typeof driverAccount>

export const platformEvents = {
  /** A pool exists. Emitted by the api in the platform's log; the allocator chooses from it. */
  PoolCreated: z.object({ pool }),

  /** A pool's ranges or rules changed; leases held stay held. Emitted by the api. */
  PoolChanged: z.object({ pool }),

  /** A pool is closed for new leases; leases held stay held. Emitted by the api. */
  PoolRemoved: z.object({ name: poolName }),

  /** A customer exists. Emitted by the api in the platform's log. */
  TenantCreated: z.object({ tenant: tenantId, name: z.string() }),

  /** A token was given out; its secret is not here. Emitted by the api in the tenant's log. */
  TokenIssued: z.object({ tokenId: z.string(), role: z.enum(['admin', 'viewer']) }),

  /** A cluster is served from now on. Emitted by the api; a watcher takes it by lease. */
  ClusterConnected: z.object({ cluster }),

  /** A cluster's settings or credentials changed. Emitted by the api. */
  ClusterChanged: z.object({ cluster }),

  /** A cluster is served no longer and everything made for it must go. Emitted by the api. */
  ClusterDeregistered: z.object({ id: clusterId }),

  /**
   * So many of a cluster's Services are missing at once that none of them is taken for gone. Emitted by the
   * watcher; everything of them stays until somebody approves, or they are back.
   */
  ServicesMissing: z.object({
    id: clusterId,
    missing: z.int().min(1),
    /** Services of the cluster that weir looks after, the missing ones included. */
    of: z.int().min(1),
  }),

  /** Of what `ServicesMissing` told so much is back that the rest is an everyday loss. Emitted by the watcher. */
  ServicesReturned: z.object({ id: clusterId }),

  /** What is missing in a cluster is gone indeed, says somebody who may; holds for an hour. Emitted by the api. */
  AbsenceApproved: z.object({ id: clusterId }),

  /**
   * Of a node pool no node lets out what has a load balancer's address as its source, so a fleet that
   * forwards packets as they came cannot serve it: nodes were called by a frontend's address and by their own,
   * and only the latter was answered. Emitted by gc, from the edges' own words. Until somebody says anew who
   * serves the cluster, its Services without a class go to a fleet of proxies, if there is one.
   */
  DirectReturnFailed: z.object({
    id: clusterId,
    /** Whose edges called. */
    driver: driverName,
    /** Null for nodes that are in none. */
    pool: z.string().max(253).nullable(),
    /** The first of its nodes, sorted. */
    nodes: z.array(z.string().max(253)).min(1).max(50),
    /** What they were called for: `203.0.113.10:80/TCP`. */
    service: serviceUid,
    frontend: z.string().max(100),
  }),

  /** A driver can be used from now on, or with these settings. Emitted by the api, in the platform's log. */
  DriverConfigured: z.object({ driver: driverAccount }),

  /** A driver makes nothing new; what it made is still observed and removed. Emitted by the api. */
  DriverRemoved: z.object({ name: driverName }),

  /** gc may delete orphans from now on: a new installation only observes. Emitted by the api. */
  CleanupApproved: z.object({}),

  /** gc only observes again. Emitted by the api, or by gc itself when its breaker opens. */
  CleanupSuspended: z.object({ why: z.string().max(500) }),

  /**
   * An operator orders these condemned things to be removed, whether cleanup is approved or not. Emitted
   * by the api; gc removes those that are still orphans by a fresh judgement, and no others.
   */
  CleanupOrdered: z.object({
    /** Ids of OrphanCondemned events: a thing that was spared meanwhile is no longer meant. */
    condemned: z.array(z.uuid()).min(1).max(1000),
  }),

  /** Nothing of this tenant is deleted by gc. Emitted by the api. */
  CleanupPaused: z.object({ tenant: tenantId, why: z.string().max(500) }),

  /** gc treats this tenant like all others again. Emitted by the api. */
  CleanupResumed: z.object({ tenant: tenantId }),

  /**
   * What forwards packets at an edge was not as the edge had made it, such as after a change by hand, and was
   * made good by the edge. Emitted by gc, from the edge's own word.
   */
  EdgeTableRepaired: z.object({ fleet: fleetName, edge: edgeId, repair: edgeRepair }),
} as const
