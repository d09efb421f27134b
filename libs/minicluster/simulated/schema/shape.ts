import { readFileSync } from 'node:fs'
import { type GoField, goField } from './go-fields.ts'
import { asText, isObject, type JsonObject } from '../object.ts'

/** What a field may hold, with what patches and server-side apply need to know of it. */
export type Shape = ScalarShape | ObjectShape | MapShape | ListShape

export interface ScalarShape {
  readonly type: 'scalar'
  readonly of: 'string' | 'integer' | 'number' | 'boolean' | 'int-or-string' | 'quantity' | 'any'
  /** A text that is an instant, and a message of its own on the protobuf wire. */
  readonly isTime?: boolean
}

export interface ObjectShape {
  readonly type: 'object'
  /** The Go type's name, for error messages. */
  readonly name: string
  readonly definition: string
  readonly fields: ReadonlyMap<string, FieldShape>
  readonly atomic: boolean
}

export interface FieldShape {
  readonly shape: Shape
  /** Sent even when empty: the Go field has no `omitempty`. */
  readonly kept: boolean
  /** A zero or false that was given is kept: the Go field is a pointer. */
  readonly pointer: boolean
  /** Strategic merge: the field that identifies an item, when lists are merged item by item. */
  readonly mergeKey: string | undefined
  readonly merged: boolean
  readonly retainKeys: boolean
}

export interface MapShape {
  readonly type: 'map'
  readonly values: Shape
  readonly atomic: boolean
}

export interface ListShape {
  readonly type: 'list'
  readonly items: Shape
  readonly listType: 'atomic' | 'set' | 'map'
  readonly keys: readonly string[]
}

const schemas: JsonObject = JSON.parse(
  readFileSync(new URL('kubernetes.json', import.meta.url), 'utf8'),
)
const shapes = new Map<string, Shape>()

/** Every definition as upstream publishes it, by name, for `/openapi/v3`. */
export const definitions = (): Readonly<JsonObject> => schemas

/** The shape of a definition, such as `io.k8s.api.core.v1.Service`. */
export const shapeOf = (name: string): Shape => {
  const known = shapes.get(name)
  if (known !== undefined) return known
  const schema = schemas[name]
  if (!isObject(schema)) throw new Error(`no schema is named ${name}`)
  const shape = readNamed(name, schema)
  shapes.set(name, shape)
  return shape
}

const readNamed = (name: string, schema: JsonObject): Shape => {
  if (name.endsWith('.Quantity')) return { type: 'scalar', of: 'quantity' }
  if (name.endsWith('.IntOrString')) return { type: 'scalar', of: 'int-or-string' }
  if (/\.(Micro)?Time$/.test(name)) return { type: 'scalar', of: 'string', isTime: true }
  const { properties } = schema
  if (!isObject(properties)) return read(schema)
  // Fields are read when first looked at, for definitions may contain themselves.
  let fields: ReadonlyMap<string, FieldShape> | undefined
  return {
    type: 'object',
    name: name.split('.').at(-1) ?? name,
    definition: name,
    atomic: schema['x-kubernetes-map-type'] === 'atomic',
    get fields() {
      fields ??= new Map(
        Object.entries(properties).map(([key, value]) => [
          key,
          readField(isObject(value) ? value : {}, goField(name, key)),
        ]),
      )
      return fields
    },
  }
}

const readField = (schema: JsonObject, go: GoField | undefined): FieldShape => {
  const strategies = asText(schema['x-kubernetes-patch-strategy']).split(',')
  const mergeKey = schema['x-kubernetes-patch-merge-key']
  return {
    shape: read(schema),
    kept: go?.kept ?? false,
    pointer: go?.pointer ?? true,
    mergeKey: typeof mergeKey === 'string' ? mergeKey : undefined,
    merged: strategies.includes('merge'),
    retainKeys: strategies.includes('retainKeys'),
  }
}

const referenceIn = (schema: JsonObject): string | undefined => {
  const all = schema['allOf']
  const holder = Array.isArray(all) && isObject(all[0]) ? all[0] : schema
  const reference = holder['$ref']
  return typeof reference === 'string' ? reference.split('/').at(-1) : undefined
}

const scalars: Readonly<Record<string, ScalarShape>> = {
  string: { type: 'scalar', of: 'string' },
  integer: { type: 'scalar', of: 'integer' },
  number: { type: 'scalar', of: 'number' },
  boolean: { type: 'scalar', of: 'boolean' },
}
const anything: ScalarShape = { type: 'scalar', of: 'any' }

const read = (schema: JsonObject): Shape => {
  const reference = referenceIn(schema)
  if (reference !== undefined) return shapeOf(reference)
  const { type } = schema
  if (type === 'array') return readList(schema)
  if (type === 'object') {
    const values = schema['additionalProperties']
    if (!isObject(values)) return anything
    return {
      type: 'map',
      values: read(values),
      atomic: schema['x-kubernetes-map-type'] === 'atomic',
    }
  }
  return scalars[asText(type)] ?? anything
}

const readList = (schema: JsonObject): ListShape => {
  const { items } = schema
  const keys = schema['x-kubernetes-list-map-keys']
  const listType = schema['x-kubernetes-list-type']
  return {
    type: 'list',
    items: isObject(items) ? read(items) : anything,
    listType: listType === 'map' || listType === 'set' ? listType : 'atomic',
    keys: Array.isArray(keys) ? keys.map(asText) : [],
  }
}
