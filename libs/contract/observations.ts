import { z } from 'zod'
import { clusterId, serviceUid, tenantId } from './ids.ts'
import { loadBalancerIntent } from './intent.ts'
import { ipAddress } from './net.ts'

// What a watcher saw. Observations are hints, kept as the last value per key and never in the log: a
// consumer stores them, compares with what it knew, and only a change that matters becomes an event.

const seen = {
  tenant: tenantId,
  cluster: clusterId,
  /**
   * Who saw it and how late in its life: a watcher that lost its lease publishes with an older epoch,
   * and is ignored. Within an epoch the greater `order` is newer.
   */
  watcherEpoch: z.int().min(0),
  order: z.int().min(0),
  /** When the watcher saw it, RFC 3339. */
  seenAt: z.iso.datetime(),
  /** W3C trace context that starts the story of whatever this causes. */
  traceparent: z.string().max(55).optional(),
}

/**
 * A Service in our care, published only after our finalizer is acknowledged, or on its way out.
 * `present` is wanted, `unwanted` lives on but has another type or class, `deleting` carries a
 * deletionTimestamp, `gone` was missing from two complete lists or left without our finalizer.
 */
export const serviceObservation = z.object({
  kind: z.literal('service'),
  ...seen,
  serviceUid,
  namespace: z.string().max(63),
  name: z.string().max(63),
  phase: z.enum(['present', 'unwanted', 'deleting', 'gone']),
  /** What the Service asks for; the last known wish once it is gone. */
  intent: loadBalancerIntent,
})
export type ServiceObservation = z.infer<typeof serviceObservation>

/** A node of a cluster as a place to send traffic to. */
export const observedNode = z.object({
  name: z.string().max(253),
  /** InternalIPs, then ExternalIPs, in the order the Node lists them. */
  addresses: z.array(ipAddress).max(8),
  /** `spec.providerID`, such as `aws:///eu-central-1a/i-0abc`; missing when the cluster has no cloud. */
  providerId: z.string().max(500).optional(),
  /** The node pool that its labels name; missing where they name none. */
  pool: z.string().max(253).optional(),
  /** Why no traffic may go there; null for a node that is a target. NotReady is no reason. */
  excluded: z.enum(['excluded-by-label', 'to-be-deleted', 'deleting']).nullable(),
})
export type ObservedNode = z.infer<typeof observedNode>

/** All nodes of a cluster in one value, sorted by name. */
export const nodesObservation = z.object({
  kind: z.literal('nodes'),
  ...seen,
  nodes: z.array(observedNode).max(5000),
})
export type NodesObservation = z.infer<typeof nodesObservation>

/** How many ready endpoints of one Service each node holds; nodes without any are left out. */
export const endpointsObservation = z.object({
  kind: z.literal('endpoints'),
  ...seen,
  serviceUid,
  readyByNode: z.record(z.string().max(253), z.int().min(1)),
})
export type EndpointsObservation = z.infer<typeof endpointsObservation>

export const observation = z.discriminatedUnion('kind', [
  serviceObservation,
  nodesObservation,
  endpointsObservation,
])
export type Observation = z.infer<typeof observation>
export type ObservationKind = Observation['kind']

/** The last token of an observation's key: the Service's UID, or `all` for the node set. */
export const observationKey = (seen: Observation): string =>
  seen.kind === 'nodes' ? 'all' : seen.serviceUid

/** The part of an observation that says what was seen, without when and by whom. */
export const observationFacts = (seen: Observation): unknown => {
  const { watcherEpoch: _epoch, order: _order, seenAt: _at, traceparent: _trace, ...facts } = seen
  return facts
}
