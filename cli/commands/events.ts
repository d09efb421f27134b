import { systemClock } from '@weir/kernel'
import { createParser } from 'eventsource-parser'
import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { CommandFailed, exitCodes } from '../exit.ts'
import { show, showNext, type Column, type Format } from '../output.ts'
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
  const base = `/v1/tenants/${client.tenant}/events`
  if (flags.follow) return follow(client, `${base}/tail`, { filter, output: flags.output })
  const events: StoryEvent[] = []
  for (let after: number | null = 0; after !== null;) {
    const query = new URLSearchParams({ ...filter, after: String(after), limit: '1000' })
    const next: z.infer<typeof page> = await client.get(`${base}?${query.toString()}`, page)
    events.push(...next.items)
    after = next.nextAfter
  }
  show(flags.output, events, events, columns)
}

interface Following {
  readonly filter: { readonly story?: string }
  readonly output: Format
}

const reconnectMs = 1000

/**
 * Prints what there is and then events as they happen, one by one, until Ctrl-C. Where the connection
 * is lost, it goes on after the last event that was seen.
 */
const follow = async (client: ApiClient, path: string, at: Following): Promise<void> => {
  const stop = new AbortController()
  const interrupt = (): void => stop.abort()
  process.once('SIGINT', interrupt)
  const query = new URLSearchParams({ ...at.filter, after: '0' }).toString()
  const reader = createReader(at.output)
  try {
    while (!stop.signal.aborted) {
      const open = () => client.open(`${path}?${query}`, reader.resume(), stop.signal)
      await reader.read(open).catch((error: unknown) => {
        if (!stop.signal.aborted && !reader.mayComeBack(error)) throw error
      })
      await systemClock.sleep(reconnectMs, stop.signal)
    }
  } finally {
    process.removeListener('SIGINT', interrupt)
  }
}

/** Reads one tail after the other and remembers the last event it saw. */
const createReader = (output: Format) => {
  let seen = '0'
  let reached = false
  return {
    resume: () => ({ 'last-event-id': seen }),
    /** A platform that was there before comes back; one that refuses or never answered does not. */
    mayComeBack: (error: unknown): boolean =>
      reached && (!(error instanceof CommandFailed) || error.code === exitCodes.unreachable),
    read: async (open: () => Promise<ReadableStream<Uint8Array>>): Promise<void> => {
      const parser = createParser({
        onEvent: ({ id, event, data }) => {
          seen = id ?? seen
          if (event !== 'synced') showNext(output, storyEvent.parse(JSON.parse(data)), columns)
        },
      })
      const body = await open()
      reached = true
      const decoder = new TextDecoder()
      for await (const chunk of body) parser.feed(decoder.decode(chunk, { stream: true }))
    },
  }
}
