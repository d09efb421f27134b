import { serviceUid, tenantId } from '@weir/contract'
import { z } from 'zod'
import { maySee } from '../auth.ts'
import type { BalancerView } from '../domain/balancer-view.ts'
import { statusText } from '../domain/balancer-view.ts'
import { explain } from '../domain/explain.ts'
import { notFound } from '../problem.ts'
import type { RouteContext } from '../server.ts'
import type { Routes } from './route.ts'

const status = z.enum([
  'Pending',
  'Allocated',
  'Programming',
  'Ready',
  'Degraded',
  'Releasing',
  'Released',
])

const listQuery = z.object({
  namespace: z.string().max(63).optional(),
  name: z.string().max(63).optional(),
  status: status.optional(),
  /** Includes those that are gone. */
  all: z.stringbool().default(false),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  /** Where the last page ended: the Service's UID. */
  cursor: serviceUid.optional(),
})
type ListQuery = z.infer<typeof listQuery>

const matches =
  (query: ListQuery) =>
  (view: BalancerView): boolean =>
    (query.namespace === undefined || view.namespace === query.namespace) &&
    (query.name === undefined || view.name === query.name) &&
    (query.status === undefined || view.status === query.status) &&
    (query.all || query.status === 'Released' || view.status !== 'Released')

/** Load balancers as their owner sees them, and the whole story of one. */
export const balancerRoutes = (app: Routes, context: RouteContext): void => {
  const { views, tokens, store } = context

  app.get(
    '/tenants/:tenant/load-balancers',
    {
      schema: {
        params: z.object({ tenant: tenantId }),
        querystring: listQuery,
        response: {
          200: z.object({ items: z.array(z.unknown()), nextCursor: z.string().nullable() }),
        },
      },
    },
    async (request) => {
      const { tenant } = request.params
      maySee(await tokens.callerOf(request), tenant)
      const { balancers } = await views.of(tenant)
      const sorted = [...balancers.values()].toSorted((a, b) => (a.service < b.service ? -1 : 1))
      const found = sorted
        .filter(matches(request.query))
        .filter((view) => request.query.cursor === undefined || view.service > request.query.cursor)
      const page = found.slice(0, request.query.limit)
      const last = page.at(-1)
      return {
        items: page.map((view) => ({ ...view, statusText: statusText(view.status) })),
        nextCursor: last && found.length > page.length ? last.service : null,
      }
    },
  )

  app.get(
    '/tenants/:tenant/load-balancers/:service',
    {
      schema: {
        params: z.object({ tenant: tenantId, service: serviceUid }),
        response: { 200: z.unknown() },
      },
    },
    async (request) => {
      const { tenant, service } = request.params
      maySee(await tokens.callerOf(request), tenant)
      const [{ balancers }, story] = await Promise.all([
        views.of(tenant),
        store.log.story(tenant, service),
      ])
      const view = balancers.get(service)
      if (!view) throw notFound(`load balancer ${service}`)
      return { ...view, ...explain(view), story }
    },
  )
}
