import { ApiError } from '@weir/kube'
import type { KubeObject, Meta, Node, Resource, Service, Slice } from './object.ts'

/** One change, as a watch tells it. */
export interface Change {
  readonly version: number
  readonly resource: Resource
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
  readonly before: KubeObject | undefined
}

interface Objects {
  readonly services: Service
  readonly nodes: Node
  readonly endpointslices: Slice
}

/** etcd and the generic part of an API server: versions, history, deletion by finalizers. */
export interface KubeStore {
  version(): number
  all<R extends Resource>(resource: R): readonly Objects[R][]
  get<R extends Resource>(resource: R, key: string): Objects[R] | undefined
  put<R extends Resource>(resource: R, object: Objects[R]): Objects[R]
  /** Marks it, or removes it when no finalizer holds it. */
  remove(resource: Resource, key: string): void
  /** Changes after a version; undefined when they are compacted away. */
  since(version: number): readonly Change[] | undefined
  /** Everything as it was before the last `changes` of a resource that are still remembered. */
  past(resource: Resource, changes: number): { version: number; objects: readonly KubeObject[] }
  /** Forgets the history up to now. */
  compact(): void
  onChange(handle: (change: Change) => void): () => void
}

export const keyOf = ({ namespace, name }: Pick<Meta, 'namespace' | 'name'>): string =>
  namespace === undefined ? name : `${namespace}/${name}`

export const createKubeStore = (now: () => number): KubeStore => {
  const tables: { [R in Resource]: Map<string, Objects[R]> } = {
    services: new Map(),
    nodes: new Map(),
    endpointslices: new Map(),
  }
  const table = <R extends Resource>(resource: R): Map<string, Objects[R]> => tables[resource]
  const listeners = new Set<(change: Change) => void>()
  let history: Change[] = []
  let compacted = 0
  let version = 100

  const tell = (change: Omit<Change, 'version'>): void => {
    const full = { ...change, version }
    history.push(full)
    for (const listener of listeners) listener(full)
  }
  const next = <T extends KubeObject>(object: T): T => {
    version += 1
    const metadata = { ...object.metadata, resourceVersion: String(version) }
    return { ...object, metadata }
  }
  const drop = <R extends Resource>(resource: R, key: string, object: Objects[R]): void => {
    const before = table(resource).get(key)
    table(resource).delete(key)
    tell({ resource, type: 'DELETED', object: next(object), before })
  }

  const put = <R extends Resource>(resource: R, object: Objects[R]): Objects[R] => {
    const key = keyOf(object.metadata)
    const before = table(resource).get(key)
    if (before !== undefined && sameAs(before, object)) return before
    const { deletionTimestamp, finalizers = [] } = object.metadata
    if (deletionTimestamp !== undefined && finalizers.length === 0) {
      drop(resource, key, object)
      return object
    }
    const kept = next(object)
    table(resource).set(key, kept)
    tell({ resource, type: before === undefined ? 'ADDED' : 'MODIFIED', object: kept, before })
    return kept
  }

  return {
    version: () => version,
    all: (resource) => [...table(resource).values()],
    get: (resource, key) => table(resource).get(key),
    put,
    remove: (resource, key) => {
      const object = table(resource).get(key)
      if (object === undefined) throw notFound(resource, key)
      if ((object.metadata.finalizers ?? []).length === 0) return drop(resource, key, object)
      if (object.metadata.deletionTimestamp !== undefined) return
      const deletionTimestamp = new Date(now()).toISOString()
      put(resource, { ...object, metadata: { ...object.metadata, deletionTimestamp } })
    },
    since: (from) =>
      from < compacted ? undefined : history.filter((change) => change.version > from),
    past: (resource, changes) => {
      const objects = new Map<string, KubeObject>(table(resource))
      let at = version
      const own = history.filter((change) => change.resource === resource)
      for (const { object, before, version: changed } of own.slice(-changes).toReversed()) {
        const key = keyOf(object.metadata)
        if (before === undefined) objects.delete(key)
        else objects.set(key, before)
        at = changed - 1
      }
      return { version: at, objects: [...objects.values()] }
    },
    compact: () => {
      compacted = version
      history = []
    },
    onChange: (handle) => {
      listeners.add(handle)
      return () => listeners.delete(handle)
    },
  }
}

const sameAs = (a: KubeObject, b: KubeObject): boolean =>
  JSON.stringify({ ...a, metadata: { ...a.metadata, resourceVersion: '' } }) ===
  JSON.stringify({ ...b, metadata: { ...b.metadata, resourceVersion: '' } })

export const notFound = (resource: string, key: string): ApiError =>
  new ApiError(`${resource} "${key}" not found`, { status: 404, reason: 'NotFound' })
