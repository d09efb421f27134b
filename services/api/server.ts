import swagger from '@fastify/swagger'
import rateLimit from '@fastify/rate-limit'
import reference from '@scalar/fastify-api-reference'
import type { DriverRegistry } from '@weir/backbone/drivers'
import type { Store } from '@weir/eventlog'
import type { Clock, Ids } from '@weir/kernel'
import Fastify, { type FastifyInstance } from 'fastify'
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import { createTokens, type Tokens } from './auth.ts'
import { answerEarly, answerWithProblems } from './problem.ts'
import { accountRoutes } from './routes/accounts.ts'
import { checkRoutes } from './routes/check.ts'
import { cleanupRoutes } from './routes/cleanup.ts'
import { clusterRoutes } from './routes/clusters.ts'
import { driverRoutes } from './routes/drivers.ts'
import { eventRoutes } from './routes/events.ts'
import { fleetRoutes, type FleetReader } from './routes/fleet.ts'
import { balancerRoutes } from './routes/load-balancers.ts'
import { poolRoutes } from './routes/pools.ts'
import { createViews } from './views.ts'

export interface ApiPorts {
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  /** The operator's token; whoever has it is the platform. */
  readonly adminToken: string
  /** Seals cluster credentials; 32 bytes. */
  readonly masterKey: Uint8Array
  /** Who makes load balancers: our own and the configured ones. */
  readonly drivers: DriverRegistry
  /** What edges report and what exists at the drivers. */
  readonly fleet: FleetReader
  /** Calls back when a tenant may have new events, until the signal aborts. */
  readonly onNews: (handle: (tenant: string) => void, signal: AbortSignal) => void
  /** Told about each request that failed on our side, with its cause. */
  readonly onFailure: (fields: Readonly<Record<string, unknown>>, message: string) => void
  /** Aborts when the server closes: ends live tails. */
  readonly signal: AbortSignal
}

/** What every route file is given. */
export interface RouteContext extends ApiPorts {
  readonly views: ReturnType<typeof createViews>
  readonly tokens: Tokens
}

/** Requests a token may make per minute before it is told to wait. */
const requestsPerMinute = 6000

/**
 * The HTTP API: tenants, tokens, clusters, pools, load balancers, events with a live tail, edges and gc's
 * report. Not listening yet. Errors are RFC 9457 problems; `/openapi.json` describes all of it.
 */
export const createApi = async (ports: ApiPorts): Promise<FastifyInstance> => {
  const app = Fastify({
    logger: false,
    genReqId: () => ports.ids.uuid(),
    bodyLimit: 256 * 1024,
    forceCloseConnections: true,
    frameworkErrors: answerEarly,
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  answerWithProblems(app, ports.onFailure)
  await app.register(rateLimit, {
    max: requestsPerMinute,
    keyGenerator: (request) => request.headers.authorization ?? request.ip,
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'weir',
        version: '1',
        description: 'Load balancers for Services, and their story',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: jsonSchemaTransform,
  })
  await app.register(reference, { routePrefix: '/docs' })

  const context: RouteContext = {
    ...ports,
    views: createViews(ports.store.log),
    tokens: createTokens(ports.store.vault, ports.adminToken),
  }
  const routes = [
    accountRoutes,
    poolRoutes,
    clusterRoutes,
    driverRoutes,
    balancerRoutes,
    eventRoutes,
    fleetRoutes,
    cleanupRoutes,
    checkRoutes,
  ]
  await app.register(
    async (v1) => {
      for (const add of routes) add(v1.withTypeProvider<ZodTypeProvider>(), context)
    },
    { prefix: '/v1' },
  )
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
  return app
}
