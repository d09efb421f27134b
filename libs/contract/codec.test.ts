import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decodeEvent } from './codec.ts'
import { InvalidInput } from './invalid.ts'

const sample = (changes: Record<string, unknown> = {}): Record<string, unknown> => {
  const path = join(import.meta.dirname, 'golden/FinalizerAdded.v1.json')
  const raw = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
  return { ...raw, ...changes }
}

const refusal = (raw: unknown): InvalidInput => {
  try {
    decodeEvent(raw)
  } catch (error) {
    if (error instanceof InvalidInput) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe('what a newer version wrote is named and never guessed', () => {
  test('a type that is not known yet', () => {
    const raw = sample({ type: 'ServiceMoved', sequence: 7 })
    expect(decodeEvent(raw)).toEqual({ status: 'unknown', type: 'ServiceMoved', sequence: 7 })
  })

  test('a newer version of a known type, whatever its data', () => {
    const raw = sample({ schemaversion: 2, sequence: 7, data: 'anything' })
    expect(decodeEvent(raw)).toEqual({ status: 'unknown', type: 'FinalizerAdded.v2', sequence: 7 })
  })

  test.each(['toString', '__proto__', 'constructor'])('a type called %s', (type) => {
    expect(decodeEvent(sample({ type }))).toMatchObject({ status: 'unknown', type })
  })

  test('an attribute of the header that is not known is left out', () => {
    const decoded = decodeEvent(sample({ partitionkey: 'x' }))
    expect(decoded).toEqual(decodeEvent(sample()))
  })
})

describe('what breaks its schema is refused by name', () => {
  test.each<[string, unknown]>([
    ['null', null],
    ['a text', 'FinalizerAdded'],
    ['a list', []],
    ['no id', sample({ id: undefined })],
    ['a sequence of 0', sample({ sequence: 0 })],
    ['a fraction of a version', sample({ schemaversion: 1.5 })],
    ['a stream of no category', sample({ subject: 'thing-1' })],
    ['a time without a zone', sample({ time: '2026-03-01T12:00:00' })],
    ['a tenant with a dot, which would split a subject', sample({ tenantid: 'a.b' })],
  ])('a header that is %s', (_what, raw) => expect(refusal(raw).field).toBe('header'))

  test('the header names the attribute at fault', () => {
    expect(refusal(sample({ sequence: -1 })).message).toContain('sequence')
  })

  test.each<[string, unknown]>([
    ['missing', undefined],
    ['null', null],
    ['of another shape', { resourceVersion: 48_213 }],
  ])('data that is %s', (_what, data) => {
    const { field, message } = refusal(sample({ data }))
    expect(field).toBe('FinalizerAdded.data')
    expect(message).toContain(String(sample()['id']))
  })
})
