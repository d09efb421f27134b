import { ApiError, type Cause } from '../api-error.ts'
import { isObject, type Json, type JsonObject, type KubeObject, sameJson } from '../object.ts'
import type { ListShape, Shape } from '../schema/shape.ts'

// Server-side apply. Ownership is kept for appliers alone: who applied which field. So a field goes
// when its last applier leaves it out, and two appliers conflict; a plain update takes nothing from
// anyone, which is where this is laxer than the real API server.

/** One field that the applier would take from another. */
interface Taken {
  readonly manager: string
  readonly path: string
}

/** A set of fields as `fieldsV1` writes it: `f:name`, `k:{"key":"value"}`, `v:"value"`, `.`. */
type FieldSet = JsonObject

export interface ApplyOptions {
  readonly manager: string
  readonly force: boolean
  readonly now: string
  readonly apiVersion: string
}

/** The live object with the applied configuration merged in, and the ownership that follows. */
export const applyConfiguration = (
  shape: Shape,
  live: KubeObject | undefined,
  applied: JsonObject,
  options: ApplyOptions,
): JsonObject => {
  const bare = withoutIdentity(applied)
  const fields = fieldsOf(shape, bare)
  const entries = (live?.metadata.managedFields ?? []).filter((one) => one.operation === 'Apply')
  const mine = entries.find((one) => one.manager === options.manager)
  const others = entries.filter((one) => one !== mine)
  const taken = others.flatMap((one) =>
    overlaps({ shape, live: live ?? {}, applied: bare }, fields, one.fieldsV1 ?? {}).map(
      (path) => ({
        manager: one.manager ?? '',
        path,
      }),
    ),
  )
  if (taken.length > 0 && !options.force) throw conflictWith(taken)
  const dropped = subtract(mine?.fieldsV1 ?? {}, [fields, ...others.map((o) => o.fieldsV1 ?? {})])
  const base: Json = live === undefined ? {} : removeFields(shape, live, dropped)
  const merged = mergeApplied(shape, base, bare)
  const result = isObject(merged) ? merged : {}
  const losers = options.force
    ? others.map((one) => ({ ...one, fieldsV1: subtract(one.fieldsV1 ?? {}, [fields]) }))
    : others
  const metadata = isObject(result['metadata']) ? result['metadata'] : {}
  const entry = {
    manager: options.manager,
    operation: 'Apply',
    apiVersion: options.apiVersion,
    time: sameJson(mine?.fieldsV1, fields) ? (mine?.time ?? options.now) : options.now,
    fieldsType: 'FieldsV1',
    fieldsV1: fields,
  }
  const kept = losers.filter((one) => Object.keys(one.fieldsV1 ?? {}).length > 0)
  return { ...result, metadata: { ...metadata, managedFields: [...kept, entry] } }
}

/** What names the object is nobody's field. */
const withoutIdentity = (applied: JsonObject): JsonObject => {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = applied
  if (!isObject(metadata)) return rest
  const {
    name: _n,
    namespace: _ns,
    uid: _u,
    resourceVersion: _rv,
    managedFields: _m,
    ...own
  } = metadata
  return Object.keys(own).length === 0 ? rest : { ...rest, metadata: own }
}

const childShape = (shape: Shape, key: string): Shape => {
  if (shape.type === 'object') return shape.fields.get(key)?.shape ?? anything
  return shape.type === 'map' ? shape.values : anything
}

const anything: Shape = { type: 'scalar', of: 'any' }

const isAtomic = (shape: Shape): boolean =>
  shape.type === 'scalar' || (shape.type === 'list' ? shape.listType === 'atomic' : shape.atomic)

/** The identity of an item of a `map` or `set` list, as `fieldsV1` writes it. */
const identityOf = (shape: ListShape, item: Json): string => {
  if (shape.listType === 'set' || !isObject(item)) return `v:${JSON.stringify(item)}`
  const keys = shape.keys.map((key) => [key, item[key] ?? defaultKeys[key]])
  return `k:${JSON.stringify(Object.fromEntries(keys))}`
}

/** Keys of list items that the API defaults. */
const defaultKeys: Readonly<Record<string, Json>> = { protocol: 'TCP' }

const fieldsOf = (shape: Shape, value: Json): FieldSet => {
  if (isAtomic(shape)) return {}
  if (shape.type === 'list') {
    if (!Array.isArray(value)) return {}
    return Object.fromEntries(
      value.map((item) => [identityOf(shape, item), { '.': {}, ...fieldsOf(shape.items, item) }]),
    )
  }
  if (!isObject(value)) return {}
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      `f:${key}`,
      fieldsOf(childShape(shape, key), inner ?? null),
    ]),
  )
}

const isLeaf = (set: Json | undefined): boolean =>
  !isObject(set) || Object.keys(set).filter((key) => key !== '.').length === 0

interface Compared {
  readonly shape: Shape
  readonly live: Json
  readonly applied: Json
}

const step = ({ shape, live, applied }: Compared, key: string): Compared => {
  if (key.startsWith('f:')) {
    const name = key.slice(2)
    const inner = (value: Json): Json => (isObject(value) ? (value[name] ?? null) : null)
    return { shape: childShape(shape, name), live: inner(live), applied: inner(applied) }
  }
  if (shape.type !== 'list') return { shape: anything, live: null, applied: null }
  const item = (value: Json): Json =>
    (Array.isArray(value) ? value.find((one) => identityOf(shape, one) === key) : undefined) ?? null
  return { shape: shape.items, live: item(live), applied: item(applied) }
}

/** Paths that both own and that the applier would give another value. */
const overlaps = (at: Compared, mine: FieldSet, theirs: FieldSet, path = ''): string[] =>
  Object.keys(mine).flatMap((key) => {
    if (key === '.' || !(key in theirs)) return []
    const next = step(at, key)
    const place = key.startsWith('f:') ? `${path}.${key.slice(2)}` : `${path}[${key.slice(2)}]`
    const [a, b] = [mine[key], theirs[key]]
    if (isLeaf(a) || isLeaf(b)) return sameJson(next.live, next.applied) ? [] : [place]
    return isObject(a) && isObject(b) ? overlaps(next, a, b, place) : []
  })

/** The fields of `set` that none of `others` has. */
const subtract = (set: FieldSet, others: readonly FieldSet[]): FieldSet => {
  const result: FieldSet = {}
  for (const [key, inner] of Object.entries(set)) {
    const found = others.map((other) => other[key]).filter((one) => one !== undefined)
    if (found.length === 0) {
      result[key] = inner
      continue
    }
    if (isLeaf(inner)) continue
    const rest = subtract(isObject(inner) ? inner : {}, found.filter(isObject))
    delete rest['.']
    if (Object.keys(rest).length > 0) result[key] = rest
  }
  return result
}

const removeFields = (shape: Shape, value: Json, dropped: FieldSet): Json => {
  if (Array.isArray(value) && shape.type === 'list')
    return value.flatMap((item) => {
      const inner = dropped[identityOf(shape, item)]
      if (inner === undefined) return [item]
      const whole = isObject(inner) && '.' in inner
      return whole ? [] : [removeFields(shape.items, item, isObject(inner) ? inner : {})]
    })
  if (!isObject(value)) return value
  const result: JsonObject = { ...value }
  for (const [key, inner] of Object.entries(dropped)) {
    const name = key.slice(2)
    const present = result[name]
    if (isLeaf(inner)) delete result[name]
    else if (present !== undefined && isObject(inner))
      result[name] = removeFields(childShape(shape, name), present, inner)
  }
  return result
}

const mergeApplied = (shape: Shape, live: Json, applied: Json): Json => {
  if (isAtomic(shape)) return applied
  if (shape.type === 'list') return mergeLists(shape, live, applied)
  if (!isObject(applied)) return applied
  const result: JsonObject = isObject(live) ? { ...live } : {}
  for (const [key, inner] of Object.entries(applied))
    if (inner !== undefined)
      result[key] = mergeApplied(childShape(shape, key), result[key] ?? null, inner)
  return result
}

const mergeLists = (shape: ListShape, live: Json, applied: Json): Json => {
  if (!Array.isArray(applied)) return applied
  const present = Array.isArray(live) ? live : []
  const byIdentity = new Map(present.map((item) => [identityOf(shape, item), item]))
  const given = new Set(applied.map((item) => identityOf(shape, item)))
  const merged = applied.map((item) =>
    mergeApplied(shape.items, byIdentity.get(identityOf(shape, item)) ?? null, item),
  )
  return [...merged, ...present.filter((item) => !given.has(identityOf(shape, item)))]
}

const conflictWith = (taken: readonly Taken[]): ApiError => {
  const causes: Cause[] = taken.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with "${manager}"`,
    field: path,
  }))
  const lines = taken.map(({ manager, path }) => `conflict with "${manager}": ${path}`)
  const count = taken.length === 1 ? '1 conflict' : `${taken.length} conflicts`
  return new ApiError(`Apply failed with ${count}: ${lines.join('\n')}`, {
    code: 409,
    reason: 'Conflict',
    details: { causes },
  })
}
