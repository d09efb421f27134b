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
  reorder(shape, result, { target, patch })
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

/**
 * Puts merged lists in upstream's order: the items that the patch names (in `$setElementOrder`, else in
 * the list itself) in the patch's order, and the others before one of them only if they were before it.
 */
const reorder = (shape: Shape, result: JsonObject, merge: Merge): void => {
  for (const [name, value] of Object.entries(merge.patch)) {
    const ordered = name.startsWith(orderPrefix)
    const key = ordered ? name.slice(orderPrefix.length) : name
    const [present, field] = [result[key], fieldOf(shape, key)]
    if (!Array.isArray(value) || !Array.isArray(present) || !field.merged) continue
    if (!ordered && `${orderPrefix}${key}` in merge.patch) continue
    const before = merge.target[key]
    result[key] = inOrder(present, {
      named: value,
      before: Array.isArray(before) ? before : [],
      mergeKey: field.mergeKey,
    })
  }
}

interface Merge {
  readonly target: JsonObject
  readonly patch: JsonObject
}

interface Ordering {
  readonly named: readonly Json[]
  readonly before: readonly Json[]
  readonly mergeKey: string | undefined
}

const inOrder = (items: readonly Json[], { named, before, mergeKey }: Ordering): Json[] => {
  const identity = (item: Json): Json =>
    mergeKey !== undefined && isObject(item) ? (item[mergeKey] ?? null) : item
  const [wanted, had] = [named.map(identity), before.map(identity)]
  const rank = (item: Json): number => wanted.indexOf(identity(item))
  const inPatch = items.filter((item) => rank(item) !== -1).sort((a, b) => rank(a) - rank(b))
  const others = items.filter((item) => rank(item) === -1)
  const result: Json[] = []
  for (const item of inPatch) {
    const place = had.indexOf(identity(item))
    while (others[0] !== undefined && had.indexOf(identity(others[0])) < place)
      result.push(...others.splice(0, 1))
    result.push(item)
  }
  return [...result, ...others]
}

const withoutDirectives = (patch: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(patch).filter(([key]) => !key.startsWith('$')))
