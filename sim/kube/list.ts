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

/**
 * One page of a consistent list. When the plan says so it is one of a moment ago, with the version of then:
 * an API server that has fallen behind answers so.
 */
export const answerList = (cluster: KubeCluster, url: URL, faults: FaultPlan): unknown => {
  const { store } = cluster
  const resource = resourceAt(url.pathname)
  const limit = Number(url.searchParams.get('limit') ?? 500)
  const from = Number(url.searchParams.get('continue') ?? 0)
  const isOld = faults.lies(`${cluster.server}/${resource}`)
  const { version, objects } = isOld
    ? store.past(resource, 1 + (store.version() % 3))
    : { version: store.version(), objects: store.all(resource) }
  const more = from + limit < objects.length ? { continue: String(from + limit) } : {}
  return {
    kind: listKinds[resource],
    metadata: { resourceVersion: String(version), ...more },
    items: objects.slice(from, from + limit),
  }
}
