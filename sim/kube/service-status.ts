// What `PATCH services/NAME/status` does, for the patches that weir sends: strategic merge of finalizers,
// annotations, ingress and conditions, with the preconditions and refusals of the real API server.
import { ApiError } from '@weir/kube'
import { z } from 'zod'
import type { Condition, Ingress, Service } from './object.ts'

const condition = z.looseObject({ type: z.string(), $patch: z.literal('delete').optional() })

const body = z.strictObject({
  metadata: z.strictObject({
    uid: z.string().optional(),
    resourceVersion: z.string().optional(),
    finalizers: z.array(z.string()).optional(),
    '$deleteFromPrimitiveList/finalizers': z.array(z.string()).optional(),
    annotations: z.record(z.string(), z.string().nullable()).optional(),
  }),
  status: z
    .strictObject({
      loadBalancer: z
        .strictObject({
          ingress: z
            .array(
              z.strictObject({
                ip: z.string().optional(),
                hostname: z.string().optional(),
                ipMode: z.string().optional(),
              }),
            )
            .nullable(),
        })
        .optional(),
      conditions: z.array(condition).optional(),
    })
    .optional(),
})

export type StatusPatch = z.infer<typeof body>

/** @throws when the patch has a part that the twin does not know: it refuses rather than guesses. */
export const readStatusPatch = (raw: unknown): StatusPatch => body.parse(raw)

/** The Service after the patch. @throws ApiError as the real one answers. */
export const patchStatus = (service: Service, patch: StatusPatch): Service => {
  checkPreconditions(service, patch)
  const finalizers = finalizersAfter(service, patch)
  const added = finalizers.filter((one) => !(service.metadata.finalizers ?? []).includes(one))
  if (service.metadata.deletionTimestamp !== undefined && added.length > 0) {
    throw invalid('no new finalizers can be added if the object is being deleted')
  }
  const ingress = ingressAfter(service, patch)
  if (service.spec.type !== 'LoadBalancer' && (ingress ?? []).length > 0) {
    throw invalid('status.loadBalancer may only be used when `spec.type` is "LoadBalancer"')
  }
  const conditions = conditionsAfter(service, patch)
  const annotations = annotationsAfter(service, patch)
  const { finalizers: _f, annotations: _a, ...metadata } = service.metadata
  return {
    ...service,
    metadata: {
      ...metadata,
      ...(finalizers.length > 0 ? { finalizers } : {}),
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    },
    status: {
      loadBalancer: ingress === undefined ? {} : { ingress },
      ...(conditions.length > 0 ? { conditions } : {}),
    },
  }
}

const checkPreconditions = ({ metadata }: Service, { metadata: asked }: StatusPatch): void => {
  if (asked.uid !== undefined && asked.uid !== metadata.uid) {
    throw conflict(`UID in precondition: ${asked.uid}, UID in object meta: ${metadata.uid}`)
  }
  const { resourceVersion = '' } = asked
  if (resourceVersion !== '' && resourceVersion !== metadata.resourceVersion) {
    throw conflict('the object has been modified; please apply your changes to the latest version')
  }
}

const finalizersAfter = ({ metadata }: Service, { metadata: asked }: StatusPatch): string[] => {
  const gone = asked['$deleteFromPrimitiveList/finalizers'] ?? []
  return [...new Set([...(metadata.finalizers ?? []), ...(asked.finalizers ?? [])])].filter(
    (one) => !gone.includes(one),
  )
}

const annotationsAfter = (
  { metadata }: Service,
  { metadata: asked }: StatusPatch,
): Record<string, string> => {
  const merged = { ...metadata.annotations, ...asked.annotations }
  return Object.fromEntries(
    Object.entries(merged).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  )
}

const ingressAfter = (
  { status }: Service,
  { status: asked }: StatusPatch,
): readonly Ingress[] | undefined => {
  if (asked?.loadBalancer === undefined) return status.loadBalancer.ingress
  const { ingress } = asked.loadBalancer
  if (ingress === null || ingress.length === 0) return undefined
  return ingress.map((entry) => ({
    ...(entry.ip === undefined ? {} : { ip: entry.ip, ipMode: entry.ipMode ?? 'VIP' }),
    ...(entry.hostname === undefined ? {} : { hostname: entry.hostname }),
  }))
}

const conditionsAfter = (
  { status }: Service,
  { status: asked }: StatusPatch,
): readonly Condition[] => {
  const byType = new Map((status.conditions ?? []).map((each) => [each.type, each]))
  for (const { $patch, ...each } of asked?.conditions ?? []) {
    if ($patch === 'delete') byType.delete(each.type)
    else byType.set(each.type, { ...byType.get(each.type), ...(each as unknown as Condition) })
  }
  return [...byType.values()]
}

const conflict = (message: string): ApiError =>
  new ApiError(message, { status: 409, reason: 'Conflict' })
const invalid = (message: string): ApiError =>
  new ApiError(message, { status: 422, reason: 'Invalid' })
