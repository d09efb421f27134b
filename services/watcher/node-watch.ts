import type { ObservedNode } from '@weir/contract'
import type { Clock } from '@weir/kernel'
import { kubeNode, seeNode, type ReflectorHandler } from '@weir/kube'
import { createDebounce } from './debounce.ts'
import type { KnownCluster } from './registry.ts'
import type { Publisher } from './publisher.ts'

interface NodeByUid {
  readonly uid: string
  readonly node: ObservedNode
}

/** Turns Nodes into one observation of all of them. */
export interface NodeWatch {
  readonly parse: (raw: unknown) => NodeByUid
  readonly handler: ReflectorHandler<NodeByUid>
}

export interface NodeWatchPorts {
  readonly known: KnownCluster
  readonly publisher: Publisher
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** A rollout of nodes comes in bursts; every target set of the cluster follows each observation. */
const quietMs = 100
const mostMs = 1000
const nodesMost = 5000

export const createNodeWatch = (ports: NodeWatchPorts): NodeWatch => {
  const { known, publisher, clock, signal } = ports
  const nodes = new Map<string, ObservedNode>()
  let isSynced = false

  const publish = async (): Promise<void> => {
    if (!isSynced) return
    const all = [...nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, nodesMost)
    const { tenant, cluster } = known
    await publisher.publish({ kind: 'nodes', tenant, cluster: cluster.id, nodes: all })
  }
  const debounce = createDebounce({ quietMs, mostMs, clock }, publish, signal)
  const remove = async (uid: string): Promise<void> => {
    nodes.delete(uid)
    debounce.touch('')
  }

  return {
    parse: (raw) => {
      const node = kubeNode.parse(raw)
      return { uid: node.metadata.uid, node: seeNode(node) }
    },
    handler: {
      changed: async ({ uid, node }) => {
        nodes.set(uid, node)
        debounce.touch('')
      },
      deleted: ({ uid }) => remove(uid),
      missing: remove,
      synced: async () => {
        isSynced = true
        await publish()
      },
    },
  }
}
