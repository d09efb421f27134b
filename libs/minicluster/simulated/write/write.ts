import {
  alreadyExists,
  ApiError,
  badRequest,
  type Cause,
  conflict,
  forbidden,
  invalid,
  notFound,
  wasModified,
} from '../api-error.ts'
import type { Cluster } from '../cluster.ts'
import { type KubeObject, listAt, sameJson } from '../object.ts'
import type { ResourceType } from '../resources/resource.ts'
import { keyOf } from '../storage/store.ts'
import type { Stored } from '../storage/table.ts'
import { carryOver, countGeneration, stampNew, validateMetadata } from './metadata.ts'

export interface WriteOptions {
  /** Everything but the write itself. */
  readonly dryRun: boolean
  /** Which part of the object this write is about. */
  readonly part?: 'status' | 'finalize' | 'binding'
}

/** Where an object lies: its resource, its namespace when it has one, and its name. */
export interface Place {
  readonly resource: ResourceType
  readonly namespace: string | undefined
  readonly name: string
}

export const keyAt = (place: Pick<Place, 'namespace' | 'name'>): string =>
  place.namespace === undefined ? place.name : `${place.namespace}/${place.name}`

/** The stored object; throws 404. */
export const find = (cluster: Cluster, place: Place): Stored => {
  const stored = cluster.table(place.resource).get(keyAt(place))
  if (stored === undefined) throw notFound(place.resource, place.name)
  return stored
}

/** Makes an object of `draft`, which is changed in place. */
export const create = (
  cluster: Cluster,
  place: Omit<Place, 'name'>,
  draft: KubeObject,
  options: WriteOptions,
): Stored => {
  const { resource, namespace } = place
  const { strategy } = resource
  settleNamespace(draft, namespace)
  stampNew(cluster, resource, draft)
  if (namespace !== undefined) refuseWithoutNamespace(cluster, resource, draft)
  const key = keyOf(draft)
  const table = cluster.table(resource)
  // The real one finds out at its store, after allocating and validating; the answer is the same.
  if (table.get(key) !== undefined) throw alreadyExists(resource, draft.metadata.name)
  strategy.allocate?.(draft, undefined)
  strategy.prepareForCreate?.(draft)
  refuseInvalid(resource, draft, [
    ...validateMetadata(resource, draft, undefined),
    ...(strategy.validate?.(draft, undefined) ?? []),
  ])
  return options.dryRun ? unstored(key, draft) : cluster.store.put(table, draft)
}

const unstored = (key: string, object: KubeObject): Stored => ({
  key,
  object,
  json: JSON.stringify(object),
  revision: 0,
})

const settleNamespace = (draft: KubeObject, namespace: string | undefined): void => {
  const { metadata } = draft
  if (namespace === undefined) return
  metadata.namespace ??= namespace
  if (metadata.namespace !== namespace)
    throw badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    )
}

const refuseWithoutNamespace = (
  cluster: Cluster,
  resource: ResourceType,
  draft: KubeObject,
): void => {
  const name = draft.metadata.namespace ?? ''
  const stored = cluster.store.table('namespaces').get(name)
  if (stored === undefined)
    throw notFound({ group: '', plural: 'namespaces', kind: 'Namespace' }, name)
  if (stored.object.metadata.deletionTimestamp === undefined) return
  const why = `unable to create new content in namespace ${name} because it is being terminated`
  const refusal = forbidden(resource, draft.metadata.name, why)
  throw new ApiError(refusal.message, {
    code: 403,
    reason: 'Forbidden',
    details: {
      ...refusal.details,
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${name} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    },
  })
}

const refuseInvalid = (
  resource: ResourceType,
  draft: KubeObject,
  causes: readonly Cause[],
): void => {
  if (causes.length > 0) throw invalid(resource, draft.metadata.name, causes)
}

/**
 * Replaces an object by `draft`, which is changed in place. Nothing is written, and no revision used,
 * when nothing differs. The last finalizer's removal from an object being deleted removes it.
 */
export const update = (
  cluster: Cluster,
  place: Place,
  draft: KubeObject,
  options: WriteOptions,
): Stored => {
  const { resource, name } = place
  if (draft.metadata.name === '') draft.metadata.name = name
  if (draft.metadata.name !== name)
    throw badRequest(
      `the name of the object (${draft.metadata.name}) does not match the name on the URL (${name})`,
    )
  settleNamespace(draft, place.namespace)
  const existing = find(cluster, place)
  const old = existing.object
  refuseStale(resource, draft, old)
  carryOver(draft, old)
  const causes =
    options.part === undefined
      ? prepareMain(resource, draft, old)
      : preparePart(resource, draft, { old, part: options.part })
  refuseInvalid(resource, draft, causes)
  countGeneration(resource, draft, old)
  draft.metadata.resourceVersion = old.metadata.resourceVersion ?? ''
  if (sameJson(draft, old)) return existing
  if (options.dryRun) return unstored(existing.key, draft)
  const table = cluster.table(resource)
  if (isGone(draft)) {
    // Watchers are told the last state that was stored, the writer what it wrote.
    cluster.store.remove(table, existing)
    return unstored(existing.key, draft)
  }
  return cluster.store.put(table, draft)
}

const prepareMain = (resource: ResourceType, draft: KubeObject, old: KubeObject): Cause[] => {
  const { strategy } = resource
  strategy.allocate?.(draft, old)
  strategy.prepareForUpdate?.(draft, old)
  return [...metadataTwice(resource, draft, old), ...(strategy.validate?.(draft, old) ?? [])]
}

/** Upstream looks at an update's metadata twice, and tells each of its faults twice. */
const metadataTwice = (resource: ResourceType, draft: KubeObject, old: KubeObject): Cause[] => {
  const causes = validateMetadata(resource, draft, old)
  return [...causes, ...causes]
}

/** A subresource changes its own part and, as upstream, the metadata; the rest is put back. */
const preparePart = (
  resource: ResourceType,
  draft: KubeObject,
  { old, part }: { readonly old: KubeObject; readonly part: string },
): Cause[] => {
  const own = part === 'status' ? 'status' : 'spec'
  for (const field of Object.keys(draft))
    if (field !== 'metadata' && field !== own && !(field in old)) delete draft[field]
  for (const [field, value] of Object.entries(old))
    if (field !== 'metadata' && field !== own) draft[field] = value
  const causes = metadataTwice(resource, draft, old)
  if (part !== 'status') return causes
  return [...causes, ...(resource.strategy.validateStatus?.(draft) ?? [])]
}

const refuseStale = (resource: ResourceType, draft: KubeObject, old: KubeObject): void => {
  const { resourceVersion, name } = draft.metadata
  if (
    resourceVersion &&
    resourceVersion !== '0' &&
    resourceVersion !== old.metadata.resourceVersion
  )
    throw conflict(resource, name, wasModified)
}

/** Deleted, with nobody left to wait for. */
export const isGone = (object: KubeObject): boolean =>
  object.metadata.deletionTimestamp !== undefined &&
  (object.metadata.finalizers ?? []).length === 0 &&
  (object.metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
  // Namespaces have finalizers of their own, which their controller removes.
  listAt(object, 'spec', 'finalizers').length === 0
