import type { Cluster } from '../cluster.ts'
import { startDeployments } from './deployments.ts'
import { startEndpointSlices } from './endpoint-slices.ts'
import { startGarbageCollector } from './garbage.ts'
import { startNamespaces } from './namespaces.ts'
import { Owners } from './owners.ts'
import { startUpkeep } from './upkeep.ts'

/** Starts what kube-controller-manager would do for the resources that are here. */
export const startControllers = (cluster: Cluster): { stop(): void } => {
  const owners = new Owners(cluster.store)
  const ends = [
    startNamespaces(cluster),
    startGarbageCollector(cluster, owners),
    startDeployments(cluster, owners),
    startEndpointSlices(cluster, owners),
    startUpkeep(cluster),
  ]
  return {
    stop: () => {
      for (const end of ends) end()
    },
  }
}
