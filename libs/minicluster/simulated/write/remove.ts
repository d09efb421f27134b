import { badRequest, conflict, forbidden } from '../api-error.ts'
import type { Cluster } from '../cluster.ts'
import { at, copyOf, isObject, type Json, type KubeObject, textAt, timestamp } from '../object.ts'
import { isRunningSomewhere } from '../resources/pod.ts'
import type { ResourceType } from '../resources/resource.ts'
import type { Stored } from '../storage/table.ts'
import { find, isGone, type Place } from './write.ts'

export interface RemoveOptions {
  readonly dryRun: boolean
  readonly gracePeriodSeconds?: number
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan'
  readonly uid?: string
  readonly resourceVersion?: string
}

export interface Removed {
  readonly stored: Stored
  /** False while finalizers or a grace period keep the object. */
  readonly gone: boolean
}

/** The body and query of a DELETE request. */
export const readRemoveOptions = (body: Json, query: URLSearchParams): RemoveOptions => {
  const grace = at(body, 'gracePeriodSeconds') ?? query.get('gracePeriodSeconds') ?? undefined
  const policy = textAt(body, 'propagationPolicy') || query.get('propagationPolicy') || ''
  const orphan = at(body, 'orphanDependents')
  const uid = textAt(body, 'preconditions', 'uid')
  const resourceVersion = textAt(body, 'preconditions', 'resourceVersion')
  const dryRun = query.getAll('dryRun').includes('All') || listsAll(at(body, 'dryRun'))
  return {
    dryRun,
    ...(grace === undefined ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(orphan === true ? { propagation: 'Orphan' as const } : readPolicy(policy)),
    ...(uid === '' ? {} : { uid }),
    ...(resourceVersion === '' ? {} : { resourceVersion }),
  }
}

const listsAll = (value: Json | undefined): boolean => Array.isArray(value) && value.includes('All')

const readPolicy = (policy: string): Pick<RemoveOptions, 'propagation'> => {
  if (policy === '') return {}
  if (policy === 'Background' || policy === 'Foreground' || policy === 'Orphan')
    return { propagation: policy }
  throw badRequest(
    `DeleteOptions.propagationPolicy: Unsupported value: "${policy}": supported values: ` +
      '"Foreground", "Background", "Orphan"',
  )
}

/**
 * Deletes an object, or marks it as being deleted while finalizers, or a pod's node, still need it.
 * Asked again, it answers with the object as it stands.
 */
export const remove = (cluster: Cluster, place: Place, options: RemoveOptions): Removed => {
  const { resource } = place
  const existing = find(cluster, place)
  refusePreconditions(resource, existing.object, options)
  refuseProtected(resource, existing.object)
  const old = existing.object
  const grace = graceOf(old, options)
  const finalizers = finalizersFor(old, options)
  const marked = old.metadata.deletionTimestamp !== undefined
  const shortened = marked && grace < (old.metadata.deletionGracePeriodSeconds ?? 0)
  const draft = copyOf(old)
  if (!marked || shortened) {
    const at_ = marked ? Date.parse(old.metadata.creationTimestamp ?? '') : 0
    const ends = Math.max(cluster.clock.now() + grace * 1000, at_)
    draft.metadata.deletionTimestamp = timestamp(ends)
    draft.metadata.deletionGracePeriodSeconds = grace
    if (resource.counted !== false && !marked)
      draft.metadata.generation = (draft.metadata.generation ?? 1) + 1
  }
  if (finalizers.length > 0) draft.metadata.finalizers = finalizers
  else delete draft.metadata.finalizers
  if (resource.kind === 'Namespace' && isObject(draft['status'])) {
    draft['status']['phase'] = 'Terminating'
    delete draft.metadata.deletionGracePeriodSeconds
  }
  if (isGone(draft)) {
    const stored = options.dryRun
      ? existing
      : cluster.store.remove(cluster.table(resource), existing)
    return { stored, gone: true }
  }
  if (options.dryRun || (marked && !shortened)) return { stored: existing, gone: false }
  return { stored: cluster.store.put(cluster.table(resource), draft), gone: false }
}

const graceOf = (object: KubeObject, options: RemoveOptions): number => {
  if (object.kind !== 'Pod' || !isRunningSomewhere(object)) return 0
  const own = at(object, 'spec', 'terminationGracePeriodSeconds')
  return Math.max(options.gracePeriodSeconds ?? (typeof own === 'number' ? own : 30), 0)
}

/** Foreground deletion waits for dependents behind a finalizer that the garbage collector removes. */
const finalizersFor = (object: KubeObject, options: RemoveOptions): string[] => {
  const own = object.metadata.finalizers ?? []
  if (object.metadata.deletionTimestamp !== undefined) return own
  if (options.propagation === 'Foreground' && !own.includes('foregroundDeletion'))
    return [...own, 'foregroundDeletion']
  if (options.propagation === 'Orphan' && !own.includes('orphan')) return [...own, 'orphan']
  return own
}

const refusePreconditions = (
  resource: ResourceType,
  object: KubeObject,
  options: RemoveOptions,
): void => {
  const { uid, resourceVersion, name } = object.metadata
  // Here upstream names the kind where it names the plural elsewhere.
  const subject = { ...resource, plural: resource.kind }
  if (options.uid !== undefined && options.uid !== uid)
    throw conflict(
      subject,
      name,
      `the UID in the precondition (${options.uid}) does not match the UID in record (${uid}). ` +
        'The object might have been deleted and then recreated',
    )
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion)
    throw conflict(
      subject,
      name,
      `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ` +
        `ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    )
}

const lasting = new Set(['default', 'kube-system', 'kube-public'])

const refuseProtected = (resource: ResourceType, object: KubeObject): void => {
  const { name } = object.metadata
  if (resource.kind === 'Namespace' && lasting.has(name))
    throw forbidden(resource, name, 'this namespace may not be deleted')
}
