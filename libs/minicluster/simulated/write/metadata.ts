import { ApiError, type Cause, invalidValue, required } from '../api-error.ts'
import { type Cluster, randomSuffix } from '../cluster.ts'
import { type KubeObject, type ObjectMeta, sameJson, timestamp } from '../object.ts'
import {
  annotationCauses,
  causes,
  finalizerCauses,
  labelCauses,
  labelProblems,
  newFinalizerCauses,
  subdomainProblems,
} from '../resources/names.ts'
import type { ResourceType } from '../resources/resource.ts'

/** Puts in what the server gives every new object, and takes out what only it may set. */
export const stampNew = (cluster: Cluster, resource: ResourceType, draft: KubeObject): void => {
  const { metadata } = draft
  if (metadata.resourceVersion)
    throw new ApiError('resourceVersion should not be set on objects to be created', {
      code: 500,
      reason: '',
    })
  if (!metadata.name && metadata.generateName)
    metadata.name = metadata.generateName.slice(0, 58) + randomSuffix(cluster.ids)
  metadata.uid = cluster.ids.uuid()
  metadata.creationTimestamp = timestamp(cluster.clock.now())
  delete metadata.deletionTimestamp
  delete metadata.deletionGracePeriodSeconds
  delete metadata.resourceVersion
  if (resource.counted !== false) metadata.generation = 1
  else delete metadata.generation
}

/** Keeps what a client may leave out of an update or may not change with it. */
export const carryOver = (draft: KubeObject, old: KubeObject): void => {
  const { metadata } = draft
  const before = old.metadata
  keep(metadata, before, 'uid')
  keep(metadata, before, 'creationTimestamp')
  keep(metadata, before, 'generateName')
  if (before.managedFields !== undefined) metadata.managedFields ??= before.managedFields
  // These follow the deletion alone, whatever the client says.
  const { deletionTimestamp, deletionGracePeriodSeconds, generation } = before
  delete metadata.deletionTimestamp
  delete metadata.deletionGracePeriodSeconds
  delete metadata.generation
  if (deletionTimestamp !== undefined) metadata.deletionTimestamp = deletionTimestamp
  if (deletionGracePeriodSeconds !== undefined)
    metadata.deletionGracePeriodSeconds = deletionGracePeriodSeconds
  if (generation !== undefined) metadata.generation = generation
}

type Field = 'uid' | 'creationTimestamp' | 'generateName'

const keep = (metadata: ObjectMeta, before: ObjectMeta, field: Field): void => {
  const value = before[field]
  if (value !== undefined) metadata[field] ??= value
}

/** Counts a change of anything but metadata and status, where the kind counts. */
export const countGeneration = (
  resource: ResourceType,
  draft: KubeObject,
  old: KubeObject,
): void => {
  if (resource.counted === false) return
  const labelled = resource.counted === 'with labels'
  const body = ({ metadata, status: _status, ...rest }: KubeObject) => ({
    ...rest,
    labels: labelled ? metadata.labels : undefined,
  })
  const before = old.metadata.generation ?? 1
  draft.metadata.generation = sameJson(body(draft), body(old)) ? before : before + 1
}

/** Kinds whose names are labels; the others' are subdomains, but for RBAC's, which may be anything. */
const labelNamed = new Set(['Namespace', 'Service'])

const nameProblems = (resource: ResourceType, name: string): string[] => {
  if (resource.group === 'rbac.authorization.k8s.io')
    return /[/%]/.test(name) ? ["may not contain '/' or '%'"] : []
  return labelNamed.has(resource.kind) ? labelProblems(name) : subdomainProblems(name)
}

export const validateMetadata = (
  resource: ResourceType,
  draft: KubeObject,
  old: KubeObject | undefined,
): Cause[] => {
  const { metadata } = draft
  return [
    ...(old === undefined
      ? validateName(resource, metadata)
      : validateChange(metadata, old.metadata)),
    ...labelCauses(metadata.labels, 'metadata.labels'),
    ...annotationCauses(metadata.annotations, 'metadata.annotations'),
    ...finalizerCauses(metadata.finalizers),
    ...validateOwners(metadata),
  ]
}

const validateName = (resource: ResourceType, metadata: ObjectMeta): Cause[] =>
  metadata.name === ''
    ? [required('metadata.name', 'name or generateName is required')]
    : causes('metadata.name', metadata.name, nameProblems(resource, metadata.name))

const validateChange = (metadata: ObjectMeta, before: ObjectMeta): Cause[] => {
  const found: Cause[] = []
  if (before.deletionTimestamp !== undefined)
    found.push(...newFinalizerCauses(metadata.finalizers, before.finalizers))
  for (const field of ['uid', 'creationTimestamp'] as const)
    if (metadata[field] !== before[field])
      found.push(invalidValue(`metadata.${field}`, metadata[field], 'field is immutable'))
  return found
}

const validateOwners = (metadata: ObjectMeta): Cause[] =>
  (metadata.ownerReferences ?? []).flatMap((owner, index) => {
    const field = `metadata.ownerReferences[${index}]`
    const found: Cause[] = []
    for (const name of ['apiVersion', 'kind', 'name', 'uid'] as const)
      if (!owner[name])
        found.push(invalidValue(`${field}.${name}`, owner[name] ?? '', 'must not be empty'))
    return found
  })
