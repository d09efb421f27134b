import { createKeyedQueue } from '@weir/kernel'
import type { HollowNodeSpec } from '../minicluster.ts'
import type { Api } from './api.ts'
import type { OnChange } from './list-watch.ts'
import { keyOf, type Pod } from './objects.ts'
import { persist, type Patience } from './persist.ts'
import type { PodPlaces } from './pod-places.ts'
import { isReported, runningStatus } from './pod-status.ts'

export interface PodRunnerOptions extends Patience {
  readonly api: Api
  readonly nodes: readonly HollowNodeSpec[]
  readonly places: PodPlaces
  /** All pods of the cluster by `namespace/name`. */
  readonly pods: () => ReadonlyMap<string, Pod>
  /** The longest that a deleted pod goes on, however long its own grace period is. */
  readonly maxGraceMs: number
}

const concurrentWrites = 16
const pathOf = ({ metadata }: Pod): string =>
  `/api/v1/namespaces/${metadata.namespace ?? 'default'}/pods/${metadata.name}`

/**
 * Runs the pods that are bound to our nodes: gives each an address and reports it Running, and lets a
 * deleted one go on for its grace period, as a program that drains would, before it removes it.
 */
export const createPodRunner = (options: PodRunnerOptions): OnChange<Pod> => {
  const { api, places, clock, signal } = options
  const queue = createKeyedQueue(concurrentWrites)
  const ending = new Set<string>()
  const placeOf = (name: string | undefined) => options.nodes.findIndex((one) => one.name === name)

  const isTaken = (address: string): boolean => {
    for (const pod of options.pods().values()) if (pod.status?.podIP === address) return true
    return false
  }
  const place = (pod: Pod, uid: string) => {
    const index = placeOf(pod.spec.nodeName)
    const address = pod.status?.podIP ?? places.freeAddress(index + 1, isTaken)
    const { name, namespace = 'default' } = pod.metadata
    if (address === undefined) return undefined
    return places.add({ uid, name, namespace, node: pod.spec.nodeName ?? '', address })
  }

  const report = (uid: string, key: string, hostAddress: string): Promise<boolean> =>
    persist(options, async () => {
      const pod = options.pods().get(key)
      const running = places.of(uid)
      if (!pod || pod.metadata.uid !== uid || !running || pod.metadata.deletionTimestamp) return
      if (isReported(pod, running.address)) return
      const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
      const status = runningStatus(pod, { address: running.address, hostAddress }, now)
      const body = { metadata: { uid }, status }
      await api.call({ method: 'PATCH', path: `${pathOf(pod)}/status`, body })
    })

  const end = async (pod: Pod, uid: string): Promise<void> => {
    const graceMs = (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1_000
    await clock.sleep(Math.min(graceMs, options.maxGraceMs), signal)
    const body = { gracePeriodSeconds: 0, preconditions: { uid } }
    await persist(options, () => api.call({ method: 'DELETE', path: pathOf(pod), body }))
  }

  return (after, before) => {
    const uid = (after ?? before)?.metadata.uid
    if (uid === undefined) return
    if (!after) {
      places.remove(uid)
      ending.delete(uid)
      return
    }
    const node = options.nodes[placeOf(after.spec.nodeName)]
    const phase = after.status?.phase
    if (!node) return
    if (phase !== 'Succeeded' && phase !== 'Failed' && !places.of(uid)) place(after, uid)
    if (after.metadata.deletionTimestamp !== undefined) {
      if (!ending.has(uid)) void end(after, uid)
      ending.add(uid)
      return
    }
    const running = places.of(uid)
    if (!running || isReported(after, running.address)) return
    void queue.run(uid, () => report(uid, keyOf(after.metadata), node.address))
  }
}
