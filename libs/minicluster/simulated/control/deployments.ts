import { hashOf } from '@weir/contract'
import type { Cluster } from '../cluster.ts'
import { randomSuffix } from '../cluster.ts'
import { at, copyOf, isObject, type JsonObject, type KubeObject, textAt } from '../object.ts'
import { deployments } from '../resources/deployment.ts'
import { pods } from '../resources/pod.ts'
import { decodeObject } from '../write/decode-object.ts'
import { remove } from '../write/remove.ts'
import { create, update } from '../write/write.ts'
import { deploymentStatus } from './deployment-status.ts'
import { DirtyKeys } from './dirty-keys.ts'
import type { Owners } from './owners.ts'
import { isReady, isTerminating } from './pod-state.ts'

/**
 * Runs Deployments straight to pods, with no ReplicaSets between: pods are named and labelled as a
 * ReplicaSet's would be and belong to the Deployment. A new template makes all its pods at once, and an
 * old pod goes for each new one that is ready.
 */
export const startDeployments = (cluster: Cluster, owners: Owners): (() => void) => {
  const table = cluster.table(deployments)
  const keys = new DirtyKeys((key) => {
    const deployment = table.get(key)?.object
    if (deployment === undefined || deployment.metadata.deletionTimestamp !== undefined) return
    reconcile(cluster, owners, deployment)
  })
  const ends = [
    table.subscribe((change) => keys.mark(change.now.key)),
    cluster.table(pods).subscribe((change) => {
      for (const owner of change.now.object.metadata.ownerReferences ?? [])
        if (owner.kind === 'Deployment')
          keys.mark(`${change.now.object.metadata.namespace}/${owner.name}`)
    }),
  ]
  for (const { key } of table.values()) keys.mark(key)
  return () => {
    for (const end of ends) end()
    keys.stop()
  }
}

/** A Deployment's pods, those of its present template apart; terminating ones are in neither. */
export interface Fleet {
  readonly hash: string
  readonly current: readonly KubeObject[]
  readonly old: readonly KubeObject[]
}

const hashLabel = 'pod-template-hash'

const fleetOf = (cluster: Cluster, owners: Owners, deployment: KubeObject): Fleet => {
  const hash = hashOf(at(deployment, 'spec', 'template') ?? {}).slice(0, 10)
  const mine = owners
    .in(cluster.table(pods), deployment.metadata.uid ?? '')
    .map((stored) => stored.object)
    .filter((pod) => !isTerminating(pod) && textAt(pod, 'status', 'phase') !== 'Failed')
  const isCurrent = (pod: KubeObject): boolean => pod.metadata.labels?.[hashLabel] === hash
  return {
    hash,
    current: mine.filter(isCurrent),
    old: mine.filter((pod) => !isCurrent(pod)),
  }
}

const reconcile = (cluster: Cluster, owners: Owners, deployment: KubeObject): void => {
  const wanted = Number(at(deployment, 'spec', 'replicas') ?? 1)
  if (at(deployment, 'spec', 'paused') !== true) {
    const fleet = fleetOf(cluster, owners, deployment)
    const recreates = textAt(deployment, 'spec', 'strategy', 'type') === 'Recreate'
    const missing = recreates && fleet.old.length > 0 ? 0 : wanted - fleet.current.length
    for (let count = 0; count < missing; count += 1) createPod(cluster, deployment, fleet.hash)
    for (const pod of surplus(fleet.current, -missing)) deletePod(cluster, pod)
    const ready = fleet.current.filter(isReady).length
    const spare = recreates ? fleet.old.length : fleet.old.length + ready - wanted
    for (const pod of surplus(fleet.old, spare)) deletePod(cluster, pod)
  }
  const status = deploymentStatus(deployment, fleetOf(cluster, owners, deployment), {
    wanted,
    now: cluster.clock.now(),
  })
  const draft = copyOf(deployment)
  draft['status'] = status
  const { namespace, name } = deployment.metadata
  update(cluster, { resource: deployments, namespace, name }, draft, {
    dryRun: false,
    part: 'status',
  })
}

/** Which pods go first: those that are not ready, then the youngest. */
const surplus = (fleet: readonly KubeObject[], count: number): KubeObject[] => {
  if (count <= 0) return []
  const age = (pod: KubeObject): string => pod.metadata.creationTimestamp ?? ''
  const ordered = [...fleet].sort(
    (a, b) => Number(isReady(a)) - Number(isReady(b)) || (age(a) < age(b) ? 1 : -1),
  )
  return ordered.slice(0, count)
}

const deletePod = (cluster: Cluster, pod: KubeObject): void => {
  const { namespace, name } = pod.metadata
  remove(cluster, { resource: pods, namespace, name }, { dryRun: false })
}

const createPod = (cluster: Cluster, deployment: KubeObject, hash: string): void => {
  const { name, namespace, uid = '' } = deployment.metadata
  const template = at(deployment, 'spec', 'template')
  const metadata: JsonObject =
    isObject(template) && isObject(template['metadata']) ? template['metadata'] : {}
  const labels = isObject(metadata['labels']) ? metadata['labels'] : {}
  const body: JsonObject = {
    metadata: {
      ...metadata,
      name: `${name.slice(0, 46)}-${hash}-${randomSuffix(cluster.ids)}`,
      generateName: `${name.slice(0, 46)}-${hash}-`,
      namespace,
      labels: { ...labels, [hashLabel]: hash },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          name,
          uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: at(template, 'spec') ?? {},
  }
  const { object } = decodeObject(pods, body, 'Ignore')
  create(cluster, { resource: pods, namespace }, object, { dryRun: false })
}
