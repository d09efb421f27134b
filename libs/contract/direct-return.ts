import { z } from 'zod'
import { clusterId, serviceUid, tenantId } from './ids.ts'

/**
 * What an edge found out when it called nodes of one cluster by a load balancer's address: whether what they
 * answer, with that address as its source, comes back. Nodes that were not tried yet are missing.
 */
export const returnFinding = z.object({
  tenant: tenantId,
  cluster: clusterId,
  /** Nodes whose answers come back, the first of them. */
  answering: z.array(z.string().max(253)).max(50),
  /** Nodes that answer for their own address and not for the load balancer's, the first of them. */
  silent: z
    .array(
      z.object({
        node: z.string().max(253),
        /** The Service it was called for, and at which address and port. */
        service: serviceUid,
        frontend: z.string().max(100),
        /** When it was called in vain first. */
        since: z.iso.datetime(),
      }),
    )
    .max(50),
})
export type ReturnFinding = z.infer<typeof returnFinding>

/** Clusters that one edge tells of at most; those with silent nodes first. */
export const returnFindingsMax = 50
