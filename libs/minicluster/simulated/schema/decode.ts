import { badRequest } from '../api-error.ts'
import { isObject, type Json, type JsonObject } from '../object.ts'
import type { FieldShape, ListShape, ObjectShape, ScalarShape, Shape } from './shape.ts'

/** What decoding left out. */
export interface Unknown {
  /** Paths of fields that the kind does not have, such as `spec.prots`. */
  readonly fields: string[]
}

/**
 * A fresh copy of `value` as the real API server would decode and encode it: unknown fields are left
 * out and reported, nulls and empty optional fields vanish, a value of the wrong type is refused.
 *
 * @param what for the error text, such as `Service in version "v1" cannot be handled as a Service`
 */
export const decode = (what: string, shape: Shape, value: Json, unknown: Unknown): JsonObject => {
  const decoded = new Decoder(what, unknown).read(shape, value, '')
  return isObject(decoded) ? decoded : {}
}

class Decoder {
  readonly #what: string
  readonly #unknown: Unknown
  /** The Go struct around the field at hand, as its errors name it. */
  #struct = ''

  constructor(what: string, unknown: Unknown) {
    this.#what = what
    this.#unknown = unknown
  }

  read(shape: Shape, value: Json, path: string): Json | undefined {
    if (value === null) return undefined
    switch (shape.type) {
      case 'scalar':
        return this.#scalar(shape, value, path)
      case 'object':
        return this.#object(shape, value, path)
      case 'list':
        return this.#list(shape, value, path)
      default:
        return this.#map(shape.values, value, path)
    }
  }

  #object(shape: ObjectShape, value: Json, path: string): Json {
    if (!isObject(value)) throw this.#mismatch(value, path, shape.name)
    const result: JsonObject = {}
    for (const [key, inner] of Object.entries(value)) {
      const field = shape.fields.get(key)
      const place = path === '' ? key : `${path}.${key}`
      if (field === undefined) {
        this.#unknown.fields.push(place)
        continue
      }
      this.#struct = shape.name
      const decoded = inner === undefined ? undefined : this.read(field.shape, inner, place)
      if (decoded === undefined || isOmitted(field, decoded)) continue
      result[key] = decoded
    }
    return result
  }

  #list(shape: ListShape, value: Json, path: string): Json {
    if (!Array.isArray(value)) throw this.#mismatch(value, path, `[]${goName(shape.items)}`)
    return value.map((item, index) => {
      const place = `${path}[${index}]`
      return this.read(shape.items, item, place) ?? (shape.items.type === 'scalar' ? '' : {})
    })
  }

  #map(values: Shape, value: Json, path: string): Json {
    if (!isObject(value)) throw this.#mismatch(value, path, `map[string]${goName(values)}`)
    const result: JsonObject = {}
    for (const [key, inner] of Object.entries(value)) {
      if (inner === undefined) continue
      result[key] = this.read(values, inner, `${path}.${key}`) ?? ''
    }
    return result
  }

  #scalar(shape: ScalarShape, value: Json, path: string): Json {
    switch (shape.of) {
      case 'any':
        return structuredClone(value)
      case 'int-or-string':
        if (typeof value === 'string' || Number.isInteger(value)) return value
        break
      case 'quantity':
        if (typeof value === 'string' || typeof value === 'number') return String(value)
        break
      case 'integer':
        if (Number.isInteger(value)) return value
        break
      default:
        if (typeof value === shape.of) return value
    }
    throw this.#mismatch(value, path, goName(shape))
  }

  #mismatch(value: Json, path: string, expected: string): Error {
    const given = Array.isArray(value)
      ? 'array'
      : typeof value === 'boolean'
        ? 'bool'
        : typeof value
    return badRequest(
      `${this.#what}: json: cannot unmarshal ${given} into Go struct field ` +
        `${this.#struct}.${path.replaceAll(/\[\d+\]/g, '')} of type ${expected}`,
    )
  }
}

/** What Go leaves out when encoding: empty values of fields with `omitempty`. */
const isOmitted = (field: FieldShape, value: Json): boolean => {
  if (field.kept) return false
  if (Array.isArray(value)) return value.length === 0
  return !field.pointer && (value === '' || value === 0 || value === false)
}

const goName = (shape: Shape): string => {
  switch (shape.type) {
    case 'object':
      return shape.name
    case 'list':
      return `[]${goName(shape.items)}`
    case 'map':
      return `map[string]${goName(shape.values)}`
    default:
      return goNames[shape.of] ?? 'string'
  }
}

const goNames: Readonly<Record<string, string>> = {
  integer: 'int32',
  number: 'float64',
  boolean: 'bool',
}
