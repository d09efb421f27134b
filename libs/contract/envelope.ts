import { z } from 'zod'
import type { DomainEvent } from './events.ts'
import { streamId } from './events.ts'
import { tenantId } from './ids.ts'

/**
 * What surrounds an event's data, in CloudEvents 1.0 attribute names (lower-case, alphanumeric) and
 * its distributed-tracing, sequence and correlation extensions.
 */
export const eventHeader = z.object({
  specversion: z.literal('1.0'),
  /** UUID of the event; the same for a decision that is tried again. */
  id: z.uuid(),
  /** `/tenants/<tenant>/streams/<category>`. */
  source: z.string(),
  type: z.string(),
  /** Version of the data's schema; older ones are lifted when read. */
  schemaversion: z.int().min(1),
  /** The stream the event belongs to. */
  subject: streamId,
  /** Position in its stream, 1 for the first. */
  streamversion: z.int().min(1),
  tenantid: tenantId,
  /** Position in the tenant's log: dense, gapless, in the order of commits. */
  sequence: z.int().min(1),
  /** When the decision was made, RFC 3339. */
  time: z.iso.datetime(),
  /** When the log took it, RFC 3339, by the database's clock. */
  recordedtime: z.iso.datetime(),
  /** Who decided: a service's name, or `user:<token id>` for an act of a person. */
  actor: z.string().max(100),
  /** The story the event belongs to: a Service's UID, a pool's name, a cluster's id. */
  correlationid: z.string().max(100),
  /** What caused it: an event's id, an observation's key, or a request's id. */
  causationid: z.string().max(200),
  /** W3C trace context of the decision. */
  traceparent: z.string().max(55).optional(),
})
export type EventHeader = z.infer<typeof eventHeader>

/** An event as the log holds it: header and typed data. */
export type RecordedEvent = EventHeader & DomainEvent

/** Narrows to events of the given types. */
export const isType =
  <T extends DomainEvent['type']>(...types: readonly T[]) =>
  (recorded: RecordedEvent): recorded is Extract<RecordedEvent, { type: T }> =>
    (types as readonly string[]).includes(recorded.type)
