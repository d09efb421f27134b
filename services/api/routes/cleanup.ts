import { event, platformTenant, streamOf, tenantId, type DomainEvent } from '@weir/contract'
import { cleanupStory, everyScope, foldCleanup, type CleanupRules } from '@weir/drivers'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { notFound, Problem } from '../problem.ts'
import type { RouteContext } from '../server.ts'
import { operatorFor, type Routes } from './route.ts'

const state = z.object({ mode: z.enum(['observe', 'apply']) })
const why = z.string().min(1).max(500)
const most = 1000

const ordered = z.object({
  /** How many things gc was ordered to remove. */
  ordered: z.int(),
  /** Ids that name nothing that is condemned now: spared, removed already, or never condemned. */
  unknown: z.array(z.string()),
})

/** What gc may delete: acts of the operator, each an event of the platform's log. */
export const cleanupRoutes = (app: Routes, context: RouteContext): void => {
  const { fleet, store, views } = context

  const read = async (): Promise<CleanupRules> =>
    foldCleanup(await store.log.story(platformTenant, cleanupStory))

  /** Records the act unless it changes nothing. @throws Problem 409 when somebody acted meanwhile */
  const act = async (
    request: FastifyRequest,
    said: { readonly scope: string; readonly event: DomainEvent },
    isSo: (rules: CleanupRules) => boolean,
  ): Promise<void> => {
    const caller = await operatorFor(context, request, 'change')
    const rules = await read()
    if (isSo(rules)) return
    const stream = streamOf('cleanup', said.scope)
    const outcome = await store.log.append({
      tenant: platformTenant,
      commandId: `api/${request.id}`,
      events: [{ stream, expectedVersion: rules.versions[stream] ?? 0, event: said.event }],
      actor: `user:${caller.tokenId}`,
      correlationId: cleanupStory,
      causationId: `request:${request.id}`,
    })
    if (outcome.status === 'appended' || outcome.status === 'repeated') return
    throw new Problem(
      409,
      'changed-meanwhile',
      'somebody else changed what cleanup may do',
      'look at weir gc report and repeat',
    )
  }

  // An approval is recorded each time: it says that what is condemned until now was looked at.
  app.post('/gc/approve', { schema: { response: { 200: state } } }, async (request) => {
    const approved = event('CleanupApproved', {})
    await act(request, { scope: everyScope, event: approved }, () => false)
    return { mode: 'apply' as const }
  })

  app.post(
    '/gc/suspend',
    { schema: { body: z.object({ why }), response: { 200: state } } },
    async (request) => {
      const suspended = event('CleanupSuspended', { why: request.body.why })
      const isSo = (rules: CleanupRules): boolean => rules.why === request.body.why
      await act(request, { scope: everyScope, event: suspended }, isSo)
      return { mode: 'observe' as const }
    },
  )

  app.post(
    '/gc/pause',
    { schema: { body: z.object({ tenant: tenantId, why }), response: { 204: z.null() } } },
    async (request, reply) => {
      const { tenant } = request.body
      await operatorFor(context, request, 'change')
      const { tenants } = await views.platform()
      if (!tenants.has(tenant)) throw notFound(`tenant ${tenant}`)
      const paused = event('CleanupPaused', request.body)
      const isSo = ({ paused: now }: CleanupRules): boolean => now.get(tenant) === request.body.why
      await act(request, { scope: tenant, event: paused }, isSo)
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/gc/resume',
    { schema: { body: z.object({ tenant: tenantId }), response: { 204: z.null() } } },
    async (request, reply) => {
      const { tenant } = request.body
      const resumed = event('CleanupResumed', { tenant })
      const isSo = ({ paused }: CleanupRules): boolean => !paused.has(tenant)
      await act(request, { scope: tenant, event: resumed }, isSo)
      return reply.code(204).send(null)
    },
  )

  // Only what is condemned now is ordered; gc judges each anew before it deletes.
  app.post(
    '/gc/orders',
    {
      schema: {
        body: z.object({ condemned: z.array(z.uuid()).min(1).max(most) }),
        response: { 200: ordered },
      },
    },
    async (request) => {
      await operatorFor(context, request, 'change')
      const wanted = [...new Set(request.body.condemned)]
      const now = new Set((await fleet.suspects()).map(({ condemned }) => condemned))
      const known = wanted.filter((id) => now.has(id))
      const unknown = wanted.filter((id) => !now.has(id))
      if (known.length > 0) {
        const order = event('CleanupOrdered', { condemned: known })
        const isSo = (rules: CleanupRules): boolean => known.every((id) => rules.ordered.has(id))
        await act(request, { scope: everyScope, event: order }, isSo)
      }
      return { ordered: known.length, unknown }
    },
  )
}
