import { OperatingError } from '@weir/kernel'
import { z } from 'zod'
import type { KubeConnection } from './connection.ts'

/** Every object of one resource at one moment. */
export interface CompleteList {
  readonly items: readonly unknown[]
  readonly resourceVersion: string
}

export interface ListRequest {
  readonly connection: KubeConnection
  /** `/api/v1/services`, without a query. */
  readonly path: string
  /** The kind the answer must have, such as `ServiceList`. */
  readonly kind: string
  readonly signal: AbortSignal
  /** Objects per page. */
  readonly pageSize?: number
  /** Most objects in all, a bound on what a hostile server makes us hold. */
  readonly maxItems?: number
}

const page = z.object({
  kind: z.string(),
  metadata: z.object({
    resourceVersion: z.string().min(1),
    continue: z.string().nullish(),
    remainingItemCount: z.number().nullish(),
  }),
  items: z.array(z.unknown()),
})

/**
 * Reads every page. No resourceVersion is asked for, so the answer is as new as etcd: any older one may
 * travel back in time between two API servers.
 * @throws OperatingError when the list is not a complete list of the right kind; ApiError otherwise.
 */
export const listAll = async (request: ListRequest): Promise<CompleteList> => {
  const { connection, path, kind, signal } = request
  const { pageSize = 500, maxItems = 200_000 } = request
  const items: unknown[] = []
  let more = ''
  for (let pages = 0; pages <= maxItems / pageSize; pages += 1) {
    const query = `?limit=${pageSize}${more && `&continue=${encodeURIComponent(more)}`}`
    const answer = await connection.call({ method: 'GET', path: `${path}${query}`, signal })
    const read = page.safeParse(answer)
    if (!read.success || read.data.kind !== kind) {
      throw new OperatingError(`${path} of ${connection.server} answered with no ${kind}`)
    }
    items.push(...read.data.items)
    const { metadata } = read.data
    more = metadata.continue ?? ''
    if (more === '' && (metadata.remainingItemCount ?? 0) > 0) {
      throw new OperatingError(`${path} of ${connection.server} ended with items remaining`)
    }
    if (more === '') return { items, resourceVersion: metadata.resourceVersion }
  }
  throw new OperatingError(`${path} of ${connection.server} has over ${maxItems} objects`)
}
