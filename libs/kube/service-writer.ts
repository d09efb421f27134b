import { OperatingError } from '@weir/kernel'
import type { Ingress, ServiceUid } from '@weir/contract'
import { isApiError } from './api-error.ts'
import type { KubeConnection } from './connection.ts'
import { finalizers } from './finalizers.ts'
import { reasonAnnotation } from './knobs.ts'
import { kubeService } from './objects.ts'
import { seeService, type Condition, type SeenService, type WantedRule } from './translate.ts'

/**
 * Writes on Services, through the `status` subresource alone: its strategy keeps metadata and status
 * and resets spec, so the right to patch `services/status` is all we need, and we can never change
 * what a user asked for. Every patch carries the UID: a namesake is never written to.
 */
export interface ServiceWriter {
  /** Puts both finalizers on, leaving others' alone. Resolves after the API server's answer. */
  hold(at: ServiceRef): Promise<Written>
  /** Writes address, conditions and reason in one patch. */
  tell(at: ServiceRef, told: Told): Promise<Written>
  /**
   * Clears what we wrote and, unless `keepFinalizers`, takes both finalizers off, in one patch that
   * holds only for the version given: the decision to let go must not outlive what it was made on.
   */
  release(
    at: ServiceRef,
    how: { readonly resourceVersion: string; readonly keepFinalizers: boolean },
  ): Promise<Written>
  /** Reads the Service afresh; undefined when it, or its UID, is gone. */
  read(at: ServiceRef): Promise<SeenService | undefined>
}

export interface ServiceRef {
  readonly namespace: string
  readonly name: string
  readonly uid: ServiceUid
}

export interface Told {
  /** The whole list, in order; empty clears it; absent leaves it. */
  readonly ingress?: readonly Ingress[]
  /** Conditions of ours; others' types stay. */
  readonly conditions: readonly Condition[]
  /** The reason annotation; null removes it. */
  readonly reason: string | null
}

export type Written =
  | { readonly status: 'written'; readonly service: SeenService }
  /** The Service is gone, or its name belongs to another one now. */
  | { readonly status: 'gone' }
  /** It changed since `resourceVersion`, or too often while we tried: read it and decide again. */
  | { readonly status: 'changed' }
  /** The API server will not have it as the Service is now, such as a status after a type change. */
  | { readonly status: 'refused'; readonly problem: string }

const strategic = 'application/strategic-merge-patch+json'

/** The conditions that are ours to write. */
export const conditionTypes = ['weir.dev/Serving', 'weir.dev/Provisioning', 'weir.dev/Degraded']

export const createServiceWriter = (
  connection: KubeConnection,
  rule: WantedRule,
): ServiceWriter => {
  const read = async (at: ServiceRef): Promise<SeenService | undefined> => {
    try {
      const service = parse(await connection.call({ method: 'GET', path: pathOf(at) }), rule)
      return service.uid === at.uid ? service : undefined
    } catch (error) {
      if (isApiError(error, 404)) return undefined
      throw error
    }
  }

  const patch = async (at: ServiceRef, body: PatchBody): Promise<Written> => {
    const metadata = { ...body.metadata, uid: at.uid }
    try {
      const answer = await connection.call({
        method: 'PATCH',
        path: `${pathOf(at)}/status?fieldManager=weir`,
        contentType: strategic,
        body: { ...body, metadata },
      })
      return { status: 'written', service: parse(answer, rule) }
    } catch (error) {
      if (isApiError(error, 404)) return { status: 'gone' }
      if (!isApiError(error, 409, 422)) throw error
      // Both codes may mean that the name has another owner by now; only a read tells.
      if ((await read(at)) === undefined) return { status: 'gone' }
      if (error.status === 409) return { status: 'changed' }
      return { status: 'refused', problem: error.message }
    }
  }

  return {
    read,
    hold: (at) => patch(at, { metadata: { finalizers } }),
    tell: (at, { ingress, conditions, reason }) =>
      patch(at, {
        metadata: { annotations: { [reasonAnnotation]: reason } },
        status: {
          ...(ingress === undefined ? {} : { loadBalancer: { ingress: orNull(ingress) } }),
          conditions,
        },
      }),
    release: (at, { resourceVersion, keepFinalizers }) =>
      patch(at, {
        metadata: {
          resourceVersion,
          annotations: { [reasonAnnotation]: null },
          ...(keepFinalizers ? {} : { '$deleteFromPrimitiveList/finalizers': finalizers }),
        },
        status: {
          loadBalancer: { ingress: null },
          conditions: conditionTypes.map((type) => ({ $patch: 'delete', type })),
        },
      }),
  }
}

interface PatchBody {
  readonly metadata: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>>
}

const orNull = (ingress: readonly Ingress[]): readonly Ingress[] | null =>
  ingress.length === 0 ? null : ingress

const pathOf = ({ namespace, name }: ServiceRef): string =>
  `/api/v1/namespaces/${encodeURIComponent(namespace)}/services/${encodeURIComponent(name)}`

const parse = (answer: unknown, rule: WantedRule): SeenService => {
  const read = kubeService.safeParse(answer)
  if (read.success) return seeService(read.data, rule)
  throw new OperatingError(`the API server answered with no Service: ${read.error.message}`)
}
