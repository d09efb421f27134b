import type { Json, JsonObject, KubeObject } from '../object.ts'
import type { ResourceType } from '../resources/resource.ts'
import { ageColumn, nameColumn } from './format.ts'

/** The form a client wants objects in. */
export interface Form {
  readonly as: 'object' | 'table' | 'metadata'
  /** What a table's rows carry of the object. */
  readonly include: 'Metadata' | 'Object' | 'None'
}

/** Reads `Accept: application/json;as=Table;v=v1;g=meta.k8s.io` and `includeObject`. */
export const readForm = (accept: string | undefined, query: URLSearchParams): Form => {
  const include = query.get('includeObject')
  const kept = include === 'Object' || include === 'None' ? include : 'Metadata'
  for (const one of (accept ?? '').split(',')) {
    if (/;as=Table\b/.test(one) && /v=v1\b/.test(one)) return { as: 'table', include: kept }
    if (/;as=PartialObjectMetadata(List)?\b/.test(one) && /v=v1\b/.test(one))
      return { as: 'metadata', include: kept }
    if (!one.includes(';as=')) break
  }
  return { as: 'object', include: kept }
}

const columnsOf = (resource: ResourceType) =>
  resource.columns.length === 0 ? [nameColumn, ageColumn] : resource.columns

const definitionsOf = (resource: ResourceType): Json =>
  columnsOf(resource).map(({ name, type, format, priority }) => ({
    name,
    type,
    format: format ?? '',
    description: '',
    priority,
  }))

/** The object's metadata alone, as a kind of its own. */
export const metadataOnly = (object: KubeObject): JsonObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata: object.metadata,
})

export interface TableRequest {
  readonly resource: ResourceType
  readonly include: Form['include']
  readonly now: number
  readonly metadata: JsonObject
  /** Later events of a watch leave the headers out. */
  readonly headers: boolean
}

/** The table that `kubectl get` prints, made on the server as upstream does. */
export const tableOf = (objects: readonly KubeObject[], request: TableRequest): JsonObject => {
  const { resource, include, now } = request
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: request.metadata,
    columnDefinitions: request.headers ? definitionsOf(resource) : [],
    rows: objects.map((object) => ({
      cells: columnsOf(resource).map((column) => column.cell(object, now)),
      ...(include === 'None'
        ? {}
        : { object: include === 'Object' ? object : metadataOnly(object) }),
    })),
  }
}
