import { z } from 'zod'
import type { RouteContext } from '../server.ts'
import { operatorFor, type Routes } from './route.ts'

/** What the routes read of the world outside: edges that live and what gc would find. */
export interface FleetReader {
  edges(): Promise<readonly unknown[]>
  report(): Promise<unknown>
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

  app.get('/gc/report', { schema: { response: { 200: z.unknown() } } }, async (request) => {
    await operatorFor(context, request, 'see')
    return fleet.report()
  })
}
