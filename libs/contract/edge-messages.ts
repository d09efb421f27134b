// What the provisioner tells a fleet of edges and what edges answer: last values per subject on EDGE.
import { z } from 'zod'
import { returnFinding, returnFindingsMax } from './direct-return.ts'
import { edgeRepair } from './edge-inspection.ts'
import { edgeId, fleetName, resourceKey } from './ids.ts'
import { desiredResource, ownershipMarks } from './resource.ts'

/**
 * How long the bus keeps what no longer tells anybody anything, in milliseconds from its last telling. An
 * order to serve is kept until its tombstone takes its place.
 *
 * That a tombstone ends is safe because it may be lost at any time anyway, with the whole bus: whoever
 * still waits for an absence tells it again, and an edge that was away for longer and serves from its
 * disk lists the resource in its heartbeat, which is the inventory that gc reads.
 */
export const edgeLifetimes = {
  tombstoneMs: 86_400_000,
  /** An edge that lives says all of it again every half minute. */
  reportMs: 86_400_000,
  /** Longer, so that whoever comes back from a weekend sees which machine died on Friday. */
  heartbeatMs: 7 * 86_400_000,
} as const

/**
 * The order to a fleet for one resource. `remove` is a tombstone; it stays until every edge reported
 * the resource absent, and then ends by its lifetime. An edge obeys the greater (epoch, generation) and refuses a lesser one, so a
 * late order of an earlier incarnation cannot undo a later; a missing order changes nothing.
 */
export const edgeOrder = z.discriminatedUnion('order', [
  z.object({
    order: z.literal('serve'),
    fleet: fleetName,
    desired: desiredResource,
    traceparent: z.string().optional(),
  }),
  z.object({
    order: z.literal('remove'),
    fleet: fleetName,
    marks: ownershipMarks,
    /** The generation the tombstone follows. */
    generation: z.int().min(0),
    traceparent: z.string().optional(),
  }),
])
export type EdgeOrder = z.infer<typeof edgeOrder>

/** One node of one resource as an edge's probes see it. */
export const targetHealth = z.object({
  node: z.string(),
  /** `unknown` until the first probe has an answer. */
  state: z.enum(['healthy', 'unhealthy', 'unknown']),
  /** Ready pods on the node as kube-proxy tells, null where it tells nothing. */
  weight: z.int().min(0).nullable(),
  problem: z.string().max(300).nullable(),
  /** The weight with which the edge sends new flows there, 0 for none; missing where it does not tell. */
  flows: z.int().min(0).optional(),
})
export type TargetHealth = z.infer<typeof targetHealth>

/** What one edge has made of the newest order for one resource. */
export const edgeReport = z.object({
  fleet: fleetName,
  edge: edgeId,
  key: resourceKey,
  marks: ownershipMarks,
  generation: z.int().min(0),
  /** `serving` with listeners open, `absent` with all closed, `refused` when it can't be done. */
  state: z.enum(['serving', 'absent', 'refused']),
  /** Why it was refused, such as a port of this machine that another program holds. */
  problem: z.string().max(500).nullable(),
  /** `desiredHash` of what is served, for drift checks. */
  hash: z.string(),
  targets: z.array(targetHealth),
  /** Since when new flows go where they go, by the edge's clock. */
  flowsSince: z.iso.datetime().optional(),
  at: z.iso.datetime(),
})
export type EdgeReport = z.infer<typeof edgeReport>

/** That an edge lives, what it can do, and everything it holds: the inventory gc reads. */
export const edgeHeartbeat = z.object({
  fleet: fleetName,
  edge: edgeId,
  dataPlane: z.enum(['userspace', 'kernel', 'envoy']),
  startedAt: z.iso.datetime(),
  at: z.iso.datetime(),
  /**
   * Which part of what the edge holds this is, where all does not fit into one message; without it this
   * is all. Number 0 is told with every beat, the others when the revision changed and now and then.
   * All parts of one revision are the inventory; fewer are none.
   */
  part: z
    .object({ number: z.int().min(0), count: z.int().min(1), revision: z.string() })
    .optional(),
  /** What it made good of late, the newest last. gc records each in the platform's log. */
  repairs: z.array(edgeRepair).max(8).optional(),
  /** Whether nodes can answer clients directly, as far as it was tried. gc records what changes. */
  returns: z.array(returnFinding).max(returnFindingsMax).optional(),
  /** Marks and state of every resource the edge holds, from its own memory, not from orders. */
  resources: z.array(z.object({ marks: ownershipMarks, generation: z.int() })),
})
export type EdgeHeartbeat = z.infer<typeof edgeHeartbeat>
