import { InvalidInput } from './invalid.ts'
import { eventHeader, type RecordedEvent } from './envelope.ts'
import { eventSchemas, schemaVersionOf, type EventType } from './events.ts'

/** Lifts data of version n to n+1. */
type Upcaster = (data: unknown) => unknown

/**
 * The lifts by type: the entry at index 0 takes version 1 to 2. Nothing is renamed or removed in
 * place; an incompatible change is a new version and a lift here, and a golden sample keeps the old.
 */
const upcasters: Readonly<Partial<Record<EventType, readonly Upcaster[]>>> = {}

const isKnown = (type: string): type is EventType => Object.hasOwn(eventSchemas, type)

/** What came in, decoded: an event, or the name of a type that this version does not know. */
export type Decoded =
  | { readonly status: 'known'; readonly event: RecordedEvent }
  | { readonly status: 'unknown'; readonly type: string; readonly sequence: number }

/**
 * Reads an event of any version ever written. A type from a newer version is named, not guessed: the
 * caller records it and goes on.
 * @throws InvalidInput when the header or the data breaks its schema.
 */
export const decodeEvent = (raw: unknown): Decoded => {
  const header = eventHeader.safeParse(raw)
  if (!header.success) throw new InvalidInput('header', `event header: ${header.error.message}`)
  const { type, schemaversion } = header.data
  if (!isKnown(type)) return { status: 'unknown', type, sequence: header.data.sequence }
  if (schemaversion > schemaVersionOf(type)) {
    return { status: 'unknown', type: `${type}.v${schemaversion}`, sequence: header.data.sequence }
  }
  const lifts = (upcasters[type] ?? []).slice(schemaversion - 1)
  const body = (raw as { readonly data?: unknown }).data
  const lifted = lifts.reduce<unknown>((data, lift) => lift(data), body)
  const data = eventSchemas[type].safeParse(lifted)
  if (!data.success) {
    throw new InvalidInput(`${type}.data`, `event ${header.data.id}: ${data.error.message}`)
  }
  const event = { ...header.data, schemaversion: schemaVersionOf(type), type, data: data.data }
  return { status: 'known', event: event as RecordedEvent }
}

/** The JSON text of an event as it travels on the bus. */
export const encodeEvent = (event: RecordedEvent): string => JSON.stringify(event)
