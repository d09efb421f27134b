import { backoffMs, type Clock } from '@weir/kernel'
import { batchOf, beginAt } from '../begin.ts'
import type { Bus, ConsumeOptions, IncomingMessage } from '../bus.ts'
import { REDELIVERY_BACKOFF } from '../limits.ts'
import { createRebuiltWatch } from '../rebuilt.ts'
import { createRunningConsumers } from '../running.ts'
import type { Delivery, MemoryConsumer, StoredMessage } from './memory-consumer.ts'
import { createMemoryServer, type MemoryHarm, type MemoryServer } from './memory-server.ts'
import type { Misbehaviour } from './misbehaviour.ts'
import { matches } from './subject.ts'

/** A bus in memory: one process's handle on it, and ways to harm it. */
export interface MemoryBus extends Bus, MemoryHarm {
  /** The handle of another process on the same streams. */
  connect(): Bus
}

export interface MemoryBusOptions {
  readonly clock: Clock
  /** In [0, 1); seeded, a run can be repeated. */
  readonly random: () => number
  readonly misbehave?: Misbehaviour
}

/** The twin of the bus on JetStream; both pass `bus.conformance.ts`. */
export const createMemoryBus = (options: MemoryBusOptions): MemoryBus => {
  const { clock, random, misbehave = {} } = options
  const server = createMemoryServer(clock, random, misbehave)
  let handles = 0
  const connect = (): Bus => {
    handles += 1
    return createHandle({ server, clock, random, process: handles })
  }
  return { ...connect(), ...server.harm, connect }
}

interface Handle {
  readonly server: MemoryServer
  readonly clock: Clock
  readonly random: () => number
  readonly process: number
}

const createHandle = (handle: Handle): Bus => {
  const { server } = handle
  const watch = createRebuiltWatch()
  const running = createRunningConsumers()
  let open = true
  let consumers = 0
  const ensure = (): readonly string[] => {
    const found = server.ensure()
    watch.note(found)
    return found.filter((stream) => stream.made).map((stream) => stream.name)
  }
  const stopLooking = server.onLook(() => {
    if (open && server.up()) ensure()
  })
  ensure()
  return {
    ensureStreams: async () => ensure(),
    publish: async (messages) => messages.map((message) => server.publish(message)),
    consume: (options) => {
      consumers += 1
      const name = options.durable ?? `own-${handle.process}-${consumers}`
      return running.run(options, (until) => consumeFrom(handle, { options: until, ensure, name }))
    },
    last: async (stream, subject) => {
      const found = server.stream(stream)?.last(subject)
      return found && incomingOf({ stored: found, deliveries: 1 })
    },
    lastOfEach: (stream, filter) => lastOfEachIn(server, stream, filter),
    hint: (subject, body) => server.hint(subject, body),
    onHint: (subject, listener, signal) => {
      if (signal.aborted) return
      const take = (body: string, at: string): void => {
        try {
          listener(body, at)
        } catch {
          // As on the wire, where it is logged: whoever cannot take a hint misses that one alone.
        }
      }
      const stop = server.onHint({ subject, handle: take })
      signal.addEventListener('abort', stop, { once: true })
    },
    onRebuilt: (listener, signal) => watch.onRebuilt(listener, signal),
    connected: () => open && server.up(),
    close: async () => {
      await running.end()
      open = false
      stopLooking()
    },
  }
}

const incomingOf = ({ stored, deliveries }: Delivery): IncomingMessage => ({
  subject: stored.subject,
  body: stored.body,
  headers: stored.headers,
  streamSequence: stored.sequence,
  deliveries,
})

async function* lastOfEachIn(
  server: MemoryServer,
  stream: string,
  filter: string,
): AsyncGenerator<IncomingMessage> {
  const newest = new Map<string, StoredMessage>()
  for (const message of server.stream(stream)?.messages() ?? []) {
    if (matches(filter, message.subject)) newest.set(message.subject, message)
  }
  for (const stored of newest.values()) yield incomingOf({ stored, deliveries: 1 })
}

interface Consuming {
  readonly options: ConsumeOptions
  readonly ensure: () => readonly string[]
  readonly name: string
}

/** How long a consumer waits before it asks a server that is away again. */
const ASK_AGAIN_MS = 20

const consumeFrom = async (handle: Handle, consuming: Consuming): Promise<void> => {
  const { options, ensure, name } = consuming
  const { server, clock } = handle
  const { signal, stream, filter, from } = options
  let handled: number | undefined
  while (!signal.aborted) {
    if (!server.up()) {
      await clock.sleep(ASK_AGAIN_MS, signal)
      continue
    }
    ensure()
    const consumer = server.stream(stream)?.consumer(name, filter, beginAt(from, handled))
    handled ??= clock.now()
    if (consumer) handled = await drain(handle, options, consumer, handled)
  }
  if (options.durable === undefined && server.up()) server.stream(stream)?.loseConsumer(name)
}

/** Hands over batches until the consumer is lost or the signal aborts. */
const drain = async (
  handle: Handle,
  options: ConsumeOptions,
  consumer: MemoryConsumer,
  before: number,
): Promise<number> => {
  let handled = before
  for (;;) {
    const batch = await consumer.take(batchOf(options), options.signal)
    if (batch === undefined || batch.length === 0) return handled
    try {
      await options.handle(batch.map(incomingOf))
      handled = Math.max(handled, ...batch.map(({ stored }) => stored.at))
    } catch {
      // The rejection is the handler's to report; here it means that the batch comes again.
      for (const delivery of batch) {
        const wait = backoffMs(REDELIVERY_BACKOFF, delivery.deliveries, handle.random())
        void handle.clock.sleep(wait).then(() => consumer.giveBack(delivery))
      }
    }
  }
}
