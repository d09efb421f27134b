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
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { mayChange, type Caller } from '../auth.ts'
import { Problem } from '../problem.ts'
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

/** Only the operator may pass. @throws Problem 403 or 404 */
export const mustBePlatform = (caller: Caller): void => mayChange(caller, platformTenant)
