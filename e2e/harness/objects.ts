// The shapes of what the tests make and read; only the fields that they look at.

export interface ServicePort {
  readonly name?: string
  readonly port: number
  readonly targetPort?: number
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP'
  readonly nodePort?: number
}

export interface ServiceSpec {
  readonly type: string
  readonly ports: readonly ServicePort[]
  readonly clusterIP: string
  readonly healthCheckNodePort?: number
  readonly externalTrafficPolicy?: string
  readonly selector: Readonly<Record<string, string>>
}

/** A Service as the API server tells it. */
export interface ServiceObject {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly resourceVersion: string
    readonly deletionTimestamp?: string
    readonly finalizers?: readonly string[]
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec: ServiceSpec
  readonly status: {
    readonly loadBalancer?: {
      readonly ingress?: readonly { readonly ip: string; readonly ipMode?: string }[]
    }
  }
}

/** A Kubernetes Event about a Service. */
export interface ToldEvent {
  readonly type: string
  readonly reason: string
  readonly message: string
}

/** An event of weir's log. */
export interface LogEvent {
  readonly sequence: number
  readonly type: string
  readonly subject: string
  /** ISO 8601, by the log's clock. */
  readonly recordedtime: string
  readonly data: Readonly<Record<string, unknown>>
}

/** A Deployment of echo pods, all on one node when `node` is given. */
export const deployment = (name: string, replicas: number, on: { app?: string; node?: string }) => {
  const labels = { app: on.app ?? name, deployment: name }
  const place = on.node === undefined ? {} : { 'kubernetes.io/hostname': on.node }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { nodeSelector: place, containers: [{ name: 'echo', image: 'example' }] },
      },
    },
  }
}

export interface ServiceWish {
  readonly annotations?: Readonly<Record<string, string>>
  readonly spec?: object
}

/** A Service of type LoadBalancer over the pods with `app`, on port 8765 unless the spec says else. */
export const balancer = (name: string, app: string, wish: ServiceWish = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, annotations: wish.annotations ?? {} },
  spec: {
    type: 'LoadBalancer',
    selector: { app },
    ports: [{ name: 'web', port: 8765, targetPort: 9376, protocol: 'TCP' }],
    ...wish.spec,
  },
})
