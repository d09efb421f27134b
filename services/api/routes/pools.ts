import {
  event,
  hashOf,
  ipAddress,
  platformTenant,
  pool,
  poolCovers,
  poolName,
  poolSize,
  type Pool,
} from '@weir/contract'
import type { Claim } from '@weir/eventlog'
import { z } from 'zod'
import { notFound } from '../problem.ts'
import type { RouteContext } from '../server.ts'
import { operatorFor, recordAct, type Routes } from './route.ts'

const poolBody = pool.extend({
  priority: pool.shape.priority.default(100),
  tenants: pool.shape.tenants.default(null),
  quarantineSeconds: pool.shape.quarantineSeconds.default(60),
})

/** How full a pool is. */
const occupancy = (pool: Pool, claims: readonly Claim[], now: number) => {
  const mine = claims.filter((claim) => poolCovers(pool, ipAddress.parse(claim.key)))
  return {
    size: (poolSize(pool, 'IPv4') + poolSize(pool, 'IPv6')).toString(),
    held: mine.filter((claim) => claim.holder !== null).length,
    resting: mine.filter((claim) => (claim.restsUntil ?? 0) > now).length,
  }
}

/** Pools of addresses; the operator's alone. */
export const poolRoutes = (app: Routes, context: RouteContext): void => {
  const { views, store } = context

  app.get(
    '/pools',
    { schema: { response: { 200: z.object({ items: z.array(z.unknown()) }) } } },
    async (request) => {
      await operatorFor(context, request, 'see')
      const [{ pools }, claims, now] = await Promise.all([
        views.platform(),
        store.log.claims('address', ''),
        store.log.now(),
      ])
      return {
        items: [...pools.values()].map((each) => ({ ...each, ...occupancy(each, claims, now) })),
      }
    },
  )

  app.put(
    '/pools/:name',
    {
      schema: {
        params: z.object({ name: poolName }),
        body: poolBody.omit({ name: true }),
        response: { 200: z.unknown() },
      },
    },
    async (request) => {
      const caller = await operatorFor(context, request, 'change')
      const wanted: Pool = { ...request.body, name: request.params.name }
      const view = await views.platform()
      const known = view.pools.get(wanted.name)
      if (known && hashOf(known) === hashOf(wanted)) return wanted
      await recordAct(context, {
        caller,
        tenant: platformTenant,
        category: 'pool',
        id: wanted.name,
        version: view.versionOf(`pool-${wanted.name}`),
        event: event(known ? 'PoolChanged' : 'PoolCreated', { pool: wanted }),
        requestId: request.id,
      })
      return wanted
    },
  )

  app.delete(
    '/pools/:name',
    { schema: { params: z.object({ name: poolName }), response: { 204: z.null() } } },
    async (request, reply) => {
      const caller = await operatorFor(context, request, 'change')
      const { name } = request.params
      const view = await views.platform()
      if (!view.pools.has(name)) throw notFound(`pool ${name}`)
      await recordAct(context, {
        caller,
        tenant: platformTenant,
        category: 'pool',
        id: name,
        version: view.versionOf(`pool-${name}`),
        event: event('PoolRemoved', { name }),
        requestId: request.id,
      })
      return reply.code(204).send(null)
    },
  )
}
