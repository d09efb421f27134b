// Facts that are not in any log, for bugs that believe things before they are so.
import { streamOf, type DomainEvent, type RecordedEvent } from '@weir/contract'
import type { AppendRequest } from '@weir/eventlog'

/** An event as if it had been recorded right after `last`. */
export const asIfRecorded = (last: RecordedEvent, type: string, data: unknown): RecordedEvent =>
  ({ ...last, id: `${last.id.slice(0, -1)}f`, type, data }) as RecordedEvent

/** The events of a request as if it had been accepted. */
export const asIfAppended = (request: AppendRequest, now: number): readonly RecordedEvent[] =>
  request.events.map(({ stream, expectedVersion, event }, index) =>
    recorded(request, {
      stream,
      version: expectedVersion + 1 + index,
      event,
      now,
    }),
  )

const recorded = (
  request: AppendRequest,
  at: { stream: string; version: number; event: DomainEvent; now: number },
): RecordedEvent =>
  ({
    specversion: '1.0',
    id: '00000000-0000-4000-8000-000000000000',
    source: '/planted',
    schemaversion: 1,
    subject: at.stream,
    streamversion: at.version,
    tenantid: request.tenant,
    sequence: 0,
    time: new Date(at.now).toISOString(),
    recordedtime: new Date(at.now).toISOString(),
    actor: request.actor,
    correlationid: request.correlationId,
    causationid: request.causationId,
    ...at.event,
  }) as RecordedEvent

export const statusStream = (uid: string) => streamOf('status', uid)
