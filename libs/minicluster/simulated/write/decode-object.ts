import { ApiError, badRequest } from '../api-error.ts'
import { asText, isObject, type Json, type JsonObject, type KubeObject } from '../object.ts'
import type { ResourceType } from '../resources/resource.ts'
import { decode, type Unknown } from '../schema/decode.ts'
import { shapeOf } from '../schema/shape.ts'

/** How unknown fields are met: refused, told in a warning, or dropped in silence. */
export type FieldValidation = 'Strict' | 'Warn' | 'Ignore'

export interface Decoded {
  readonly object: KubeObject
  readonly warnings: readonly string[]
}

/**
 * An object of the resource's kind from a client's JSON, in the stored version: checked against the
 * schema and filled with the kind's defaults.
 */
export const decodeObject = (
  resource: ResourceType,
  body: Json,
  validation: FieldValidation,
): Decoded => {
  const { kind, apiVersion } = resource
  if (!isObject(body)) throw badRequest('the request body is not an object')
  const given = { kind: asText(body['kind'] ?? kind), apiVersion: body['apiVersion'] ?? apiVersion }
  if (given.apiVersion !== apiVersion || given.kind !== kind) {
    const version = asText(given.apiVersion).split('/').at(-1) ?? ''
    const why =
      given.kind === kind
        ? `no kind "${kind}" is registered for version "${asText(given.apiVersion)}"`
        : `converting (${version}.${given.kind}) to (${kind}): unknown conversion`
    throw badRequest(`${given.kind} in version "${version}" cannot be handled as a ${kind}: ${why}`)
  }
  const what = `${kind} in version "${resource.version}" cannot be handled as a ${kind}`
  const unknown: Unknown = { fields: [] }
  const decoded = decode(what, shapeOf(resource.definition), body, unknown)
  const warnings = unknown.fields.map((field) => `unknown field "${field}"`)
  if (validation === 'Strict' && warnings.length > 0)
    throw badRequest(`${what}: strict decoding error: ${warnings.join(', ')}`)
  return {
    object: initialiseObject(resource, decoded),
    warnings: validation === 'Warn' ? warnings : [],
  }
}

/** Brings decoded JSON into the stored version and fills in the defaults. */
const initialiseObject = (resource: ResourceType, decoded: JsonObject): KubeObject => {
  const converted = resource.convert?.toStored(decoded) ?? decoded
  const { metadata: given, ...rest } = converted
  const metadata = isObject(given) ? given : {}
  const object = {
    ...rest,
    kind: resource.kind,
    apiVersion: resource.convert === undefined ? resource.apiVersion : 'v1',
    metadata: { ...metadata, name: typeof metadata['name'] === 'string' ? metadata['name'] : '' },
  } as KubeObject
  if (!resource.namespaced) delete object.metadata.namespace
  resource.strategy.initialise?.(object)
  return object
}

/** The stored object as a client of this resource's version sees it. */
export const inVersion = (resource: ResourceType, object: KubeObject): JsonObject =>
  resource.convert?.fromStored(object) ?? object

export const isApiError = (error: unknown): error is ApiError => error instanceof ApiError
