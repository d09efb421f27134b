// Events of the streams `resource-<key>`: what exists at a provider because of us. Written by the
// provisioner; gc may append at an expected version. Each epoch of a life ends with exactly one ResourceAbsent
// on its own key's stream, even when nothing was ever made; that of the newest comes last and ends the life.
import { z } from 'zod'
import { driverName, resourceKey } from './ids.ts'
import { desiredResource, ingress, target } from './resource.ts'

const position = { key: resourceKey, epoch: z.int().min(1), generation: z.int().min(1) }

/** One thing of an inventory: a load balancer, or a part of one that outlived it. */
const orphan = {
  key: resourceKey,
  epoch: z.int().min(1),
  driver: driverName,
  /** The provider's word for what it is: `load balancer`, `target group`, `floating IP`. */
  kind: z.string().max(50),
  /** The provider's own name for it. */
  ref: z.string().max(500),
}

export const resourceEvents = {
  /**
   * A provider is about to be told to make or change this. Emitted by the provisioner before the
   * first call, so whatever carries our mark has an intent in the log.
   */
  ResourceIntended: z.object({
    ...position,
    driver: driverName,
    externalName: z.string(),
    desired: desiredResource,
  }),

  /**
   * The provider took an order and works on it by itself. Emitted by the provisioner; whoever comes
   * next asks about `token` instead of beginning again, and the time of this event says since when.
   */
  OperationStarted: z.object({
    ...position,
    /** The driver's own name for the operation; means nothing to anybody else. */
    token: z.string().min(1).max(500),
    /** What is under way, for people: `create load balancer weir-...`. */
    what: z.string().max(200),
  }),

  /** The provider was read back and is as intended. Emitted by the provisioner; status may be written. */
  ResourceProgrammed: z.object({
    ...position,
    ingress: z.array(ingress).min(1),
    /** Who confirmed it, such as the edges that applied it. */
    confirmedBy: z.array(z.string()),
  }),

  /**
   * The set of targets is another one. Emitted by the provisioner before the provider is told; the
   * audit's answer to which nodes were targets when, and why.
   */
  TargetsChanged: z.object({
    ...position,
    before: z.array(target),
    after: z.array(target),
    cause: z.enum(['nodes', 'endpoints', 'nodes-and-endpoints']),
  }),

  /**
   * New flows go to other nodes than before, or in other shares, since the nodes' health says so. The order
   * stands: edges act on health by themselves. Emitted by the provisioner from what they report, for the
   * audit: with TargetsChanged it answers which nodes took flows when, and why. What came and went within
   * half a minute may be left out, and a Service that flaps is told of every ten minutes at most.
   */
  TargetHealthChanged: z.object({
    ...position,
    /** Since when the last of the edges does so, by its own clock. */
    since: z.iso.datetime(),
    changes: z
      .array(
        z.object({
          node: z.string().max(253),
          /** Weights of new flows, 0 for none. */
          before: z.int().min(0),
          after: z.int().min(0),
          /** What is wrong with the node, such as `answered 503`. */
          problem: z.string().max(300).nullable(),
        }),
      )
      .min(1)
      .max(5000),
    /** How many nodes take new flows now. */
    serving: z.int().min(0),
    reportedBy: z.array(z.string()),
  }),

  /** The provider's copy differs from the log. Emitted by the provisioner, which then repairs it. */
  ResourceDrifted: z.object({ ...position, found: z.string() }),

  /**
   * One of the provider's things is deleted while its Service is served: it failed, or is one too many.
   * Emitted by the provisioner before the call.
   */
  ResourceDiscarded: z.object({
    ...position,
    /** The provider's id of it. */
    ref: z.string().min(1).max(500),
    why: z.string().max(200),
  }),

  /** The driver cannot do what the Service asks. Emitted by the provisioner; nothing half is made. */
  ResourceRefused: z.object({
    key: resourceKey,
    driver: driverName,
    capability: z.string(),
    problem: z.string(),
    intentHash: z.string(),
  }),

  /** The resource is about to be removed. Emitted by the provisioner or gc before the first call. */
  ResourceDeleteIntended: z.object({
    key: resourceKey,
    epoch: z.int().min(1),
    reason: z.enum(['released', 'moved', 'orphan']),
    /** What proves that the reason to exist is gone. */
    evidence: z.string(),
  }),

  /**
   * A read at the provider found nothing. Emitted by the provisioner or gc; only now may status and
   * finalizer be cleared and the address go back. `epoch` is 0 when nothing was ever made for the
   * newest; an older one that was never made has its own, confirmed by `log`.
   */
  ResourceAbsent: z.object({
    key: resourceKey,
    epoch: z.int().min(0),
    confirmedBy: z.array(z.string()),
  }),

  /**
   * A complete inventory shows a thing with our marks whose reason to exist is gone. Emitted by gc at
   * the first such scan: the grace runs from this event's time, by the log's clock.
   */
  OrphanCondemned: z.object({ ...orphan, evidence: z.string().max(500) }),

  /** A condemned thing has a reason to exist again, or is not there any more. Emitted by gc. */
  OrphanSpared: z.object({ ...orphan, why: z.string().max(500) }),

  /** Two reads, apart in time, found the condemned thing absent. Emitted by gc after its delete. */
  OrphanRemoved: z.object({ ...orphan, confirmedBy: z.array(z.string()) }),

  /**
   * It does not come to an end: ten attempts failed, and the key is retried hourly and on any change; or,
   * with no attempts, the provider has worked on an order for too long. Emitted by the provisioner.
   */
  ReconcileParked: z.object({ key: resourceKey, attempts: z.int(), problem: z.string() }),
} as const
