/** JSON whose shape nobody has looked at yet. */
export type Json = null | boolean | number | string | Json[] | JsonObject

export interface JsonObject {
  [key: string]: Json | undefined
}

export type OwnerReference = {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

export type ManagedFields = {
  manager?: string
  operation?: string
  apiVersion?: string
  time?: string
  fieldsType?: string
  fieldsV1?: JsonObject
  subresource?: string
}

export type ObjectMeta = {
  name: string
  generateName?: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: { [key: string]: string }
  annotations?: { [key: string]: string }
  finalizers?: string[]
  ownerReferences?: OwnerReference[]
  managedFields?: ManagedFields[]
}

/**
 * An object of any kind after decoding. What the store holds is never changed in place: a write makes
 * a new object.
 */
export type KubeObject = JsonObject & {
  kind: string
  apiVersion: string
  metadata: ObjectMeta
}

export const isObject = (value: unknown): value is JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** The value at a path of field names; undefined when any part is missing. */
export const at = (value: Json | undefined, ...path: readonly string[]): Json | undefined => {
  let found = value
  for (const name of path) {
    if (!isObject(found)) return undefined
    found = found[name]
  }
  return found
}

/** The text at a path, or the empty string, as Go would have it. */
export const textAt = (value: Json | undefined, ...path: readonly string[]): string => {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : ''
}

/** A scalar as text; anything else as JSON. */
export const asText = (value: Json | undefined): string =>
  typeof value === 'string' ? value : JSON.stringify(value ?? '')

export const listAt = (value: Json | undefined, ...path: readonly string[]): Json[] => {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

/** A deep copy that may be changed. */
export const copyOf = <T extends Json>(value: T): T => structuredClone(value)

/** Deep equality of JSON, the order of fields aside; an undefined field equals a missing one. */
export const sameJson = (a: Json | undefined, b: Json | undefined): boolean => {
  if (a === b) return true
  if (Array.isArray(a)) {
    return (
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => sameJson(item, b[index]))
    )
  }
  if (!isObject(a) || !isObject(b)) return false
  for (const key of Object.keys(a)) if (!sameJson(a[key], b[key])) return false
  for (const key of Object.keys(b)) if (b[key] !== undefined && a[key] === undefined) return false
  return true
}

/** The instant as Kubernetes writes it, to the second. */
export const timestamp = (millis: number): string =>
  `${new Date(millis).toISOString().slice(0, 19)}Z`
