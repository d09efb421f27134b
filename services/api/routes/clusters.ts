import {
  cidr,
  cluster,
  clusterId,
  driverName,
  event,
  hashOf,
  platformTenant,
  tenantId,
  type Cluster,
  type ClusterId,
  type DomainEvent,
} from '@weir/contract'
import { encodeCredentials, parseKubeconfig } from '@weir/kube'
import { sealSecret } from '@weir/runtime'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { refuseReserved } from '../node-networks.ts'
import { notFound, Problem } from '../problem.ts'
import type { RouteContext } from '../server.ts'
import type { TenantView } from '../views.ts'
import { requireUsable } from './drivers.ts'
import { callerFor, recordAct, type Act, type Routes } from './route.ts'

/** Node addresses of clusters whose owner names none: the private ranges (RFC 1918). */
const privateCidrs = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'].map((each) =>
  cidr.parse(each),
)

const connectBody = z.object({
  /** UID of the cluster's kube-system namespace; the watcher checks it before it acts. */
  id: clusterId,
  name: z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/, {
    error: 'a name of a-z, 0-9, "-" and "."',
  }),
  /** A kubeconfig with everything inline; anything that runs, reads or redirects is refused by name. */
  kubeconfig: z.string().max(256 * 1024),
  context: z.string().max(253).optional(),
  driver: driverName.default(driverName.parse('edge')),
  defaultClass: z.boolean().default(true),
  nodeCidrs: z.array(cidr).min(1).max(50).default(privateCidrs),
})

/** What may change of a connected cluster without its credentials; what is left out stays. */
const changeBody = connectBody
  .pick({ name: true, driver: true, defaultClass: true, nodeCidrs: true })
  .extend({
    driver: driverName,
    defaultClass: z.boolean(),
    nodeCidrs: connectBody.shape.nodeCidrs.unwrap(),
  })
  .partial()

const listedCluster = cluster.extend({
  /** Services that are missing there, and are not released because they are so many; null when all is well. */
  missing: z.object({ missing: z.int(), of: z.int() }).nullable(),
  /** Node pools that cannot answer clients directly; a fleet of proxies stands in for `driver`, if there is one. */
  failing: z.array(z.object({ pool: z.string().nullable(), nodes: z.array(z.string()) })),
})

const at = z.object({ tenant: tenantId, id: clusterId })

const reserved = (): Problem => new Problem(409, 'reserved', 'the platform has no clusters')

/** The vault's name for a cluster's credentials; the watcher reads it. */
const credentialsName = (id: string): string => `cluster-credentials/${id}`

/** An act on one cluster, of which `view` tells the version. */
interface ClusterAct extends Pick<Act, 'caller' | 'tenant' | 'id' | 'event'> {
  readonly view: TenantView
}

/** A tenant's clusters. */
export const clusterRoutes = (app: Routes, context: RouteContext): void => {
  const { views, store, masterKey } = context

  const record = (request: FastifyRequest, { view, ...act }: ClusterAct): Promise<void> =>
    recordAct(context, {
      ...act,
      category: 'cluster',
      version: view.versionOf(`cluster-${act.id}`),
      requestId: request.id,
    })

  app.get(
    '/tenants/:tenant/clusters',
    {
      schema: {
        params: z.object({ tenant: tenantId }),
        response: { 200: z.object({ items: z.array(listedCluster) }) },
      },
    },
    async (request) => {
      const { tenant } = request.params
      await callerFor(context, request, { see: tenant })
      const { clusters, missing, failing } = await views.of(tenant)
      const items = [...clusters.values()].map((each) => ({
        ...each,
        missing: missing.get(each.id) ?? null,
        failing: [...(failing.get(each.id) ?? [])],
      }))
      return { items }
    },
  )

  app.post(
    '/tenants/:tenant/clusters',
    {
      schema: {
        params: z.object({ tenant: tenantId }),
        body: connectBody,
        response: { 200: cluster },
      },
    },
    async (request) => {
      const { tenant } = request.params
      const caller = await callerFor(context, request, { change: tenant })
      if (tenant === platformTenant) throw reserved()
      if (caller.tenant !== platformTenant) refuseReserved(request.body.nodeCidrs)
      const { kubeconfig, context: chosen, ...rest } = request.body
      await requireUsable(context, tenant, rest.driver)
      const credentials = parseKubeconfig(kubeconfig, chosen)
      const wanted: Cluster = { ...rest, tenant, server: credentials.server }
      const view = await views.of(tenant)
      const known = view.clusters.get(wanted.id)
      // Credentials first: a watcher that hears of the cluster finds them.
      const secret = { tenant, cluster: wanted.id, field: 'credentials' }
      const sealed = await sealSecret(masterKey, secret, encodeCredentials(credentials))
      await store.vault.put(tenant, credentialsName(wanted.id), sealed)
      const said = event(known ? 'ClusterChanged' : 'ClusterConnected', { cluster: wanted })
      await record(request, { caller, view, tenant, id: wanted.id, event: said })
      return wanted
    },
  )

  app.patch(
    '/tenants/:tenant/clusters/:id',
    { schema: { params: at, body: changeBody, response: { 200: cluster } } },
    async (request) => {
      const { tenant, id } = request.params
      const caller = await callerFor(context, request, { change: tenant })
      const { nodeCidrs, driver } = request.body
      if (caller.tenant !== platformTenant && nodeCidrs) refuseReserved(nodeCidrs)
      if (driver !== undefined) await requireUsable(context, tenant, driver)
      const view = await views.of(tenant)
      const known = view.clusters.get(id)
      if (known === undefined) throw notFound(`cluster ${id}`)
      const wanted = cluster.parse({ ...known, ...request.body })
      // To name the driver again is to have it serve although nodes were found to fail it.
      const meant = driver !== undefined && view.failing.has(id)
      if (hashOf(wanted) === hashOf(known) && !meant) return known
      const said = event('ClusterChanged', { cluster: wanted })
      await record(request, { caller, view, tenant, id, event: said })
      return wanted
    },
  )

  /** Records what was said of a cluster that is known. */
  const say = async (
    request: FastifyRequest & { readonly params: z.infer<typeof at> },
    of: (id: ClusterId) => DomainEvent,
  ): Promise<void> => {
    const { tenant, id } = request.params
    const caller = await callerFor(context, request, { change: tenant })
    const view = await views.of(tenant)
    if (!view.clusters.has(id)) throw notFound(`cluster ${id}`)
    await record(request, { caller, view, tenant, id, event: of(id) })
  }

  app.post(
    '/tenants/:tenant/clusters/:id/approve-absence',
    { schema: { params: at, response: { 204: z.null() } } },
    async (request, reply) => {
      await say(request, (id) => event('AbsenceApproved', { id }))
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/tenants/:tenant/clusters/:id',
    { schema: { params: at, response: { 204: z.null() } } },
    async (request, reply) => {
      await say(request, (id) => event('ClusterDeregistered', { id }))
      return reply.code(204).send(null)
    },
  )
}
