import { ApiError } from '@weir/kube'
import type { FaultPlan } from '../faults.ts'
import type { KubeCluster } from './cluster.ts'
import { listKinds, type Resource } from './object.ts'

const resources = Object.keys(listKinds) as readonly Resource[]

/** The resource that a path lists. */
export const resourceAt = (path: string): Resource => {
  const found = resources.find((resource) => path.endsWith(`/${resource}`))
  if (found === undefined) throw new Error(`the twin of the API server does not know ${path}`)
  return found
}

/** One page of a consistent list; or a lie, when the plan says so: a list that misses an item. */
export const answerList = (cluster: KubeCluster, url: URL, faults: FaultPlan): unknown => {
  const resource = resourceAt(url.pathname)
  const limit = Number(url.searchParams.get('limit') ?? 500)
  const from = Number(url.searchParams.get('continue') ?? 0)
  if (Number.isNaN(from)) throw new ApiError('bad continue', { status: 400, reason: 'BadRequest' })
  const all = cluster.store.all(resource)
  const items = faults.lies(resource) ? all.slice(1) : all
  const page = items.slice(from, from + limit)
  const more = from + limit < items.length ? { continue: String(from + limit) } : {}
  return {
    kind: listKinds[resource],
    metadata: { resourceVersion: String(cluster.store.version()), ...more },
    items: page,
  }
}
