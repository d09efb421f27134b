import {
  kubeEndpointSlice,
  readyByNode,
  seeSlice,
  type ReflectorHandler,
  type SeenService,
  type SeenSlice,
} from '@weir/kube'
import type { Clock } from '@weir/kernel'
import { createDebounce } from './debounce.ts'
import type { Desk } from './desk.ts'
import type { Publisher } from './publisher.ts'

/** Turns EndpointSlices into the number of ready pods per node, for Services in our care. */
export interface EndpointWatch {
  readonly parse: (raw: unknown) => SeenSlice
  readonly handler: ReflectorHandler<SeenSlice>
  /** A Service came into our care: its endpoints matter now. */
  care(service: SeenService): void
}

export interface EndpointWatchPorts {
  readonly desk: Desk
  readonly publisher: Publisher
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** A rollout touches its slices many times; what counts is where it stands after each burst. */
const quietMs = 50
const mostMs = 500

export const createEndpointWatch = (ports: EndpointWatchPorts): EndpointWatch => {
  const { desk, publisher, clock, signal } = ports
  const { tenant, cluster } = desk.known
  const slices = new Map<string, SeenSlice>()
  const byService = new Map<string, Set<string>>()
  let isSynced = false

  const publish = async (name: string): Promise<void> => {
    const service = desk.cache.byName(...splitName(name))
    if (!isSynced || service === undefined || !service.held) return
    const own = [...(byService.get(name) ?? [])]
      .flatMap((uid) => slices.get(uid) ?? [])
      // A namesake that came before may have left slices behind.
      .filter(({ owner }) => owner === null || owner === service.uid)
    await publisher.publish({
      kind: 'endpoints',
      tenant,
      cluster: cluster.id,
      serviceUid: service.uid,
      readyByNode: readyByNode(own),
    })
  }
  const debounce = createDebounce({ quietMs, mostMs, clock }, publish, signal)

  const remove = (uid: string): void => {
    const slice = slices.get(uid)
    slices.delete(uid)
    if (slice === undefined) return
    const name = nameOf(slice)
    const of = byService.get(name)
    of?.delete(uid)
    if (of?.size === 0) byService.delete(name)
    debounce.touch(name)
  }

  return {
    parse: (raw) => seeSlice(kubeEndpointSlice.parse(raw)),
    handler: {
      changed: async (slice) => {
        const before = slices.get(slice.uid)
        if (before !== undefined && nameOf(before) !== nameOf(slice)) remove(slice.uid)
        if (slice.service === '') return
        slices.set(slice.uid, slice)
        const name = nameOf(slice)
        byService.set(name, (byService.get(name) ?? new Set()).add(slice.uid))
        debounce.touch(name)
      },
      deleted: async ({ uid }) => remove(uid),
      missing: async (uid) => remove(uid),
      synced: async () => {
        isSynced = true
        for (const { namespace, name } of desk.cache.all()) debounce.touch(`${namespace}/${name}`)
      },
    },
    care: ({ namespace, name }) => debounce.touch(`${namespace}/${name}`),
  }
}

const nameOf = ({ namespace, service }: SeenSlice): string => `${namespace}/${service}`

const splitName = (name: string): [string, string] => {
  const at = name.indexOf('/')
  return [name.slice(0, at), name.slice(at + 1)]
}
