import {
  type Json,
  type JsonObject,
  type KubeObject,
  listAt,
  textAt,
  timestamp,
} from '../object.ts'
import type { Fleet } from './deployments.ts'
import { isReady } from './pod-state.ts'

interface Asked {
  readonly wanted: number
  readonly now: number
}

/** The status that `kubectl rollout status` and `kubectl wait` read. */
export const deploymentStatus = (
  deployment: KubeObject,
  { current, old }: Fleet,
  { wanted, now }: Asked,
): JsonObject => {
  const all = [...current, ...old]
  const ready = all.filter(isReady).length
  const counts: JsonObject = {
    replicas: all.length,
    updatedReplicas: current.length,
    readyReplicas: ready,
    availableReplicas: ready,
    unavailableReplicas: Math.max(wanted - ready, 0),
  }
  for (const [key, value] of Object.entries(counts)) if (value === 0) delete counts[key]
  const mostMissing = Math.floor(wanted / 4)
  const available = ready >= wanted - mostMissing
  const done = current.length === wanted && old.length === 0 && ready >= wanted
  const before = listAt(deployment, 'status', 'conditions')
  return {
    observedGeneration: deployment.metadata.generation ?? 1,
    ...counts,
    conditions: [
      condition(before, now, {
        type: 'Available',
        status: available ? 'True' : 'False',
        reason: available ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
        message: available
          ? 'Deployment has minimum availability.'
          : 'Deployment does not have minimum availability.',
      }),
      condition(before, now, {
        type: 'Progressing',
        status: 'True',
        reason: done ? 'NewReplicaSetAvailable' : 'ReplicaSetUpdated',
        message: done
          ? `Deployment "${deployment.metadata.name}" has successfully progressed.`
          : `Deployment "${deployment.metadata.name}" is progressing.`,
      }),
    ],
  }
}

/** Keeps a condition's times while nothing about it changes. */
const condition = (before: readonly Json[], now: number, next: JsonObject): JsonObject => {
  const old = before.find((one) => textAt(one, 'type') === next['type'])
  const sameStatus = textAt(old, 'status') === next['status']
  const same = sameStatus && textAt(old, 'reason') === next['reason']
  const present = timestamp(now)
  return {
    ...next,
    lastUpdateTime: same ? textAt(old, 'lastUpdateTime') : present,
    lastTransitionTime: sameStatus ? textAt(old, 'lastTransitionTime') : present,
  }
}
