import { at, type JsonObject, type KubeObject, listAt, textAt } from '../object.ts'
import { isHeadless, type Service, type ServicePort } from '../resources/service/service.ts'
import { isOver, isReady, isTerminating } from './pod-state.ts'

/** What one EndpointSlice holds. */
export interface SliceContent {
  readonly ports: JsonObject[]
  readonly endpoints: JsonObject[]
}

const mostPerSlice = 100

/**
 * The slices of a Service: its pods with an address, at most a hundred each, those apart whose named
 * target ports stand for other numbers. A Service without pods has one empty slice.
 */
export const groupEndpoints = (service: Service, pods: readonly KubeObject[]): SliceContent[] => {
  const groups = new Map<string, { ports: JsonObject[]; pods: KubeObject[] }>()
  for (const pod of pods) {
    if (textAt(pod, 'status', 'podIP') === '' || isOver(pod)) continue
    const ports = portsOf(service, pod)
    const key = JSON.stringify(ports)
    const group = groups.get(key) ?? { ports, pods: [] }
    group.pods.push(pod)
    groups.set(key, group)
  }
  const slices: SliceContent[] = []
  for (const { ports, pods: members } of groups.values()) {
    const ordered = members.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    for (let from = 0; from < ordered.length; from += mostPerSlice) {
      const some = ordered.slice(from, from + mostPerSlice)
      slices.push({ ports, endpoints: some.map((pod) => endpointOf(service, pod)) })
    }
  }
  return slices.length === 0 ? [{ ports: [], endpoints: [] }] : slices
}

const endpointOf = (service: Service, pod: KubeObject): JsonObject => {
  const { name, namespace, uid } = pod.metadata
  const serving = isReady(pod)
  const terminating = isTerminating(pod)
  const early = service.spec.publishNotReadyAddresses === true
  const nodeName = textAt(pod, 'spec', 'nodeName')
  return {
    addresses: [textAt(pod, 'status', 'podIP')],
    conditions: { ready: early || (serving && !terminating), serving, terminating },
    ...(nodeName === '' ? {} : { nodeName }),
    targetRef: { kind: 'Pod', name, namespace, uid },
  }
}

const portsOf = (service: Service, pod: KubeObject): JsonObject[] => {
  const ports = service.spec.ports ?? []
  if (ports.length === 0 && isHeadless(service.spec)) return []
  return ports.flatMap((port) => {
    const number = numberOf(port, pod)
    // A name that the pod does not have leaves the port out for this pod.
    if (number === undefined) return []
    return [
      {
        name: port.name ?? '',
        port: number,
        protocol: port.protocol,
        ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
      },
    ]
  })
}

const numberOf = (port: ServicePort, pod: KubeObject): number | undefined => {
  if (typeof port.targetPort === 'number') return port.targetPort
  for (const container of listAt(pod, 'spec', 'containers'))
    for (const own of listAt(container, 'ports')) {
      const number = at(own, 'containerPort')
      const named = textAt(own, 'name') === port.targetPort
      if (named && textAt(own, 'protocol') === port.protocol && typeof number === 'number')
        return number
    }
  return undefined
}
