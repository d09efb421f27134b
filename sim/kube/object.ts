// The parts of Kubernetes objects that the twin of the API server keeps.

export interface Meta {
  readonly name: string
  readonly namespace?: string
  readonly uid: string
  readonly resourceVersion: string
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly ownerReferences?: readonly { readonly kind: string; readonly uid: string }[]
}

export interface ServicePort {
  readonly name?: string
  readonly protocol: string
  readonly port: number
  readonly nodePort?: number
}

export interface ServiceSpec {
  readonly type: 'LoadBalancer' | 'ClusterIP' | 'NodePort'
  readonly ports: readonly ServicePort[]
  readonly loadBalancerClass?: string
  readonly loadBalancerIP?: string
  readonly loadBalancerSourceRanges?: readonly string[]
  readonly externalTrafficPolicy?: 'Cluster' | 'Local'
  readonly healthCheckNodePort?: number
  readonly sessionAffinity?: 'None' | 'ClientIP'
  readonly ipFamilies?: readonly string[]
}

export interface Ingress {
  readonly ip?: string
  readonly hostname?: string
  readonly ipMode?: string
}

export interface Condition {
  readonly type: string
  readonly [field: string]: string
}

export interface ServiceStatus {
  readonly loadBalancer: { readonly ingress?: readonly Ingress[] }
  readonly conditions?: readonly Condition[]
}

export interface Service {
  readonly metadata: Meta
  readonly spec: ServiceSpec
  readonly status: ServiceStatus
}

export interface Node {
  readonly metadata: Meta
  readonly spec: {
    readonly providerID?: string
    readonly taints?: readonly { readonly key: string }[]
  }
  readonly status: {
    readonly addresses: readonly { readonly type: string; readonly address: string }[]
  }
}

export interface Slice {
  readonly metadata: Meta
  readonly endpoints: readonly {
    readonly addresses: readonly string[]
    readonly nodeName: string
    readonly conditions: { readonly ready: boolean }
    readonly targetRef: { readonly uid: string }
  }[]
}

export type KubeObject = Service | Node | Slice

export type Resource = 'services' | 'nodes' | 'endpointslices'

export const listKinds: Readonly<Record<Resource, string>> = {
  services: 'ServiceList',
  nodes: 'NodeList',
  endpointslices: 'EndpointSliceList',
}
