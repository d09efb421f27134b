import { badRequest, notImplemented } from '../api-error.ts'
import type { Json, JsonObject } from '../object.ts'
import { timestamp } from '../object.ts'
import { type GoField, goStruct } from './go-fields.ts'
import { type ObjectShape, type Shape, shapeOf } from './shape.ts'
import { ByteReader } from './byte-reader.ts'

// kubectl and Go controllers write some kinds as protobuf and take JSON for an answer; there is no way
// to make them write JSON. So requests are read in both forms, and answered in JSON only.

export const protobufType = 'application/vnd.kubernetes.protobuf'

const magic = Buffer.from('k8s\0')

/** The kind inside a protobuf request, to choose the definition it is read by. */
export interface Envelope {
  readonly apiVersion: string
  readonly kind: string
  readonly raw: Buffer
}

export const openEnvelope = (body: Buffer): Envelope => {
  if (!body.subarray(0, 4).equals(magic))
    throw badRequest('the body does not begin as a Kubernetes protobuf message')
  const envelope: { -readonly [K in keyof Envelope]: Envelope[K] } = {
    apiVersion: '',
    kind: '',
    raw: Buffer.alloc(0),
  }
  for (const { number, bytes } of new ByteReader(body.subarray(4)).fields()) {
    if (number === 2) envelope.raw = bytes
    if (number !== 1) continue
    for (const meta of new ByteReader(bytes).fields()) {
      if (meta.number === 1) envelope.apiVersion = meta.bytes.toString()
      if (meta.number === 2) envelope.kind = meta.bytes.toString()
    }
  }
  return envelope
}

/** The JSON that a protobuf message stands for. */
export const readProtobuf = (definition: string, envelope: Envelope): JsonObject => {
  const shape = shapeOf(definition)
  if (shape.type !== 'object') throw notImplemented(`protobuf of ${envelope.kind}`)
  const body = readMessage(shape, definition, envelope.raw)
  return { ...body, kind: envelope.kind, apiVersion: envelope.apiVersion }
}

/** `definition` names the numbers, `shape` the fields; they differ inside an inlined struct. */
const readMessage = (shape: ObjectShape, definition: string, bytes: Buffer): JsonObject => {
  const struct = goStruct(definition)
  const result: JsonObject = {}
  for (const wire of new ByteReader(bytes).fields()) {
    const inlined = struct.inlined.get(wire.number)
    if (inlined !== undefined) {
      Object.assign(result, readMessage(shape, inlined, wire.bytes))
      continue
    }
    const field = struct.byNumber.get(wire.number)
    const inner = field === undefined ? undefined : shape.fields.get(field.name)?.shape
    if (field === undefined || inner === undefined) continue
    result[field.name] = readField(inner, field, { wire, before: result[field.name] })
  }
  return result
}

interface Wire {
  readonly varint: bigint
  readonly bytes: Buffer
  readonly isBytes: boolean
}

interface Read {
  readonly wire: Wire
  readonly before: Json | undefined
}

const readField = (shape: Shape, field: GoField, { wire, before }: Read): Json => {
  if (shape.type === 'map') {
    const known =
      before !== null && typeof before === 'object' && !Array.isArray(before) ? before : {}
    return { ...known, ...readEntry(shape.values, field, wire.bytes) }
  }
  if (shape.type === 'list') {
    const known = Array.isArray(before) ? before : []
    return [...known, ...readItems(shape.items, field, wire)]
  }
  return readValue(shape, field, wire)
}

const readEntry = (values: Shape, field: GoField, bytes: Buffer): JsonObject => {
  let key = ''
  let value: Json = ''
  for (const wire of new ByteReader(bytes).fields()) {
    if (wire.number === 1) key = wire.bytes.toString()
    if (wire.number === 2) value = readField(values, field, { wire, before: undefined })
  }
  return { [key]: value }
}

const readItems = (items: Shape, field: GoField, wire: Wire): Json[] => {
  const packed =
    items.type === 'scalar' && (items.of === 'integer' || items.of === 'boolean') && wire.isBytes
  if (!packed) return [readValue(items, field, wire)]
  return [...new ByteReader(wire.bytes).varints()].map((varint) => Number(varint))
}

const readValue = (shape: Shape, field: GoField, wire: Wire): Json => {
  if (shape.type === 'object') return readMessage(shape, shape.definition, wire.bytes)
  // `ExtraValue` and its like: a message around a list.
  if (shape.type === 'list')
    return [...new ByteReader(wire.bytes).fields()].map((one) => one.bytes.toString())
  if (shape.type === 'map') return {}
  switch (shape.of) {
    case 'integer':
      return Number(BigInt.asIntN(64, wire.varint))
    case 'boolean':
      return wire.varint !== 0n
    case 'int-or-string':
      return readIntOrString(wire.bytes)
    case 'quantity':
      return firstText(wire.bytes)
    case 'any':
      return JSON.parse(firstText(wire.bytes) || '{}')
    case 'number':
      throw notImplemented('floating-point numbers in protobuf')
    default:
      if (shape.isTime) return readTime(wire.bytes)
      return field.bytes ? wire.bytes.toString('base64') : wire.bytes.toString()
  }
}

const firstText = (bytes: Buffer): string => {
  for (const { number, bytes: text } of new ByteReader(bytes).fields())
    if (number === 1) return text.toString()
  return ''
}

const readIntOrString = (bytes: Buffer): Json => {
  let isText = false
  let number = 0
  let text = ''
  for (const wire of new ByteReader(bytes).fields()) {
    if (wire.number === 1) isText = wire.varint === 1n
    if (wire.number === 2) number = Number(BigInt.asIntN(32, wire.varint))
    if (wire.number === 3) text = wire.bytes.toString()
  }
  return isText ? text : number
}

/** Seconds and nanoseconds; an empty message is Go's zero time, which JSON writes as null. */
const readTime = (bytes: Buffer): Json => {
  let seconds = 0n
  let nanos = 0n
  for (const wire of new ByteReader(bytes).fields()) {
    if (wire.number === 1) seconds = BigInt.asIntN(64, wire.varint)
    if (wire.number === 2) nanos = wire.varint
  }
  if (bytes.length === 0) return null
  if (nanos === 0n) return timestamp(Number(seconds) * 1000)
  const micros = String(nanos / 1000n).padStart(6, '0')
  return timestamp(Number(seconds) * 1000).replace('Z', `.${micros}Z`)
}
