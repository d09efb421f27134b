import type { Cause, Subject } from '../api-error.ts'
import type { Json, JsonObject, KubeObject } from '../object.ts'

/** One column of the table that `kubectl get` shows. */
export interface Column {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date'
  readonly format?: string
  /** 0 is always shown, 1 with `-o wide` only. */
  readonly priority: number
  readonly cell: (object: KubeObject, now: number) => Json
}

/**
 * What the API server does to objects of one kind, in the order of the real one: `initialise`,
 * then `allocate`, then `prepare...`, then `validate`. All change the draft they are given in place.
 */
export interface Strategy {
  /** Fills what the API's version defaults; runs on every decoded object. */
  readonly initialise?: (draft: KubeObject) => void
  /** Fills what is taken from a pool or inherited from the object as it was; may refuse. */
  readonly allocate?: (draft: KubeObject, old: KubeObject | undefined) => void
  /** Takes out what a client may not set when creating. */
  readonly prepareForCreate?: (draft: KubeObject) => void
  /** Puts back what a client may not change by this way of writing. */
  readonly prepareForUpdate?: (draft: KubeObject, old: KubeObject) => void
  readonly validate?: (draft: KubeObject, old: KubeObject | undefined) => Cause[]
  readonly validateStatus?: (draft: KubeObject) => Cause[]
}

export interface SubresourceType {
  readonly name: string
  readonly kind: string
  readonly group?: string
  readonly version?: string
  readonly verbs: readonly string[]
}

/** One resource of the API, with everything that differs from the others. */
export interface ResourceType extends Subject {
  readonly version: string
  /** `v1` or `apps/v1`. */
  readonly apiVersion: string
  readonly singular: string
  readonly namespaced: boolean
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly verbs: readonly string[]
  readonly subresources: readonly SubresourceType[]
  /** Name of its OpenAPI definition. */
  readonly definition: string
  /** The table of the store; two versions of one resource share one. */
  readonly table: string
  readonly strategy: Strategy
  readonly columns: readonly Column[]
  /** The fields that a field selector may name, beside `metadata.name` and `metadata.namespace`. */
  readonly selectable: Readonly<Record<string, (object: KubeObject) => string>>
  /** `metadata.generation` counts changes of what is not metadata or status. */
  readonly counted: boolean | 'with labels'
  /** PUT makes the object where there is none. */
  readonly createsOnUpdate: boolean
  /** DELETE answers with the object instead of a Status. */
  readonly returnsDeleted: boolean
  /** Between this version and the one that is stored, where they differ. */
  readonly convert?: {
    readonly toStored: (object: JsonObject) => JsonObject
    readonly fromStored: (object: JsonObject) => JsonObject
  }
}

/** What most resources have in common; the rest is given. */
export type ResourceSketch = Pick<ResourceType, 'group' | 'version' | 'kind' | 'plural'> &
  Partial<Omit<ResourceType, 'apiVersion'>> & { readonly definition: string }

export const allVerbs = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
]

export const defineResource = (sketch: ResourceSketch): ResourceType => ({
  apiVersion: sketch.group === '' ? sketch.version : `${sketch.group}/${sketch.version}`,
  singular: sketch.kind.toLowerCase(),
  namespaced: true,
  shortNames: [],
  categories: [],
  verbs: allVerbs,
  subresources: [],
  table: sketch.group === '' ? sketch.plural : `${sketch.plural}.${sketch.group}`,
  strategy: {},
  columns: [],
  selectable: {},
  counted: false,
  createsOnUpdate: false,
  returnsDeleted: false,
  ...sketch,
})

/** The subresource most kinds have. */
export const statusOf = (kind: string): SubresourceType => ({
  name: 'status',
  kind,
  verbs: ['get', 'patch', 'update'],
})
