import { z } from 'zod'
import { lbEvents } from './lb-events.ts'
import { platformEvents } from './platform-events.ts'
import { resourceEvents } from './resource-events.ts'
import { statusEvents } from './status-events.ts'

/** Every event of the log by its type: the schema of its data, at its newest version. */
export const eventSchemas = {
  ...lbEvents,
  ...resourceEvents,
  ...statusEvents,
  ...platformEvents,
} as const

export type EventType = keyof typeof eventSchemas

/** The data of one type of event. */
export type EventData<T extends EventType> = z.infer<(typeof eventSchemas)[T]>

/** A decision: an event that is not in the log yet. Tagged by `type`. */
export type DomainEvent = {
  [T in EventType]: { readonly type: T; readonly data: EventData<T> }
}[EventType]

/** The newest version of each type's data; types that are not listed are at 1. */
export const schemaVersions: Readonly<Partial<Record<EventType, number>>> = {}

/** The version today's code writes for `type`. */
export const schemaVersionOf = (type: EventType): number => schemaVersions[type] ?? 1

/** Builds a decision with its type checked against its data. */
export const event = <T extends EventType>(
  type: T,
  data: EventData<T>,
): Extract<DomainEvent, { type: T }> => ({ type, data }) as Extract<DomainEvent, { type: T }>

/** Categories of streams, the part of a stream's name before its first dash. */
export const streamCategory = z.enum([
  'lb',
  'resource',
  'status',
  'pool',
  'cluster',
  'tenant',
  'driver',
  'cleanup',
  'edge',
  'share',
])
export type StreamCategory = z.infer<typeof streamCategory>

/** A stream's name: `CATEGORY-ID`. */
export const streamId = z
  .string()
  .max(200)
  .regex(/^(lb|resource|status|pool|cluster|tenant|driver|cleanup|edge|share)-[a-z0-9-]+$/)
  .brand('StreamId')
export type StreamId = z.infer<typeof streamId>

/** The stream of `category` for `id`, such as `lb-<serviceUid>`. */
export const streamOf = (category: StreamCategory, id: string): StreamId =>
  streamId.parse(`${category}-${id}`)

/** The category a stream belongs to. */
export const categoryOf = (stream: StreamId): StreamCategory =>
  streamCategory.parse(stream.slice(0, stream.indexOf('-')))
