// Which pools of a cluster's nodes cannot answer clients directly, from what edges found out.
import type { RecordedEvent, ReturnFinding, ServiceUid } from '@weir/contract'

/** A node pool of which no node answers clients directly that was called. */
export interface FailedPool {
  /** Null for nodes without one. */
  readonly pool: string | null
  readonly nodes: readonly string[]
  /** The Service and the frontend that the first of them was called for. */
  readonly service: ServiceUid
  readonly frontend: string
}

/**
 * The pools that fail: nodes of it are silent, and none answers. What one edge hears counts for all, since
 * edges differ in the way to them and a node in what it lets out. A silent node in a pool that answers has a
 * trouble of its own, which a proxy would only hide.
 */
export const failedPools = (
  findings: readonly ReturnFinding[],
  poolOf: (node: string) => string | null,
): readonly FailedPool[] => {
  const answering = new Set(findings.flatMap((each) => each.answering))
  const answered = new Set([...answering].map(poolOf))
  const silent = new Map(
    findings.flatMap((each) => each.silent.map((one) => [one.node, one] as const)),
  )
  const failing = [...silent.values()].filter(
    ({ node }) => !answering.has(node) && !answered.has(poolOf(node)),
  )
  return [...Map.groupBy(failing, ({ node }) => poolOf(node))].flatMap(([pool, nodes]) => {
    const [first] = nodes
    if (first === undefined) return []
    const { service, frontend } = first
    return [{ pool, nodes: nodes.map(({ node }) => node).toSorted(), service, frontend }]
  })
}

/** What a cluster's story says of it now. */
export interface ReturnStory {
  /** Who serves Services without a class; undefined once the cluster is served no longer. */
  readonly driver: string | undefined
  /** When somebody said that last, milliseconds since the epoch: a finding from before is not told. */
  readonly saidAt: number
  /** Pools that are told to fail, since then. */
  readonly told: readonly (string | null)[]
  readonly version: number
}

export const returnStory = (story: readonly RecordedEvent[]): ReturnStory =>
  story.reduce<ReturnStory>(
    (at, event) => {
      const version = event.streamversion
      switch (event.type) {
        case 'ClusterConnected':
        case 'ClusterChanged': {
          const saidAt = Date.parse(event.recordedtime)
          return { driver: event.data.cluster.driver, saidAt, told: [], version }
        }
        case 'ClusterDeregistered':
          return { ...at, driver: undefined, version }
        case 'DirectReturnFailed':
          return { ...at, told: [...at.told, event.data.pool], version }
        default:
          return { ...at, version }
      }
    },
    { driver: undefined, saidAt: 0, told: [], version: 0 },
  )
