import { ipAddress, type ObservedNode } from '@weir/contract'
import type { KubeNode } from './objects.ts'

const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers'
const toBeDeletedTaint = 'ToBeDeletedByClusterAutoscaler'

// Go's strconv.ParseBool: what reads as false keeps the node in; what reads as nothing takes it out.
const readsFalse = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False'])

/**
 * Reads a Node as a place to send traffic to. Whether it is Ready plays no part: health checks decide
 * that, and a node whose kubelet is away may serve well.
 */
export const seeNode = ({ metadata, spec, status }: KubeNode): ObservedNode => ({
  name: metadata.name,
  addresses: [...addressesOf(status, 'InternalIP'), ...addressesOf(status, 'ExternalIP')].slice(
    0,
    8,
  ),
  ...providerIdOf(spec),
  ...poolOf(metadata.labels ?? {}),
  excluded: metadata.deletionTimestamp
    ? 'deleting'
    : isExcluded(metadata.labels?.[excludeLabel])
      ? 'excluded-by-label'
      : (spec?.taints ?? []).some(({ key }) => key === toBeDeletedTaint)
        ? 'to-be-deleted'
        : null,
})

const providerIdMost = 500

/** Nothing for one that is empty, or so long that no cloud wrote it. */
const providerIdOf = (spec: KubeNode['spec']): Pick<ObservedNode, 'providerId'> => {
  const providerId = spec?.providerID ?? ''
  return providerId === '' || providerId.length > providerIdMost ? {} : { providerId }
}

/** Whose nodes are alike: as the owner says, or as clouds label them (Google, Amazon, Azure). */
const poolLabels = [
  'weir.dev/node-pool',
  'cloud.google.com/gke-nodepool',
  'eks.amazonaws.com/nodegroup',
  'kubernetes.azure.com/agentpool',
]

const poolOf = (labels: Readonly<Record<string, string>>): Pick<ObservedNode, 'pool'> => {
  const pool = poolLabels.map((label) => labels[label] ?? '').find((text) => text !== '')
  return pool === undefined ? {} : { pool }
}

const isExcluded = (label: string | undefined): boolean =>
  label !== undefined && !readsFalse.has(label)

const addressesOf = (status: KubeNode['status'], type: string): ObservedNode['addresses'] =>
  (status?.addresses ?? [])
    .filter((at) => at.type === type)
    .flatMap(({ address }) => {
      const read = ipAddress.safeParse(address)
      return read.success ? [read.data] : []
    })
