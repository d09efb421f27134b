import type { KubeEndpointSlice } from './objects.ts'

/** The ready pods of one EndpointSlice: which Service's, and on which nodes. */
export interface SeenSlice {
  readonly uid: string
  readonly namespace: string
  /** The Service's name; empty for a slice of no Service. */
  readonly service: string
  /** The UID of the Service that owns it, where the slice tells. */
  readonly owner: string | null
  readonly ready: readonly { readonly node: string; readonly pod: string }[]
}

/** Reads an EndpointSlice; an endpoint that does not say whether it is ready counts as ready. */
export const seeSlice = ({ metadata, endpoints }: KubeEndpointSlice): SeenSlice => ({
  uid: metadata.uid,
  namespace: metadata.namespace,
  service: metadata.labels?.['kubernetes.io/service-name'] ?? '',
  owner: (metadata.ownerReferences ?? []).find(({ kind }) => kind === 'Service')?.uid ?? null,
  ready: (endpoints ?? []).flatMap((at) =>
    at.nodeName && (at.conditions?.ready ?? true)
      ? [{ node: at.nodeName, pod: at.targetRef?.uid ?? at.addresses?.[0] ?? '' }]
      : [],
  ),
})

/**
 * Ready pods per node over all slices of one Service, by node name. A pod that is in several slices,
 * one per address family, counts once.
 */
export const readyByNode = (slices: readonly SeenSlice[]): Record<string, number> => {
  const pods = new Map<string, Set<string>>()
  for (const { node, pod } of slices.flatMap(({ ready }) => ready)) {
    const on = pods.get(node) ?? new Set()
    pods.set(node, on.add(pod))
  }
  const counts = [...pods].map(([node, on]): [string, number] => [node, on.size])
  return Object.fromEntries(counts.sort(([a], [b]) => (a < b ? -1 : 1)))
}
