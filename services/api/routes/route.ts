import {
  platformTenant,
  streamOf,
  type DomainEvent,
  type StreamCategory,
  type TenantId,
} from '@weir/contract'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { mayChange, maySee, type Caller } from '../auth.ts'
import { notFound, Problem } from '../problem.ts'
import type { RouteContext } from '../server.ts'

/** A server whose routes are typed by their zod schemas. */
export type Routes = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** An act of a person: one event on a stream of its own. */
export interface Act {
  readonly caller: Caller
  readonly tenant: TenantId
  readonly category: StreamCategory
  readonly id: string
  /** The stream's version that the caller's view showed. */
  readonly version: number
  readonly event: DomainEvent
  readonly requestId: string
}

/** Records an act. @throws Problem 409 when somebody else changed the same thing meanwhile */
export const recordAct = async (context: RouteContext, act: Act): Promise<void> => {
  const outcome = await context.store.log.append({
    tenant: act.tenant,
    commandId: `api/${act.requestId}`,
    events: [
      { stream: streamOf(act.category, act.id), expectedVersion: act.version, event: act.event },
    ],
    actor: `user:${act.caller.tokenId}`,
    correlationId: act.id,
    causationId: `request:${act.requestId}`,
  })
  if (outcome.status === 'appended' || outcome.status === 'repeated') return
  throw new Problem(
    409,
    'changed-meanwhile',
    `${act.id} was changed by somebody else`,
    'read it again and repeat',
  )
}

/**
 * Who asks, when they may look at `tenant` or change it.
 * @throws Problem 401, 403, or 404 for a tenant that is not there or somebody else's, alike
 */
export const callerFor = async (
  context: RouteContext,
  request: FastifyRequest,
  may: { readonly see: TenantId } | { readonly change: TenantId },
): Promise<Caller> => {
  const caller = await context.tokens.callerOf(request)
  const tenant = 'see' in may ? may.see : may.change
  maySee(caller, tenant)
  if (caller.tenant !== tenant) {
    const { tenants } = await context.views.platform()
    if (!tenants.has(tenant)) throw notFound(`tenant ${tenant}`)
  }
  if ('change' in may) mayChange(caller, tenant)
  return caller
}

/** The operator, as `callerFor`. What only operators may ask is no secret, so others are told. */
export const operatorFor = async (
  context: RouteContext,
  request: FastifyRequest,
  may: 'see' | 'change',
): Promise<Caller> => {
  const caller = await context.tokens.callerOf(request)
  if (caller.tenant !== platformTenant) {
    const hint = 'ask whoever runs the platform'
    throw new Problem(403, 'operator-only', "only the platform's own token may do this", hint)
  }
  if (may === 'change') mayChange(caller, platformTenant)
  return caller
}
