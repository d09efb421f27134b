import { badRequest, notImplemented, notFound, unsupportedMediaType } from '../api-error.ts'
import type { Cluster } from '../cluster.ts'
import {
  asText,
  isObject,
  type Json,
  type JsonObject,
  type KubeObject,
  timestamp,
} from '../object.ts'
import { applyConfiguration } from '../patch/apply.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { mergePatch } from '../patch/merge.ts'
import { strategicMerge } from '../patch/strategic.ts'
import type { ResourceType } from '../resources/resource.ts'
import { decode } from '../schema/decode.ts'
import { shapeOf } from '../schema/shape.ts'
import type { Stored } from '../storage/table.ts'
import { decodeObject, type FieldValidation, inVersion } from '../write/decode-object.ts'
import { readRemoveOptions, remove, type Removed } from '../write/remove.ts'
import { create, find, keyAt, type Place, update, type WriteOptions } from '../write/write.ts'
import { type Exchange, mediaType, parseJson, parseYamlText, sendJson, warn } from './exchange.ts'
import { readBody, readJson } from './exchange.ts'
import { readSelection, sendStored } from './read.ts'

type Part = NonNullable<WriteOptions['part']>

export const readWriteOptions = (query: URLSearchParams, part?: Part): WriteOptions => {
  const dryRun = query.getAll('dryRun')
  if (dryRun.some((one) => one !== 'All' && one !== ''))
    throw badRequest('dryRun: Unsupported value: supported values: "All"')
  return { dryRun: dryRun.includes('All'), ...(part === undefined ? {} : { part }) }
}

/** Unset means Warn, as in every API server of late. */
const readValidation = (query: URLSearchParams): FieldValidation => {
  const given = query.get('fieldValidation')
  return given === 'Strict' || given === 'Ignore' ? given : 'Warn'
}

export const answerCreate = async (
  cluster: Cluster,
  exchange: Exchange,
  place: Omit<Place, 'name'>,
): Promise<void> => {
  const { resource } = place
  const body = await readJson(exchange.request, resource.definition)
  const decoded = decodeObject(resource, body, readValidation(exchange.query))
  warn(exchange, decoded.warnings)
  delete decoded.object.metadata.managedFields
  const stored = create(cluster, place, decoded.object, readWriteOptions(exchange.query))
  sendStored(cluster, exchange, { resource, stored, code: 201 })
}

export const answerUpdate = async (
  cluster: Cluster,
  exchange: Exchange,
  { place, part }: { readonly place: Place; readonly part?: Part },
): Promise<void> => {
  const { resource } = place
  const body = await readJson(exchange.request, resource.definition)
  const decoded = decodeObject(resource, body, readValidation(exchange.query))
  warn(exchange, decoded.warnings)
  const options = readWriteOptions(exchange.query, part)
  const missing = cluster.table(resource).get(keyAt(place)) === undefined
  if (missing && resource.createsOnUpdate && part === undefined) {
    const stored = create(cluster, place, decoded.object, options)
    return sendStored(cluster, exchange, { resource, stored, code: 201 })
  }
  const stored = update(cluster, place, decoded.object, options)
  sendStored(cluster, exchange, { resource, stored, code: 200 })
}

const applyTypes = ['application/apply-patch+yaml', 'application/apply-patch+cbor']
export const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
]

/** A patch of an object given as JSON, by media type; for objects and for the scale of one. */
export const patchJson = (resourceShape: string, type: string, patch: PatchInput): Json => {
  const { target, body } = patch
  switch (type) {
    case 'application/json-patch+json':
      return applyJsonPatch(target, parseJson(body))
    case 'application/merge-patch+json':
      return mergePatch(target, parseJson(body))
    case 'application/strategic-merge-patch+json': {
      const parsed = parseJson(body)
      if (!isObject(parsed)) throw badRequest('a strategic merge patch must be an object')
      return strategicMerge(shapeOf(resourceShape), target, parsed)
    }
    default:
      throw unsupportedMediaType(type, patchTypes)
  }
}

export interface PatchInput {
  readonly target: JsonObject
  readonly body: string
}

export const answerPatch = async (
  cluster: Cluster,
  exchange: Exchange,
  { place, part }: { readonly place: Place; readonly part?: Part },
): Promise<void> => {
  const body = (await readBody(exchange.request)).toString()
  const type = mediaType(exchange.request)
  const request: PatchRequest = { place, body, options: readWriteOptions(exchange.query, part) }
  const { stored, created } = applyTypes.includes(type)
    ? applyPatch(cluster, exchange, request)
    : plainPatch(cluster, exchange, request)
  sendStored(cluster, exchange, { resource: place.resource, stored, code: created ? 201 : 200 })
}

interface PatchRequest {
  readonly place: Place
  readonly body: string
  readonly options: WriteOptions
}

interface Patched {
  readonly stored: Stored
  readonly created: boolean
}

const plainPatch = (cluster: Cluster, exchange: Exchange, request: PatchRequest): Patched => {
  const { place, body, options } = request
  const { resource } = place
  const { object } = find(cluster, place)
  const input = { target: inVersion(resource, object), body }
  const patched = patchJson(resource.definition, mediaType(exchange.request), input)
  const decoded = decodeObject(resource, patched, readValidation(exchange.query))
  warn(exchange, decoded.warnings)
  return { stored: update(cluster, place, decoded.object, options), created: false }
}

/** Server-side apply, which also makes what is not there. */
const applyPatch = (cluster: Cluster, exchange: Exchange, request: PatchRequest): Patched => {
  const { place, body, options } = request
  const { resource } = place
  const { query } = exchange
  const manager = query.get('fieldManager') ?? ''
  if (manager === '')
    throw badRequest('PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value')
  const applied = readApplied(resource, body, readValidation(query))
  refuseOtherName(applied, place)
  const live = cluster.table(resource).get(keyAt(place))?.object
  if (live === undefined && options.part !== undefined) throw notFound(resource, place.name)
  const merged = applyConfiguration(shapeOf(resource.definition), live, applied, {
    manager,
    force: query.get('force') === 'true',
    now: timestamp(cluster.clock.now()),
    apiVersion: resource.apiVersion,
  })
  const whole = { ...merged, kind: resource.kind, apiVersion: resource.apiVersion }
  const { object } = decodeObject(resource, whole, 'Ignore')
  object.metadata.name = place.name
  if (live !== undefined) return { stored: update(cluster, place, object, options), created: false }
  return { stored: create(cluster, place, object, options), created: true }
}

/** What the applier wrote, checked but with no defaults: they are not the applier's. */
const readApplied = (
  resource: ResourceType,
  body: string,
  validation: FieldValidation,
): JsonObject => {
  if (resource.convert !== undefined)
    throw notImplemented(`server-side apply of ${resource.apiVersion} ${resource.kind}`)
  const parsed = parseYamlText(body)
  if (!isObject(parsed)) throw badRequest('an applied configuration must be an object')
  const what = `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}`
  const unknown = { fields: [] }
  const applied = decode(what, shapeOf(resource.definition), parsed, unknown)
  if (validation === 'Strict' && unknown.fields.length > 0)
    throw badRequest(
      `${what}: strict decoding error: ` +
        unknown.fields.map((field: string) => `unknown field "${field}"`).join(', '),
    )
  return applied
}

const refuseOtherName = (applied: JsonObject, place: Place): void => {
  const metadata = isObject(applied['metadata']) ? applied['metadata'] : {}
  if (metadata['managedFields'] !== undefined)
    throw badRequest('metadata.managedFields must be nil')
  const { name } = metadata
  if (name !== undefined && name !== place.name)
    throw badRequest(
      `the name of the object (${asText(name)}) does not match the name on the URL (${place.name})`,
    )
}

const deleteOptions = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions'

const readDeleteOptions = ({ request }: Exchange): Promise<Json> => readJson(request, deleteOptions)

export const answerRemove = async (
  cluster: Cluster,
  exchange: Exchange,
  place: Place,
): Promise<void> => {
  const options = readRemoveOptions(await readDeleteOptions(exchange), exchange.query)
  const removed = remove(cluster, place, options)
  const { resource } = place
  if (!removed.gone || resource.returnsDeleted)
    return sendStored(cluster, exchange, { resource, stored: removed.stored, code: 200 })
  sendJson(exchange, 200, successOf(resource, removed))
}

const successOf = (resource: ResourceType, { stored }: Removed): JsonObject => {
  const { name, uid } = stored.object.metadata
  const group = resource.group === '' ? {} : { group: resource.group }
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...group, kind: resource.plural, uid },
  }
}

/** DELETE of a collection: every object that the selectors match, each by itself. */
export const answerRemoveAll = async (
  cluster: Cluster,
  exchange: Exchange,
  { resource, namespace }: Omit<Place, 'name'>,
): Promise<void> => {
  const options = readRemoveOptions(await readDeleteOptions(exchange), exchange.query)
  const selection = readSelection(resource, namespace, exchange.query)
  const chosen: KubeObject[] = cluster
    .table(resource)
    .all()
    .map((one) => one.object)
    .filter(selection.matches)
  for (const object of chosen) {
    const place = { resource, namespace: object.metadata.namespace, name: object.metadata.name }
    remove(cluster, place, options)
  }
  sendJson(exchange, 200, {
    kind: `${resource.kind}List`,
    apiVersion: resource.apiVersion,
    metadata: { resourceVersion: String(cluster.store.revision) },
    items: chosen.map((object) => inVersion(resource, object)),
  })
}
