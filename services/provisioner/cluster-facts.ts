import type { Cidr, ClusterId, NodesObservation, TenantId } from '@weir/contract'
import type { EventLog, Observed } from '@weir/eventlog'
import type { Clock } from '@weir/kernel'

/** What is the same for every Service of a cluster. */
export interface ClusterFacts {
  /** Undefined while no list was seen, or while nobody knows which addresses nodes may have. */
  readonly nodes: NodesObservation | undefined
  readonly nodeCidrs: readonly Cidr[]
}

/** Facts may be this old; a cluster's change is fanned out later than that, so it is always seen. */
export const clusterFactsAgeMs = 250
const maxClusters = 1000

/**
 * Reads cluster facts, shared by the many Services of one cluster that are reconciled at a time: a node
 * list of thousands is read four times a second and not once for each of them.
 */
export const createClusterFacts = (ports: {
  readonly log: Pick<EventLog, 'story'>
  readonly observed: Pick<Observed, 'get'>
  readonly clock: Clock
}) => {
  const recent = new Map<string, { readonly at: number; readonly facts: Promise<ClusterFacts> }>()

  const read = async (tenant: TenantId, cluster: ClusterId): Promise<ClusterFacts> => {
    const [story, nodes] = await Promise.all([
      ports.log.story(tenant, cluster),
      ports.observed.get({ tenant, cluster, kind: 'nodes', key: 'all' }),
    ])
    const connected = story.findLast(
      (event) => event.type === 'ClusterConnected' || event.type === 'ClusterChanged',
    )
    // Without the cluster's blocks no address can be trusted, so the nodes count as not seen: what
    // serves goes on, and nothing new is believed.
    if (connected === undefined) return { nodes: undefined, nodeCidrs: [] }
    return { nodes, nodeCidrs: connected.data.cluster.nodeCidrs }
  }

  return (tenant: TenantId, cluster: ClusterId): Promise<ClusterFacts> => {
    const name = `${tenant}/${cluster}`
    const now = ports.clock.now()
    const known = recent.get(name)
    if (known !== undefined && now - known.at < clusterFactsAgeMs) return known.facts
    const facts = read(tenant, cluster)
    recent.delete(name)
    recent.set(name, { at: now, facts })
    const [oldest] = recent.keys()
    if (recent.size > maxClusters && oldest !== undefined) recent.delete(oldest)
    facts.catch(() => recent.delete(name)) // whoever awaits it is told; the next one reads anew
    return facts
  }
}

export type ReadClusterFacts = ReturnType<typeof createClusterFacts>
