// The twin of one tenant's cluster: what users do to it, with what the API server adds by itself.
import type { Clock } from '@weir/kernel'
import type { Random } from '../scheduler/random.ts'
import type { Service, ServicePort, ServiceSpec } from './object.ts'
import { createKubeStore, keyOf, type KubeStore } from './store.ts'

export interface KubeCluster {
  readonly id: string
  readonly server: string
  readonly store: KubeStore
  /** Names of the Kubernetes Events that were told. */
  readonly events: Set<string>
  /** What the user's kubectl does. */
  createService(name: string, spec: WishedSpec, metadata?: ServiceMetadata): Service
  changeService(name: string, change: (spec: WishedSpec) => WishedSpec): void
  /** Sets annotations, and takes those off that are undefined. */
  annotate(name: string, annotations: Readonly<Record<string, string | undefined>>): void
  deleteService(name: string): void
  /** Takes every finalizer off, as an impatient user may. */
  stripFinalizers(name: string): void
  putNode(name: string, address: string, more?: NodeState): void
  removeNode(name: string): void
  /** Which nodes have a ready pod of the Service. */
  putPods(name: string, nodes: readonly string[]): void
  services(): readonly Service[]
}

export interface ServiceMetadata {
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
}

export interface NodeState {
  readonly excluded?: boolean
  readonly tainted?: boolean
}

export type WishedSpec = Omit<ServiceSpec, 'ports' | 'healthCheckNodePort'> & {
  readonly ports: readonly Omit<ServicePort, 'nodePort'>[]
}

const namespace = 'default'

export const createKubeCluster = (at: {
  readonly id: string
  readonly server: string
  readonly clock: Clock
  readonly random: Random
}): KubeCluster => {
  const { id, server, clock, random } = at
  const store = createKubeStore(() => clock.now())
  let nextPort = 30_000

  const find = (name: string): Service | undefined => store.get('services', `${namespace}/${name}`)
  const nodePort = (): number => (nextPort += 1)

  /** What the API server allocates: node ports stay with their port while the type needs them. */
  const complete = (wished: WishedSpec, before: ServiceSpec | undefined): ServiceSpec => {
    const balanced = wished.type === 'LoadBalancer'
    const ports = wished.ports.map((port) => {
      const old = before?.ports.find((each) => portName(each) === portName(port))?.nodePort
      return balanced ? { ...port, nodePort: old ?? nodePort() } : port
    })
    const local = balanced && wished.externalTrafficPolicy === 'Local'
    return {
      ...wished,
      ports,
      ...(local ? { healthCheckNodePort: before?.healthCheckNodePort ?? nodePort() } : {}),
    }
  }

  return {
    id,
    server,
    store,
    events: new Set(),
    services: () => store.all('services'),
    createService: (name, spec, metadata = {}) =>
      store.put('services', {
        metadata: { name, namespace, uid: random.uuid(), resourceVersion: '', ...metadata },
        spec: complete(spec, undefined),
        status: { loadBalancer: {} },
      }),
    changeService: (name, change) => {
      const service = find(name)
      if (service === undefined) return
      const spec = complete(change(service.spec), service.spec)
      const keeps = spec.type === 'LoadBalancer'
      // A Service of another type has no load balancer to tell of: the API server clears it.
      const status = keeps ? service.status : { ...service.status, loadBalancer: {} }
      store.put('services', { ...service, spec, status })
    },
    annotate: (name, annotations) => {
      const service = find(name)
      if (service === undefined) return
      const all = Object.entries({ ...service.metadata.annotations, ...annotations })
      const kept = all.filter((pair): pair is [string, string] => pair[1] !== undefined)
      const metadata = { ...service.metadata, annotations: Object.fromEntries(kept) }
      store.put('services', { ...service, metadata })
    },
    deleteService: (name) => {
      if (find(name) !== undefined) store.remove('services', `${namespace}/${name}`)
    },
    stripFinalizers: (name) => {
      const service = find(name)
      if (service === undefined) return
      const { finalizers: _gone, ...metadata } = service.metadata
      store.put('services', { ...service, metadata })
    },
    putNode: (name, address, { excluded = false, tainted = false } = {}) => {
      const uid = store.get('nodes', name)?.metadata.uid ?? random.uuid()
      const label = 'node.kubernetes.io/exclude-from-external-load-balancers'
      store.put('nodes', {
        metadata: { name, uid, resourceVersion: '', labels: excluded ? { [label]: 'true' } : {} },
        spec: tainted ? { taints: [{ key: 'ToBeDeletedByClusterAutoscaler' }] } : {},
        status: { addresses: [{ type: 'InternalIP', address }] },
      })
    },
    removeNode: (name) => {
      if (store.get('nodes', name) !== undefined) store.remove('nodes', name)
    },
    putPods: (name, nodes) => {
      const service = find(name)
      if (service === undefined) return
      const slice = store.get('endpointslices', `${namespace}/${name}-0`)
      const owner = { kind: 'Service', uid: service.metadata.uid }
      store.put('endpointslices', {
        metadata: {
          name: `${name}-0`,
          namespace,
          uid: slice?.metadata.uid ?? random.uuid(),
          resourceVersion: '',
          labels: { 'kubernetes.io/service-name': name },
          ownerReferences: [owner],
        },
        endpoints: nodes.map((nodeName, index) => ({
          addresses: [`10.0.0.${index + 1}`],
          nodeName,
          conditions: { ready: true },
          targetRef: { uid: `${service.metadata.uid}-${nodeName}` },
        })),
      })
    },
  }
}

const portName = ({ protocol, port }: Omit<ServicePort, 'nodePort'>): string =>
  `${protocol}/${port}`

export const nameOf = (service: Service): string => keyOf(service.metadata)
