import { event, platformTenant, tenantId } from '@weir/contract'
import { z } from 'zod'
import { mayChange, maySee, tokenRole } from '../auth.ts'
import { Problem } from '../problem.ts'
import type { RouteContext } from '../server.ts'
import { mustBePlatform, recordAct, type Routes } from './route.ts'

const tenantView = z.object({ tenant: tenantId, name: z.string() })

/** Tenants and their tokens. */
export const accountRoutes = (app: Routes, context: RouteContext): void => {
  const { views, tokens } = context

  app.get(
    '/whoami',
    { schema: { response: { 200: z.object({ tenant: tenantId, role: tokenRole }) } } },
    async (request) => {
      const { tenant, role } = await tokens.callerOf(request)
      return { tenant, role }
    },
  )

  app.get(
    '/tenants',
    { schema: { response: { 200: z.object({ items: z.array(tenantView) }) } } },
    async (request) => {
      const caller = await tokens.callerOf(request)
      const { tenants } = await views.platform()
      const all = [...tenants].map(([tenant, name]) => ({ tenant: tenantId.parse(tenant), name }))
      const own =
        caller.tenant === platformTenant ? all : all.filter((each) => each.tenant === caller.tenant)
      return { items: own }
    },
  )

  app.post(
    '/tenants',
    {
      schema: {
        body: z.object({ tenant: tenantId, name: z.string().min(1).max(100).optional() }),
        response: { 200: tenantView, 201: tenantView },
      },
    },
    async (request, reply) => {
      const caller = await tokens.callerOf(request)
      mustBePlatform(caller)
      const { tenant, name = tenant } = request.body
      const view = await views.platform()
      const known = view.tenants.get(tenant)
      if (known !== undefined) return reply.code(200).send({ tenant, name: known })
      if (tenant === platformTenant)
        throw new Problem(409, 'reserved', '"platform" is the platform itself')
      await recordAct(context, {
        caller,
        tenant: platformTenant,
        category: 'tenant',
        id: tenant,
        version: view.versionOf(`tenant-${tenant}`),
        event: event('TenantCreated', { tenant, name }),
        requestId: request.id,
      })
      return reply.code(201).send({ tenant, name })
    },
  )

  app.post(
    '/tenants/:tenant/tokens',
    {
      schema: {
        params: z.object({ tenant: tenantId }),
        body: z.object({ role: tokenRole.default('admin') }),
        response: { 201: z.object({ id: z.string(), token: z.string() }) },
      },
    },
    async (request, reply) => {
      const caller = await tokens.callerOf(request)
      const { tenant } = request.params
      mayChange(caller, tenant)
      maySee(caller, tenant)
      const { tenants } = await views.platform()
      if (!tenants.has(tenant))
        throw new Problem(404, 'not-found', `tenant ${tenant} does not exist`)
      const issued = await tokens.issue(tenant, request.body.role)
      const { versionOf } = await views.of(tenant)
      await recordAct(context, {
        caller,
        tenant,
        category: 'tenant',
        id: tenant,
        version: versionOf(`tenant-${tenant}`),
        event: event('TokenIssued', { tokenId: issued.id, role: request.body.role }),
        requestId: request.id,
      })
      return reply.code(201).send(issued)
    },
  )
}
