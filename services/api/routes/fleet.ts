import type { Suspect } from '@weir/drivers'
import { z } from 'zod'
import { notFound } from '../problem.ts'
import type { RouteContext } from '../server.ts'
import { operatorFor, type Routes } from './route.ts'

/** What the routes read of the world outside: edges that live and what gc would find. */
export interface FleetReader {
  edges(): Promise<readonly unknown[]>
  /** What each edge says when it is asked now, compared with the log if that is wanted. */
  inspect(compare: boolean): Promise<readonly unknown[]>
  report(): Promise<unknown>
  /** Why one thing is kept, condemned or gone; undefined when nobody knows it. */
  explain(resource: string): Promise<unknown>
  /** What is condemned now, by the log. */
  suspects(): Promise<readonly Suspect[]>
}

/** Edges and gc's report; the operator's alone. */
export const fleetRoutes = (app: Routes, context: RouteContext): void => {
  const { fleet } = context

  app.get(
    '/edges',
    { schema: { response: { 200: z.object({ items: z.array(z.unknown()) }) } } },
    async (request) => {
      await operatorFor(context, request, 'see')
      return { items: [...(await fleet.edges())] }
    },
  )

  // Not a GET: an edge that is asked makes good what it finds.
  app.post(
    '/edges/inspection',
    {
      schema: {
        body: z.object({ compare: z.boolean() }),
        response: { 200: z.object({ items: z.array(z.unknown()) }) },
      },
    },
    async (request) => {
      await operatorFor(context, request, 'see')
      return { items: [...(await fleet.inspect(request.body.compare))] }
    },
  )

  app.get('/gc/report', { schema: { response: { 200: z.unknown() } } }, async (request) => {
    await operatorFor(context, request, 'see')
    return fleet.report()
  })

  app.get(
    '/gc/explain',
    {
      schema: {
        querystring: z.object({ resource: z.string().min(1).max(500) }),
        response: { 200: z.unknown() },
      },
    },
    async (request) => {
      await operatorFor(context, request, 'see')
      const { resource } = request.query
      const explained = await fleet.explain(resource)
      if (explained === undefined) throw notFound(`resource ${resource}`)
      return explained
    },
  )
}
