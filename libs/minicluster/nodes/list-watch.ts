import { backoffMs, explainError, type Clock, type Ids } from '@weir/kernel'
import { ApiError, type Api } from './api.ts'
import { keyOf, type KubeObject } from './objects.ts'

/** Called after the object's place in `items` has changed; a new uid is a removal, then an arrival. */
export type OnChange<T> = (after: T | undefined, before: T | undefined) => void

/** All objects of one resource, kept current by a list and a watch. */
export interface ListWatch<T> {
  /** By `namespace/name`. */
  readonly items: ReadonlyMap<string, T>
  /** Resolves once the first list is in `items` and was handed to `onChange`. */
  readonly synced: Promise<void>
  /** Resolves when it has ended, which is after `signal` aborts. */
  readonly done: Promise<void>
}

export interface ListWatchOptions<T> {
  readonly api: Api
  /** The collection's path over all namespaces, such as `/api/v1/pods`. */
  readonly path: string
  readonly onChange: OnChange<T>
  readonly clock: Clock
  readonly ids: Ids
  readonly signal: AbortSignal
  /** Told once per spell of failures; the loop goes on. */
  readonly onTrouble: (line: string) => void
}

interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: T & { readonly code?: number; readonly message?: string }
}

interface List<T> {
  readonly metadata: { readonly resourceVersion: string }
  readonly items: readonly T[]
}

// The server is on this machine: asking every second costs little and shortens each outage.
const retryRule = { minMs: 50, maxMs: 1_000 }
const isGone = (error: unknown): boolean => error instanceof ApiError && error.status === 410

/** Lists, then watches from there; lists again when the server has forgotten our version (410). */
export const listWatch = <T extends KubeObject>(options: ListWatchOptions<T>): ListWatch<T> => {
  const { api, path, signal, clock, ids } = options
  const items = new Map<string, T>()
  let version: string | undefined
  let markSynced: () => void = () => undefined
  const synced = new Promise<void>((resolve) => (markSynced = resolve))

  const tell = (before: T | undefined, after: T | undefined): void => {
    if (before && after && before.metadata.uid !== after.metadata.uid) {
      options.onChange(undefined, before)
      options.onChange(after, undefined)
    } else if (before?.metadata.resourceVersion !== after?.metadata.resourceVersion) {
      options.onChange(after, before)
    }
  }

  // The map is complete before anybody hears of it, so that a listener can look at the other objects.
  const list = async (): Promise<void> => {
    const answer = await api.call<List<T>>({ method: 'GET', path })
    const before = new Map(items)
    items.clear()
    for (const object of answer.items) items.set(keyOf(object.metadata), object)
    for (const [key, object] of before) if (!items.has(key)) tell(object, undefined)
    for (const [key, object] of items) tell(before.get(key), object)
    version = answer.metadata.resourceVersion
    markSynced()
  }

  const take = (event: unknown): void => {
    const { type, object } = event as WatchEvent<T>
    if (type === 'ERROR') {
      throw new ApiError(`watch of ${path}: ${object.message ?? 'error'}`, object.code ?? 500)
    }
    version = object.metadata.resourceVersion
    if (type === 'BOOKMARK') return
    const key = keyOf(object.metadata)
    const before = items.get(key)
    if (type === 'DELETED') items.delete(key)
    else items.set(key, object)
    tell(before, type === 'DELETED' ? undefined : object)
  }

  const round = async (): Promise<void> => {
    if (version === undefined) await list()
    const query = `watch=true&allowWatchBookmarks=true&timeoutSeconds=300`
    await api.watch(`${path}?${query}&resourceVersion=${version}`, take, signal)
  }

  const run = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted;) {
      const startedAt = clock.now()
      try {
        await round()
        // A server that ends each watch at once must not be asked again without a pause.
        failures = clock.now() - startedAt > 1_000 ? 0 : failures + 1
      } catch (error) {
        if (signal.aborted) return
        if (isGone(error)) version = undefined
        else if (failures === 0) options.onTrouble(`${path}: ${explainError(error)}`)
        failures = clock.now() - startedAt > 1_000 ? 1 : failures + 1
      }
      if (failures > 0) await clock.sleep(backoffMs(retryRule, failures, ids.random()), signal)
    }
  }
  return { items, synced, done: run() }
}
