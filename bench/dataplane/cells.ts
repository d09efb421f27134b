/**
 * The ways of a connection from the client to the one pod, in the order they are told.
 *
 * - `direct`: to the node port, through a plain router that stands where an edge does: as many hops
 *   as through an edge.
 * - `kernel`, `envoy`, `userspace`: through an edge with that data plane.
 * - `haproxy`: through HAProxy in TCP mode, to compare with.
 * - `shorter`: to the node port, without the router in the edge's place; no balancer can be that short.
 */
export const ways = ['direct', 'kernel', 'envoy', 'haproxy', 'userspace', 'shorter'] as const
export type Way = (typeof ways)[number]

/** What is done on each way, one after the other. */
export const loads = ['upload', 'download', 'round trips', 'requests', 'connections'] as const
export type Load = (typeof loads)[number]

/** What a load measures. */
export const figures = {
  upload: { load: 'upload', name: 'upload, Gb/s', digits: 2, best: 'most' },
  download: { load: 'download', name: 'download, Gb/s', digits: 2, best: 'most' },
  p50: { load: 'round trips', name: 'round trip p50, us', digits: 0, best: 'least' },
  p99: { load: 'round trips', name: 'round trip p99, us', digits: 0, best: 'least' },
  requests: { load: 'requests', name: 'requests/s', digits: 0, best: 'most' },
  connections: { load: 'connections', name: 'new connections/s', digits: 0, best: 'most' },
} as const satisfies Record<string, FigureRule>
export type Figure = keyof typeof figures

interface FigureRule {
  readonly load: Load
  readonly name: string
  readonly digits: number
  readonly best: 'most' | 'least'
}

/** One load on one way in one round. */
export interface Cell {
  readonly round: number
  readonly way: Way
  readonly load: Load
  readonly numbers: Partial<Readonly<Record<Figure, number>>>
  /** TCP segments, and of these SYNs, that client, proxy and pod sent again. */
  readonly resent: { readonly segments: number; readonly syns: number }
  /** Shares of the time of all processors. */
  readonly processors: { readonly programs: number; readonly idle: number }
  /** Connections or requests that failed. */
  readonly failed: number
}
