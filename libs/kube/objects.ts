// The parts of Kubernetes objects that weir reads, parsed from raw JSON: typed clients drop fields
// that are newer than themselves, and a list and a watch of theirs differ. Unknown fields are dropped
// here too, on purpose, so that what is kept in memory is small (no managedFields).
import { serviceUid } from '@weir/contract'
import { z } from 'zod'

const texts = z.record(z.string(), z.string())

const metadata = {
  name: z.string(),
  resourceVersion: z.string(),
  deletionTimestamp: z.string().nullish(),
  labels: texts.nullish(),
  annotations: texts.nullish(),
}

const condition = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().nullish(),
  message: z.string().nullish(),
  lastTransitionTime: z.string().nullish(),
})

export const kubeService = z.object({
  metadata: z.object({
    ...metadata,
    uid: serviceUid,
    namespace: z.string(),
    finalizers: z.array(z.string()).nullish(),
  }),
  spec: z.object({
    type: z.string().nullish(),
    ports: z
      .array(
        z.object({
          name: z.string().nullish(),
          protocol: z.string().nullish(),
          port: z.number(),
          nodePort: z.number().nullish(),
        }),
      )
      .nullish(),
    loadBalancerClass: z.string().nullish(),
    loadBalancerIP: z.string().nullish(),
    loadBalancerSourceRanges: z.array(z.string()).nullish(),
    externalTrafficPolicy: z.string().nullish(),
    healthCheckNodePort: z.number().nullish(),
    sessionAffinity: z.string().nullish(),
    sessionAffinityConfig: z
      .object({ clientIP: z.object({ timeoutSeconds: z.number().nullish() }).nullish() })
      .nullish(),
    ipFamilies: z.array(z.string()).nullish(),
  }),
  status: z
    .object({
      loadBalancer: z
        .object({
          ingress: z
            .array(
              z.object({
                ip: z.string().nullish(),
                hostname: z.string().nullish(),
                ipMode: z.string().nullish(),
              }),
            )
            .nullish(),
        })
        .nullish(),
      conditions: z.array(condition).nullish(),
    })
    .nullish(),
})
export type KubeService = z.infer<typeof kubeService>

export const kubeNode = z.object({
  metadata: z.object({ ...metadata, uid: z.string() }),
  spec: z
    .object({
      taints: z.array(z.object({ key: z.string() })).nullish(),
      providerID: z.string().nullish(),
    })
    .nullish(),
  status: z
    .object({ addresses: z.array(z.object({ type: z.string(), address: z.string() })).nullish() })
    .nullish(),
})
export type KubeNode = z.infer<typeof kubeNode>

export const kubeEndpointSlice = z.object({
  metadata: z.object({
    ...metadata,
    uid: z.string(),
    namespace: z.string(),
    ownerReferences: z.array(z.object({ kind: z.string(), uid: z.string() })).nullish(),
  }),
  endpoints: z
    .array(
      z.object({
        addresses: z.array(z.string()).nullish(),
        conditions: z.object({ ready: z.boolean().nullish() }).nullish(),
        nodeName: z.string().nullish(),
        targetRef: z.object({ uid: z.string().nullish() }).nullish(),
      }),
    )
    .nullish(),
})
export type KubeEndpointSlice = z.infer<typeof kubeEndpointSlice>
