import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { decodeEvent, encodeEvent } from './codec.ts'
import { eventSchemas, schemaVersionOf, type EventType } from './events.ts'

// One event of every version ever written. A version that was released is in somebody's log for ever,
// so these files are added to and never changed.
const folder = join(import.meta.dirname, 'golden')
const types = Object.keys(eventSchemas) as EventType[]
const samples = types.flatMap((type) =>
  Array.from({ length: schemaVersionOf(type) }, (_, before) => `${type}.v${before + 1}.json`),
)
const read = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, name), 'utf8')) as Record<string, unknown>

test('every version of every type has a sample, and nothing else lies there', () => {
  expect(readdirSync(folder).toSorted()).toEqual(samples.toSorted())
})

test.each(samples)("%s is read by today's code and survives the way over the bus", (name) => {
  const [type, version] = name.split('.')
  const raw = read(name)
  expect(raw).toMatchObject({ type, schemaversion: Number(version?.slice(1)) })

  const decoded = decodeEvent(raw)
  if (decoded.status !== 'known') throw new Error(`${name} was not known`)
  expect(decoded.event.schemaversion).toBe(schemaVersionOf(decoded.event.type))

  const again = decodeEvent(JSON.parse(encodeEvent(decoded.event)))
  expect(again).toEqual(decoded)
})

test.each(types)('today %s is written exactly as its newest sample', (type) => {
  const raw = read(`${type}.v${schemaVersionOf(type)}.json`)
  const decoded = decodeEvent(raw)
  expect(decoded).toEqual({ status: 'known', event: raw })
})
