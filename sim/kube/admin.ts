// What an administrator's client does to Services, on the same paths as over HTTP: for the suite that the twin
// shares with the real API server.
import type { KubeCall } from '@weir/kube'
import type { KubeCluster, WishedSpec } from './cluster.ts'
import type { Service, ServicePort } from './object.ts'

interface NewService {
  readonly metadata: { readonly name: string; readonly finalizers?: readonly string[] }
  readonly spec: Partial<Omit<WishedSpec, 'ports'>> & {
    readonly ports: readonly (Partial<ServicePort> & { readonly port: number })[]
  }
}

/** The answer to a call on Services as a whole; undefined when it is another call. */
export const answerAdmin = (
  cluster: KubeCluster,
  { method, body }: KubeCall,
  path: string,
): Service | undefined => {
  if (method === 'POST' && path.endsWith('/services')) {
    const { metadata, spec } = body as NewService
    const ports = spec.ports.map((port) => ({ protocol: 'TCP', ...port }))
    const { name, finalizers = [] } = metadata
    const wished = { type: 'ClusterIP', ...spec, ports } as const
    return cluster.createService(name, wished, finalizers.length > 0 ? { finalizers } : {})
  }
  const named = /\/services\/([^/]+)$/.exec(path)?.[1]
  if (method !== 'DELETE' || named === undefined) return undefined
  const before = cluster.store.get('services', `default/${named}`)
  cluster.deleteService(named)
  return before
}
