import { event, platformTenant, tenantId } from '@weir/contract'
import { z } from 'zod'
import { tokenRole } from '../auth.ts'
import { Problem } from '../problem.ts'
import type { RouteContext } from '../server.ts'
import { callerFor, operatorFor, recordAct, type Routes } from './route.ts'

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
      const caller = await operatorFor(context, request, 'change')
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
      const { tenant } = request.params
      const { role } = request.body
      const caller = await callerFor(context, request, { change: tenant })
      const { versionOf } = await views.of(tenant)
      const issued = await tokens.issue(tenant, role, (tokenId) =>
        recordAct(context, {
          caller,
          tenant,
          category: 'tenant',
          id: tenant,
          version: versionOf(`tenant-${tenant}`),
          event: event('TokenIssued', { tokenId, role }),
          requestId: request.id,
        }),
      )
      return reply.code(201).send(issued)
    },
  )
}
