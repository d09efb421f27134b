import {
  clusterId,
  type Cluster,
  type ClusterId,
  type RecordedEvent,
  type TenantId,
} from '@weir/contract'
import type { Store } from '@weir/eventlog'
import { decodeCredentials, type ClusterCredentials } from '@weir/kube'

/** A cluster as the log and the vault know it. */
export interface KnownCluster {
  readonly tenant: TenantId
  readonly cluster: Cluster
  /** False once it is deregistered: everything of it goes, and nobody watches it. */
  readonly served: boolean
  /** When it was deregistered, by the log's clock, milliseconds since the epoch; while it is. */
  readonly leftAt?: number
  /** Rises with every change of settings or credentials, and when missing Services are said to be gone. */
  readonly version: number
}

/**
 * A cluster among those of all tenants: nothing keeps two tenants from naming the same one, and neither
 * may come by the other's credentials or disturb its watch.
 */
export const clusterName = (tenant: TenantId, id: ClusterId): string => `${tenant}/${id}`

/** Finds clusters and opens their credentials. */
export interface Registry {
  /** All clusters that have credentials. */
  list(): Promise<readonly KnownCluster[]>
  find(tenant: TenantId, id: ClusterId): Promise<KnownCluster | undefined>
  /** @throws OperatingError when they cannot be opened, InvalidInput when they break our rules. */
  credentials(known: KnownCluster): Promise<ClusterCredentials | undefined>
}

export interface RegistryPorts {
  readonly store: Pick<Store, 'log' | 'vault'>
  /** Opens a sealed secret of a cluster. */
  readonly open: (
    at: { readonly tenant: TenantId; readonly cluster: ClusterId; readonly field: string },
    sealed: Uint8Array,
  ) => Promise<string>
}

const prefix = 'cluster-credentials/'

export const createRegistry = ({ store, open }: RegistryPorts): Registry => {
  const find = async (tenant: TenantId, id: ClusterId): Promise<KnownCluster | undefined> =>
    foldCluster(tenant, await store.log.story(tenant, id))
  return {
    find,
    // The vault names the clusters of all tenants; reading every log for them would take far longer.
    list: async () => {
      const named = await store.vault.list(prefix)
      const found = await Promise.all(
        named.map(async ({ tenant, name }) => {
          const id = clusterId.safeParse(name.slice(prefix.length))
          return id.success ? find(tenant, id.data) : undefined
        }),
      )
      return found.filter((known) => known !== undefined)
    },
    credentials: async ({ tenant, cluster: { id } }) => {
      const sealed = await store.vault.get(tenant, `${prefix}${id}`)
      if (sealed === undefined) return undefined
      return decodeCredentials(await open({ tenant, cluster: id, field: 'credentials' }, sealed))
    },
  }
}

const foldCluster = (
  tenant: TenantId,
  story: readonly RecordedEvent[],
): KnownCluster | undefined => {
  let known: KnownCluster | undefined
  for (const { type, data, sequence, recordedtime } of story) {
    if (type === 'ClusterConnected' || type === 'ClusterChanged') {
      known = { tenant, cluster: data.cluster, served: true, version: sequence }
    }
    if (type === 'AbsenceApproved' && known !== undefined) known = { ...known, version: sequence }
    if (type === 'ClusterDeregistered' && known !== undefined) {
      const leftAt = Date.parse(recordedtime)
      known = { ...known, served: false, leftAt, version: sequence }
    }
  }
  return known
}
