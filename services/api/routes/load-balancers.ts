import { serviceUid, tenantId } from '@weir/contract'
import { z } from 'zod'
import { balancerStatuses, statusText, viewOf, type BalancerView } from '../domain/balancer-view.ts'
import { gistOf } from '../domain/tell.ts'
import { notFound } from '../problem.ts'
import type { RouteContext } from '../server.ts'
import { callerFor, type Routes } from './route.ts'

const listQuery = z.object({
  namespace: z.string().max(63).optional(),
  name: z.string().max(63).optional(),
  status: z.enum(balancerStatuses).optional(),
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
    (query.all || query.status === 'Released' || view.status !== 'Released') &&
    (query.cursor === undefined || view.service > query.cursor)

const told = (view: BalancerView) => ({ ...view, statusText: statusText(view.status) })

/** Load balancers as their owner sees them, and the whole story of one. */
export const balancerRoutes = (app: Routes, context: RouteContext): void => {
  const { views, store } = context

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
      await callerFor(context, request, { see: tenant })
      const { balancers } = await views.of(tenant)
      const found = [...balancers.values()]
        .map(viewOf)
        .filter(matches(request.query))
        .toSorted((a, b) => (a.service < b.service ? -1 : 1))
      const page = found.slice(0, request.query.limit)
      const last = page.at(-1)
      return {
        items: page.map(told),
        nextCursor: last && found.length > page.length ? last.service : null,
      }
    },
  )

  app.get(
    '/tenants/:tenant/load-balancers/:service',
    {
      schema: {
        description: 'One load balancer and its whole story; each event has its gist.',
        params: z.object({ tenant: tenantId, service: serviceUid }),
        response: { 200: z.unknown() },
      },
    },
    async (request) => {
      const { tenant, service } = request.params
      await callerFor(context, request, { see: tenant })
      const { balancers, failing } = await views.of(tenant)
      const state = balancers.get(service)
      if (!state) throw notFound(`load balancer ${service}`)
      const story = await store.log.story(tenant, service)
      const view = told(viewOf(state))
      const summary = `${view.namespace}/${view.name} ${view.statusText}`
      // Only of the driver that serves it: proxies that stand in do not mind.
      const pools = failing.get(view.cluster)?.filter(({ driver }) => driver === view.driver) ?? []
      const failingNodes = pools.flatMap(({ nodes }) => nodes)
      return {
        ...view,
        summary,
        failingNodes,
        story: story.map((event) => ({ ...event, gist: gistOf(event) })),
      }
    },
  )
}
