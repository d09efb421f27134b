// Services and Events of the rig's API server.
import type { KubeConnection } from '@weir/kube'

interface AnyService {
  readonly metadata: {
    readonly uid: string
    readonly finalizers?: readonly string[]
    readonly annotations?: Readonly<Record<string, string>>
    readonly deletionTimestamp?: string
  }
  readonly status: {
    readonly loadBalancer?: { readonly ingress?: readonly unknown[] }
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

const services = '/api/v1/namespaces/default/services'

export const createService = async (
  kube: KubeConnection,
  name: string,
  spec: object = {},
): Promise<string> => {
  const created = (await kube.call({
    method: 'POST',
    path: services,
    body: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
    },
  })) as AnyService
  return created.metadata.uid
}

export const getService = async (kube: KubeConnection, name: string): Promise<AnyService> =>
  (await kube.call({ method: 'GET', path: `${services}/${name}` })) as AnyService

/** Undefined once it is gone. */
export const findService = (kube: KubeConnection, name: string): Promise<AnyService | undefined> =>
  getService(kube, name).catch(() => undefined)

export const patchService = (
  kube: KubeConnection,
  name: string,
  body: object,
  subresource = '',
): Promise<unknown> =>
  kube.call({
    method: 'PATCH',
    path: `${services}/${name}${subresource}`,
    contentType: 'application/merge-patch+json',
    body,
  })

export const deleteService = (kube: KubeConnection, name: string): Promise<unknown> =>
  kube.call({ method: 'DELETE', path: `${services}/${name}` })

interface KubeEventObject {
  readonly reason: string
  readonly message: string
  readonly type: string
}

export const eventsOf = async (kube: KubeConnection): Promise<readonly KubeEventObject[]> => {
  const path = '/api/v1/namespaces/default/events'
  const list = (await kube.call({ method: 'GET', path })) as { readonly items: KubeEventObject[] }
  return list.items
}
