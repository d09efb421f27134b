// One process's connection to the twin of an API server: the same calls, paths and errors as over HTTP, but
// every request and every line of a watch is an effect that the scheduler chooses.
import { ApiError, type KubeCall, type KubeConnection } from '@weir/kube'
import { clusterId } from '@weir/contract'
import { answerAdmin } from './admin.ts'
import { answerList } from './list.ts'
import type { KubeCluster } from './cluster.ts'
import type { Service } from './object.ts'
import { notFound } from './store.ts'
import { patchStatus, readStatusPatch } from './service-status.ts'
import { openWatch } from './watch.ts'
import type { KubePorts } from './kube-ports.ts'

export const connectKube = (cluster: KubeCluster, ports: KubePorts): KubeConnection => {
  const { actor, faults } = ports
  const call = (request: KubeCall): Promise<unknown> => {
    const { method, path } = request
    const kind = method === 'GET' ? 'kube-read' : 'kube-write'
    const short = path.replace(/^\/apis?\/([a-z.0-9]+\/)?v1\//, '').replace(/\?.*$/, '')
    return actor.call(
      {
        label: `kube ${method} ${short}`,
        detail: () => (request.body === undefined ? '' : JSON.stringify(request.body)),
        fate: faults.fateOf(kind, actor),
      },
      async () => structuredClone(answer(cluster, request, ports)),
    )
  }
  return {
    server: cluster.server,
    call,
    identity: async () => {
      const read = await call({ method: 'GET', path: '/api/v1/namespaces/kube-system' })
      const { metadata } = read as { readonly metadata: { readonly uid: string } }
      return clusterId.parse(metadata.uid)
    },
    stream: (path, signal) => openWatch(cluster, { path, signal }, ports),
    close: async () => undefined,
  }
}

const answer = (cluster: KubeCluster, request: KubeCall, ports: KubePorts): unknown => {
  const { method, path } = request
  const url = new URL(path, cluster.server)
  const at = `${method} ${url.pathname}`
  const service = /^\/api\/v1\/namespaces\/([^/]+)\/services\/([^/]+)(\/status)?$/.exec(
    url.pathname,
  )
  if (at === 'GET /api/v1/namespaces/kube-system') return { metadata: { uid: cluster.id } }
  if (method === 'GET' && service !== null) return findService(cluster, service)
  if (method === 'PATCH' && service?.[3] === '/status') {
    return writeStatus(cluster, findService(cluster, service), request, ports)
  }
  const admin = answerAdmin(cluster, request, url.pathname)
  if (admin !== undefined) return admin
  if (method === 'GET') return answerList(cluster, url, ports.faults)
  if (url.pathname.includes('/events')) return writeEvent(cluster, request, url.pathname)
  throw new Error(`the twin of the API server does not know ${at}`)
}

const findService = (cluster: KubeCluster, match: RegExpExecArray): Service => {
  const key = `${decodeURIComponent(match[1] ?? '')}/${decodeURIComponent(match[2] ?? '')}`
  const found = cluster.store.get('services', key)
  if (found === undefined) throw notFound('services', key)
  return found
}

const writeStatus = (
  cluster: KubeCluster,
  before: Service,
  { body }: KubeCall,
  { onWrite, actor, faults }: KubePorts,
) => {
  const patch = readStatusPatch(body)
  if (faults.strikes('api conflict')) throw overtaken(cluster, before)
  const after = cluster.store.put('services', patchStatus(before, patch))
  onWrite({ cluster: cluster.id, by: actor.name, before, after, patch })
  return after
}

/** Somebody else writes just now, again and again, until the API server gives up: 409. */
const overtaken = (cluster: KubeCluster, before: Service): ApiError => {
  const annotations = {
    ...before.metadata.annotations,
    'example.com/touched': before.metadata.resourceVersion,
  }
  cluster.store.put('services', { ...before, metadata: { ...before.metadata, annotations } })
  return new ApiError('the object has been modified', { status: 409, reason: 'Conflict' })
}

const writeEvent = (cluster: KubeCluster, request: KubeCall, path: string): unknown => {
  if (request.method === 'PATCH') return {}
  const { metadata } = request.body as { readonly metadata: { readonly name: string } }
  if (cluster.events.has(metadata.name)) {
    const known = `${path}/${metadata.name} already exists`
    throw new ApiError(known, { status: 409, reason: 'AlreadyExists' })
  }
  cluster.events.add(metadata.name)
  return request.body
}
