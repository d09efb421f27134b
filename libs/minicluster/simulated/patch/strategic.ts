import { badRequest } from '../api-error.ts'
import { isObject, type Json, type JsonObject, sameJson } from '../object.ts'
import type { FieldShape, Shape } from '../schema/shape.ts'

/**
 * Strategic merge, as Kubernetes defines it: like RFC 7386, but lists whose schema names a merge key
 * are merged item by item, and directives (`$patch`, `$retainKeys`, `$setElementOrder/x`,
 * `$deleteFromPrimitiveList/x`) say what plain JSON cannot.
 */
export const strategicMerge = (shape: Shape, target: JsonObject, patch: JsonObject): JsonObject => {
  const directive = patch['$patch']
  if (directive === 'replace') return withoutDirectives(patch)
  if (directive === 'delete') return {}
  const result = retained(target, patch)
  for (const [key, value] of Object.entries(patch)) {
    if (value === undefined || key.startsWith('$')) continue
    if (value === null) delete result[key]
    else result[key] = mergeField(fieldOf(shape, key), result[key], value)
  }
  removePrimitives(result, patch)
  reorder(shape, result, patch)
  return result
}

const anyField: FieldShape = {
  shape: { type: 'scalar', of: 'any' },
  kept: false,
  pointer: true,
  mergeKey: undefined,
  merged: false,
  retainKeys: false,
}

const fieldOf = (shape: Shape, key: string): FieldShape => {
  if (shape.type === 'object') return shape.fields.get(key) ?? anyField
  if (shape.type === 'map') return { ...anyField, shape: shape.values }
  return anyField
}

/** With `$retainKeys`, only the fields it names survive. */
const retained = (target: JsonObject, patch: JsonObject): JsonObject => {
  const keys = patch['$retainKeys']
  if (!Array.isArray(keys)) return { ...target }
  return Object.fromEntries(Object.entries(target).filter(([key]) => keys.includes(key)))
}

const mergeField = (field: FieldShape, target: Json | undefined, patch: Json): Json => {
  if (isObject(patch)) return strategicMerge(field.shape, isObject(target) ? target : {}, patch)
  if (!Array.isArray(patch) || !field.merged || field.shape.type !== 'list') return patch
  const present = Array.isArray(target) ? target : []
  if (field.mergeKey === undefined) return mergePrimitives(present, patch)
  return mergeItems(field.shape.items, present, { key: field.mergeKey, patch })
}

const mergePrimitives = (present: readonly Json[], patch: readonly Json[]): Json[] => {
  const added = patch.filter((item) => !present.some((one) => sameJson(one, item)))
  return [...present, ...new Set(added)]
}

interface ItemPatch {
  readonly key: string
  readonly patch: readonly Json[]
}

const mergeItems = (shape: Shape, present: readonly Json[], { key, patch }: ItemPatch): Json[] => {
  const replaces = patch.some((item) => isObject(item) && item['$patch'] === 'replace')
  let result: Json[] = replaces ? [] : [...present]
  for (const item of patch) {
    if (!isObject(item)) throw badRequest(`expected a map in a list merged by ${key}`)
    if (item['$patch'] === 'replace' && Object.keys(item).length === 1) continue
    const identity = item[key]
    if (identity === undefined)
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`)
    const isSame = (one: Json): boolean => isObject(one) && one[key] === identity
    if (item['$patch'] === 'delete') {
      result = result.filter((one) => !isSame(one))
      continue
    }
    const index = result.findIndex(isSame)
    const target = result[index]
    if (isObject(target)) result[index] = strategicMerge(shape, target, item)
    else result.push(strategicMerge(shape, {}, item))
  }
  return result
}

const removePrefix = '$deleteFromPrimitiveList/'
const orderPrefix = '$setElementOrder/'

const removePrimitives = (result: JsonObject, patch: JsonObject): void => {
  for (const [name, values] of Object.entries(patch)) {
    if (!name.startsWith(removePrefix) || !Array.isArray(values)) continue
    const key = name.slice(removePrefix.length)
    const present = result[key]
    if (Array.isArray(present)) result[key] = present.filter((item) => !values.includes(item))
  }
}

/** Items named in `$setElementOrder` stand in that order; the others keep their place behind. */
const reorder = (shape: Shape, result: JsonObject, patch: JsonObject): void => {
  for (const [name, order] of Object.entries(patch)) {
    if (!name.startsWith(orderPrefix) || !Array.isArray(order)) continue
    const key = name.slice(orderPrefix.length)
    const present = result[key]
    if (!Array.isArray(present)) continue
    const { mergeKey } = fieldOf(shape, key)
    const identity = (item: Json | undefined): Json | undefined =>
      mergeKey !== undefined && isObject(item) ? item[mergeKey] : item
    const wanted = order.map(identity)
    const rank = (item: Json): number => {
      const index = wanted.indexOf(identity(item) ?? null)
      return index === -1 ? wanted.length : index
    }
    result[key] = [...present].sort((a, b) => rank(a) - rank(b))
  }
}

const withoutDirectives = (patch: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(patch).filter(([key]) => !key.startsWith('$')))
