/** The parts of the Kubernetes objects that a hollow node reads, named as in the API. */
export interface Meta {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly deletionTimestamp?: string
  readonly deletionGracePeriodSeconds?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly { readonly uid: string }[]
}

export interface KubeObject {
  readonly metadata: Meta
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
  readonly lastHeartbeatTime?: string
}

export interface Taint {
  readonly key: string
  readonly value?: string
  readonly effect: string
}

export interface Toleration {
  readonly key?: string
  readonly operator?: string
  readonly value?: string
  readonly effect?: string
}

export interface KubeNode extends KubeObject {
  readonly spec?: { readonly unschedulable?: boolean; readonly taints?: readonly Taint[] }
  readonly status?: { readonly conditions?: readonly Condition[] }
}

export interface NodeRequirement {
  readonly key: string
  readonly operator: string
  readonly values?: readonly string[]
}

export interface NodeSelectorTerm {
  readonly matchExpressions?: readonly NodeRequirement[]
  readonly matchFields?: readonly NodeRequirement[]
}

export interface PodSpec {
  readonly nodeName?: string
  readonly schedulerName?: string
  readonly nodeSelector?: Readonly<Record<string, string>>
  readonly tolerations?: readonly Toleration[]
  readonly containers?: readonly { readonly name: string; readonly image?: string }[]
  readonly affinity?: {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: {
        readonly nodeSelectorTerms?: readonly NodeSelectorTerm[]
      }
    }
  }
}

export interface Pod extends KubeObject {
  readonly spec: PodSpec
  readonly status?: {
    readonly phase?: string
    readonly podIP?: string
    readonly startTime?: string
    readonly conditions?: readonly Condition[]
  }
}

export interface ServicePort {
  readonly name?: string
  readonly protocol?: string
  readonly port: number
  readonly nodePort?: number
}

export interface Service extends KubeObject {
  readonly spec: {
    readonly type?: string
    readonly clusterIP?: string
    readonly ports?: readonly ServicePort[]
    readonly externalTrafficPolicy?: string
    readonly healthCheckNodePort?: number
    readonly sessionAffinity?: string
    readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } }
  }
  readonly status?: {
    readonly loadBalancer?: {
      readonly ingress?: readonly { readonly ip?: string; readonly ipMode?: string }[]
    }
  }
}

export interface SliceEndpoint {
  readonly addresses: readonly string[]
  readonly nodeName?: string
  readonly conditions?: {
    readonly ready?: boolean
    readonly serving?: boolean
    readonly terminating?: boolean
  }
}

export interface EndpointSlice extends KubeObject {
  readonly addressType?: string
  readonly endpoints?: readonly SliceEndpoint[] | null
  readonly ports?:
    | readonly { readonly name?: string; readonly protocol?: string; readonly port?: number }[]
    | null
}

/** `namespace/name`, or the name alone for what has no namespace. */
export const keyOf = (meta: Meta): string =>
  meta.namespace === undefined ? meta.name : `${meta.namespace}/${meta.name}`

/** Whether a condition of the type is `True`. */
export const isTrue = (conditions: readonly Condition[] | undefined, type: string): boolean =>
  conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false
