import type { Socket } from 'node:net'
import type { OnChange } from './list-watch.ts'
import type { Pod } from './objects.ts'

/** A running pod as the network sees it. */
export interface PodPlace {
  readonly uid: string
  readonly name: string
  readonly namespace: string
  /** Name of the pod's node. */
  readonly node: string
  /** The nominal address, in 10.244.0.0/16. */
  readonly address: string
  /** The connection ends when the pod does. */
  adopt(socket: Socket): void
}

/** Which pod has which nominal address, and which connections it holds. */
export interface PodPlaces {
  at(address: string): PodPlace | undefined
  of(uid: string): PodPlace | undefined
  add(pod: Omit<PodPlace, 'adopt'>): PodPlace
  /** The pod is really gone: its address is free and its connections are cut. */
  remove(uid: string): void
  /** Removes every pod. */
  clear(): void
  /** An address of the node's 10.244.n.0/24 that no pod has, and that was not used lately. */
  freeAddress(nodeIndex: number, taken: (address: string) => boolean): string | undefined
}

/** Gives pods that another process runs their places here. */
export const followPods =
  (places: PodPlaces): OnChange<Pod> =>
  (after, before) => {
    const uid = (after ?? before)?.metadata.uid
    if (uid === undefined) return
    if (!after) return places.remove(uid)
    const { metadata, spec, status } = after
    if (status?.podIP === undefined || places.of(uid)) return
    const { name, namespace = 'default' } = metadata
    places.add({ uid, name, namespace, node: spec.nodeName ?? '', address: status.podIP })
  }

export const createPodPlaces = (): PodPlaces => {
  const byAddress = new Map<string, PodPlace>()
  const byUid = new Map<string, { readonly place: PodPlace; readonly sockets: Set<Socket> }>()
  const lastHost = new Map<number, number>()

  const remove = (uid: string): void => {
    const found = byUid.get(uid)
    if (!found) return
    byUid.delete(uid)
    const { address } = found.place
    if (byAddress.get(address) === found.place) byAddress.delete(address)
    for (const socket of found.sockets) socket.resetAndDestroy()
  }

  return {
    at: (address) => byAddress.get(address),
    of: (uid) => byUid.get(uid)?.place,
    add: (pod) => {
      const sockets = new Set<Socket>()
      const adopt = (socket: Socket): void => {
        sockets.add(socket)
        socket.once('close', () => sockets.delete(socket))
      }
      const place = { ...pod, adopt }
      byUid.set(pod.uid, { place, sockets })
      byAddress.set(pod.address, place)
      return place
    },
    remove,
    clear: () => [...byUid.keys()].forEach(remove),
    // Going round means that a slice which is a moment old never leads to another pod.
    freeAddress: (nodeIndex, taken) => {
      const last = lastHost.get(nodeIndex) ?? 1
      for (let step = 1; step <= 253; step += 1) {
        const host = ((last - 2 + step) % 253) + 2
        const address = `10.244.${nodeIndex}.${host}`
        if (byAddress.has(address) || taken(address)) continue
        lastHost.set(nodeIndex, host)
        return address
      }
      return undefined
    },
  }
}
