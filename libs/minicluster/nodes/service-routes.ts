import type { OnChange } from './list-watch.ts'
import type { NodeProxy } from './node-proxy.ts'
import { keyOf, type EndpointSlice, type Service } from './objects.ts'
import { rulesOf } from './rules.ts'

/** Brings Services and their EndpointSlices together and tells every node's proxy what to do. */
export interface ServiceRoutes {
  readonly onService: OnChange<Service>
  readonly onSlice: OnChange<EndpointSlice>
  /** Applies what has changed now; happens by itself at the end of each turn of the event loop. */
  flush(): void
}

export const createServiceRoutes = (
  proxies: readonly NodeProxy[],
  takesBalanced: boolean,
): ServiceRoutes => {
  const services = new Map<string, Service>()
  const slices = new Map<string, Map<string, EndpointSlice>>()
  const dirty = new Set<string>()

  const flush = (): void => {
    for (const key of dirty) {
      const service = services.get(key)
      const found = [...(slices.get(key)?.values() ?? [])]
      for (const proxy of proxies) {
        proxy.apply(key, service && rulesOf(proxy.node, service, found, takesBalanced))
      }
    }
    dirty.clear()
  }
  const mark = (key: string): void => {
    if (dirty.size === 0) setImmediate(flush)
    dirty.add(key)
  }
  const serviceOf = ({ metadata }: EndpointSlice): string | undefined => {
    const name = metadata.labels?.['kubernetes.io/service-name']
    return name === undefined ? undefined : `${metadata.namespace ?? 'default'}/${name}`
  }
  const drop = (slice: EndpointSlice): void => {
    const key = serviceOf(slice)
    if (key === undefined) return
    const known = slices.get(key)
    known?.delete(slice.metadata.name)
    if (known?.size === 0) slices.delete(key)
    mark(key)
  }
  const add = (slice: EndpointSlice): void => {
    const key = serviceOf(slice)
    if (key === undefined) return
    const known = slices.get(key) ?? new Map<string, EndpointSlice>()
    slices.set(key, known.set(slice.metadata.name, slice))
    mark(key)
  }

  return {
    onService: (after, before) => {
      const known = after ?? before
      if (!known) return
      const key = keyOf(known.metadata)
      if (after) services.set(key, after)
      else services.delete(key)
      mark(key)
    },
    onSlice: (after, before) => {
      // The label may have moved the slice from one Service to another.
      if (before) drop(before)
      if (after) add(after)
    },
    flush,
  }
}
