import { isTrue, type Condition, type Pod } from './objects.ts'

/** Set to `"false"` on a pod, it makes the pod not ready: `kubectl annotate pod NAME KEY=false`. */
export const readyAnnotation = 'hollow.weir.dev/ready'

const isReady = (pod: Pod): boolean => pod.metadata.annotations?.[readyAnnotation] !== 'false'

/** Whether the API already tells of the pod what a kubelet would. */
export const isReported = (pod: Pod, address: string): boolean =>
  pod.status?.phase === 'Running' &&
  pod.status.podIP === address &&
  isTrue(pod.status.conditions, 'Ready') === isReady(pod)

export interface Placement {
  /** The pod's nominal address. */
  readonly address: string
  /** The node's InternalIP. */
  readonly hostAddress: string
}

/** The status of a running pod as a kubelet reports it at `now` (RFC 3339). */
export const runningStatus = (pod: Pod, { address, hostAddress }: Placement, now: string) => {
  const ready = isReady(pod)
  const condition = (type: string, status: boolean): Condition => {
    const before = pod.status?.conditions?.find((one) => one.type === type)
    const word = status ? 'True' : 'False'
    const since = before?.status === word ? (before.lastTransitionTime ?? now) : now
    const why = status
      ? {}
      : { reason: 'ContainersNotReady', message: `annotation ${readyAnnotation} is "false"` }
    return { type, status: word, lastTransitionTime: since, ...why }
  }
  const startTime = pod.status?.startTime ?? now
  return {
    phase: 'Running',
    hostIP: hostAddress,
    hostIPs: [{ ip: hostAddress }],
    podIP: address,
    podIPs: [{ ip: address }],
    startTime,
    conditions: [
      condition('PodReadyToStartContainers', true),
      condition('Initialized', true),
      condition('Ready', ready),
      condition('ContainersReady', ready),
      condition('PodScheduled', true),
    ],
    containerStatuses: (pod.spec.containers ?? []).map(({ name, image = '' }) => ({
      name,
      image,
      imageID: '',
      containerID: `hollow://${pod.metadata.uid ?? ''}/${name}`,
      ready,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: startTime } },
    })),
  }
}
