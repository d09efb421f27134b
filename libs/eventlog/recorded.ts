import { v5 as uuidV5 } from 'uuid'
import {
  categoryOf,
  eventSchemas,
  InvalidInput,
  schemaVersionOf,
  type DomainEvent,
  type EventHeader,
  type RecordedEvent,
  type StreamId,
} from '@weir/contract'
import { assert } from '@weir/kernel'
import type { AppendRequest } from './eventlog.ts'

/** A decision ready for the log: all that is known before the log gives it a place and a time. */
export interface PreparedEvent {
  readonly id: string
  readonly stream: StreamId
  readonly expectedVersion: number
  /** The version the stream gets by it. */
  readonly streamVersion: number
  readonly type: DomainEvent['type']
  readonly schemaVersion: number
  /** The event's data as JSON: what is kept, and what is given back. */
  readonly data: string
}

const namespace = 'b6f0e1d2-5d0a-5b0e-9c57-2f6f3a1c8e94'

/** The id of a command's event: the same whenever that decision is tried again. */
const eventId = (request: AppendRequest, ordinal: number): string =>
  uuidV5(`${request.tenant}/${request.commandId}/${ordinal}`, namespace)

/**
 * Checks a request by itself, whatever the log holds.
 * @throws InvalidInput when an event's data breaks its schema: what the log takes, it has for ever.
 * @throws Bug when the request contradicts itself.
 */
export const prepareAppend = (request: AppendRequest): readonly PreparedEvent[] => {
  const about = `append ${request.commandId}`
  const expected = new Map<StreamId, number>()
  for (const { stream, expectedVersion } of request.events) {
    const known = expected.get(stream)
    const agrees = known === undefined || known === expectedVersion
    assert(agrees, `${about}: one decision on ${stream} was made on two versions`)
    expected.set(stream, expectedVersion)
  }
  const keys = (request.claims ?? []).map(({ change, scope, key }) => `${change} ${scope} ${key}`)
  assert(new Set(keys).size === keys.length, `${about} changes one claim twice`)
  const steps = new Map<StreamId, number>()
  return request.events.map(({ stream, expectedVersion, event }, ordinal) => {
    const streamVersion = (steps.get(stream) ?? expectedVersion) + 1
    steps.set(stream, streamVersion)
    const checked = eventSchemas[event.type].safeParse(event.data)
    if (!checked.success) {
      throw new InvalidInput(`${event.type}.data`, `${about}: ${checked.error.message}`)
    }
    return {
      id: eventId(request, ordinal),
      stream,
      expectedVersion,
      streamVersion,
      type: event.type,
      schemaVersion: schemaVersionOf(event.type),
      data: JSON.stringify(checked.data),
    }
  })
}

/** What the log adds to a prepared event. Times are milliseconds since the epoch. */
export interface Place {
  readonly sequence: number
  readonly occurredAt: number
  readonly recordedAt: number
}

const instant = (millis: number): string => new Date(millis).toISOString()

/** The event as it stands in the log from now on. */
export const toRecorded = (
  request: Omit<AppendRequest, 'events' | 'claims' | 'commandId'>,
  event: Omit<PreparedEvent, 'expectedVersion'>,
  place: Place,
): RecordedEvent => {
  const header: EventHeader = {
    specversion: '1.0',
    id: event.id,
    source: `/tenants/${request.tenant}/streams/${categoryOf(event.stream)}`,
    type: event.type,
    schemaversion: event.schemaVersion,
    subject: event.stream,
    streamversion: event.streamVersion,
    tenantid: request.tenant,
    sequence: place.sequence,
    time: instant(place.occurredAt),
    recordedtime: instant(place.recordedAt),
    actor: request.actor,
    correlationid: request.correlationId,
    causationid: request.causationId,
    ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
  }
  // The data was checked against the schema of its type before it was written.
  return { ...header, data: JSON.parse(event.data) as unknown } as RecordedEvent
}

/** The events of an accepted request whose first one has sequence `first`. */
export const recordedEvents = (
  request: AppendRequest,
  prepared: readonly PreparedEvent[],
  at: { readonly first: number; readonly occurredAt: number; readonly recordedAt: number },
): readonly RecordedEvent[] =>
  prepared.map((event, index) => toRecorded(request, event, { ...at, sequence: at.first + index }))
