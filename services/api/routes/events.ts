import {
  eventSchemas,
  tenantId,
  type EventType,
  type RecordedEvent,
  type TenantId,
} from '@weir/contract'
import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { RouteContext } from '../server.ts'
import { callerFor, type Routes } from './route.ts'

const eventType = z.enum(Object.keys(eventSchemas) as [EventType, ...EventType[]])

const filter = z.object({
  /** A Service's UID, a pool's name or a cluster's id. */
  story: z.string().max(100).optional(),
  type: eventType.optional(),
})

const pageSize = 500
const heartbeatMs = 15_000
/** A reader that lets this much wait for it is cut off; it resumes with Last-Event-ID. */
const unsentMax = 1024 * 1024

const fits = (event: RecordedEvent, by: z.infer<typeof filter>): boolean =>
  (by.story === undefined || event.correlationid === by.story) &&
  (by.type === undefined || event.type === by.type)

/** The audit: a tenant's events in order, page by page or as they happen. */
export const eventRoutes = (app: Routes, context: RouteContext): void => {
  const { store } = context

  app.get(
    '/tenants/:tenant/events',
    {
      schema: {
        params: z.object({ tenant: tenantId }),
        querystring: filter.extend({
          after: z.coerce.number().int().min(0).default(0),
          limit: z.coerce.number().int().min(1).max(1000).default(200),
        }),
        response: { 200: z.object({ items: z.array(z.unknown()), nextAfter: z.int().nullable() }) },
      },
    },
    async (request) => {
      const { tenant } = request.params
      await callerFor(context, request, { see: tenant })
      const { after, limit, ...by } = request.query
      const all = by.story
        ? (await store.log.story(tenant, by.story)).filter((each) => each.sequence > after)
        : await store.log.after(tenant, after, limit)
      const page = all.slice(0, limit)
      const last = page.at(-1)
      const items = page.filter((each) => fits(each, by))
      return { items, nextAfter: last && page.length === limit ? last.sequence : null }
    },
  )

  app.get(
    '/tenants/:tenant/events/tail',
    {
      schema: {
        description: 'Server-sent events; id is the sequence, resume with Last-Event-ID.',
        params: z.object({ tenant: tenantId }),
        querystring: filter.extend({ after: z.coerce.number().int().min(0).optional() }),
      },
    },
    async (request, reply) => {
      const { tenant } = request.params
      await callerFor(context, request, { see: tenant })
      const { after, ...by } = request.query
      const resumed = Number(request.headers['last-event-id'] ?? Number.NaN)
      const from = Number.isInteger(resumed) ? resumed : (after ?? (await store.log.head(tenant)))
      const gone = new AbortController()
      const leave = (): void => gone.abort()
      reply.raw.on('close', leave).on('error', leave)
      context.signal.addEventListener('abort', leave, { signal: gone.signal })
      await tail(context, reply, { tenant, from, by, signal: gone.signal })
    },
  )
}

interface TailRequest {
  readonly tenant: TenantId
  readonly from: number
  readonly by: z.infer<typeof filter>
  readonly signal: AbortSignal
}

/** Writes events as they come until the reader leaves. `synced` says that all there was has been sent. */
const tail = async (context: RouteContext, reply: FastifyReply, at: TailRequest): Promise<void> => {
  reply.hijack()
  const out = reply.raw
  out.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  try {
    await writeNews(context, out, at)
  } finally {
    // Also when the log does not answer: the reader comes back and says where it was.
    out.end()
  }
}

const writeNews = async (
  context: RouteContext,
  out: ServerResponse,
  at: TailRequest,
): Promise<void> => {
  let wake = new AbortController()
  context.onNews((tenant) => {
    if (tenant === at.tenant) wake.abort()
  }, at.signal)
  at.signal.addEventListener('abort', () => wake.abort(), { once: true })
  let cursor = at.from
  let synced = false
  while (!at.signal.aborted && out.writableLength < unsentMax) {
    const news = wake.signal
    const page = await context.store.log.after(at.tenant, cursor, pageSize)
    for (const event of page) {
      cursor = event.sequence
      if (fits(event, at.by))
        out.write(`id: ${cursor}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    }
    if (page.length === pageSize) continue
    if (!synced) out.write(`id: ${cursor}\nevent: synced\ndata: {"sequence":${cursor}}\n\n`)
    synced = true
    // A lost hint costs one heartbeat at most, since every turn reads the log.
    await context.clock.sleep(heartbeatMs, news)
    if (news.aborted) wake = new AbortController()
    else out.write(': still here\n\n')
  }
}
