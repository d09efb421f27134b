// Makes a new platform usable: a tenant, a pool of loopback addresses, and the cluster, connected with a
// service account that may do no more than weir needs. Doing it again changes nothing.
import { readFileSync } from 'node:fs'
import {
  createConnection,
  isApiError,
  parseKubeconfig,
  rbacObjects,
  withOwnNetworks,
  type KubeConnection,
} from '@weir/kube'
import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { tenantKubeconfig } from './tenant-kubeconfig.ts'

/** The tenant of a platform on one machine. */
export const localTenant = 'local'

/** Four thousand addresses of this machine, after the one that ends in 0. */
export const loopbackSite = (network: number): Site => ({
  pool: [{ first: `127.${128 + network}.0.1`, last: `127.${128 + network}.15.254` }],
  nodeCidrs: withOwnNetworks.allow,
})
const tokenSeconds = 365 * 86_400
const quarantineSeconds = 60

/** What a platform gives out, and where its cluster's nodes may be. */
export interface Site {
  readonly pool: readonly { readonly first: string; readonly last: string }[]
  readonly nodeCidrs: readonly string[]
}

export interface ConnectedCluster {
  readonly id: string
  readonly server: string
}

/** Connects the cluster of `kubeconfigFile` for the client's tenant, with rights made for it. */
export const connectCluster = async (
  client: ApiClient,
  kubeconfigFile: string,
  site: Site,
): Promise<ConnectedCluster> => {
  const credentials = parseKubeconfig(readFileSync(kubeconfigFile, 'utf8'))
  const admin = createConnection(credentials, { policy: withOwnNetworks })
  try {
    await client.send('POST', '/v1/tenants', { tenant: client.tenant }, z.unknown())
    const pool = { ranges: site.pool, quarantineSeconds }
    await client.send('PUT', '/v1/pools/local', pool, z.unknown())
    const id = await admin.identity()
    await grant(admin)
    const token = await issueToken(admin)
    const kubeconfig = tenantKubeconfig({ server: credentials.server, ca: credentials.ca, token })
    const body = { id, name: 'local', kubeconfig, nodeCidrs: site.nodeCidrs }
    await client.send('POST', `/v1/tenants/${client.tenant}/clusters`, body, z.unknown())
    return { id, server: credentials.server }
  } finally {
    await admin.close()
  }
}

/** Where each kind of the manifest lives. */
const collections: Readonly<Record<string, string>> = {
  ServiceAccount: '/api/v1/namespaces/kube-system/serviceaccounts',
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
}

/** Applies the manifest that `weir cluster connect` prints; the token comes by a request instead. */
const grant = async (admin: KubeConnection): Promise<void> => {
  for (const object of rbacObjects) {
    const { kind, metadata } = manifestObject.parse(object)
    const path = collections[kind]
    if (path === undefined) continue
    try {
      await admin.call({ method: 'POST', path, body: object })
    } catch (error) {
      if (!isApiError(error, 409)) throw error
      const contentType = 'application/merge-patch+json'
      await admin.call({
        method: 'PATCH',
        path: `${path}/${metadata.name}`,
        body: object,
        contentType,
      })
    }
  }
}

const manifestObject = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
})

const issueToken = async (admin: KubeConnection): Promise<string> => {
  const spec = { expirationSeconds: tokenSeconds }
  const issued = await admin.call({
    method: 'POST',
    path: `${collections['ServiceAccount'] ?? ''}/weir/token`,
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec },
  })
  return z.object({ status: z.object({ token: z.string() }) }).parse(issued).status.token
}
