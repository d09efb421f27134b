import { createParser } from 'eventsource-parser'
import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { print, show, type Column, type Format } from '../output.ts'
import { findBalancer } from './balancer.ts'

/** An event as the API tells it. */
export const storyEvent = z.looseObject({
  sequence: z.int(),
  type: z.string(),
  subject: z.string(),
  streamversion: z.int(),
  recordedtime: z.string(),
  actor: z.string(),
  causationid: z.string(),
  data: z.unknown(),
})
export type StoryEvent = z.infer<typeof storyEvent>

const page = z.object({ items: z.array(storyEvent), nextAfter: z.int().nullable() })

interface EventFlags {
  readonly output: Format
  readonly follow?: boolean
}

const columns: readonly Column<StoryEvent>[] = [
  { heading: 'SEQ', cell: (event) => String(event.sequence) },
  { heading: 'TIME', cell: (event) => event.recordedtime },
  { heading: 'EVENT', cell: (event) => event.type },
  { heading: 'BY', cell: (event) => event.actor },
  { heading: 'STREAM', cell: (event) => `${event.subject}@${event.streamversion}` },
  { heading: 'CAUSE', cell: (event) => event.causationid },
]

/** The events of one Service in order, also after it is gone. */
export const serviceEvents = async (
  client: ApiClient,
  service: string,
  flags: EventFlags,
): Promise<void> => {
  const { service: story } = await findBalancer(client, service)
  await printEvents(client, { story }, flags)
}

/** Every event of the tenant in order. */
export const allEvents = (client: ApiClient, flags: EventFlags): Promise<void> =>
  printEvents(client, {}, flags)

const printEvents = async (
  client: ApiClient,
  filter: { story?: string },
  flags: EventFlags,
): Promise<void> => {
  const events: StoryEvent[] = []
  const base = `/v1/tenants/${client.tenant}/events`
  for (let after: number | null = 0; after !== null;) {
    const query = new URLSearchParams({ ...filter, after: String(after), limit: '1000' })
    const next: z.infer<typeof page> = await client.get(`${base}?${query.toString()}`, page)
    events.push(...next.items)
    after = next.nextAfter
  }
  show(flags.output, events, events, columns)
  if (flags.follow)
    await follow(client, `${base}/tail`, { ...filter, after: String(events.at(-1)?.sequence ?? 0) })
}

/** Prints events as they happen, one JSON line each, until Ctrl-C. */
const follow = async (
  client: ApiClient,
  path: string,
  query: Record<string, string>,
): Promise<void> => {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  const parser = createParser({
    onEvent: (message) => {
      if (message.event !== 'synced') print(message.data)
    },
  })
  try {
    const body = await client.open(
      `${path}?${new URLSearchParams(query).toString()}`,
      {},
      stop.signal,
    )
    const decoder = new TextDecoder()
    for await (const chunk of body) parser.feed(decoder.decode(chunk, { stream: true }))
  } catch (error) {
    if (!stop.signal.aborted) throw error
  }
}
