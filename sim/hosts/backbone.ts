// What `@weir/backbone` wires between a service, the log and the bus, on ports that are given instead of
// opened: the same relay, the same hints, the same reconciler.
import type { IncomingMessage } from '@weir/bus'
import {
  decodeEvent,
  encodeEvent,
  eventSubject,
  hintSubject,
  relayShardOf,
  streams,
  tenantId,
  type RecordedEvent,
} from '@weir/contract'
import { createRelay, type EventLog, type Reconciler, type Relay, type Store } from '@weir/eventlog'
import type { Machine } from './machine.ts'

export interface JoinedBackbone {
  /** Whatever is appended through it is told to everybody at once. */
  readonly store: Store
  feed(reconciler: Reconciler, durable: string): void
}

export const joinBackbone = (machine: Machine, service: string): JoinedBackbone => {
  const { store, bus, clock, ids, logger, pace, onBroken } = machine
  const relay = createRelay({
    store,
    holder: `${service}/${ids.uuid()}`,
    clock,
    ids,
    logger,
    publish: async (events) => {
      await bus.publish(events.map(toMessage))
    },
    pollMs: pace.relayPollMs,
    leaseMs: pace.relayLeaseMs,
  })
  bus.onHint('weir.hint.*', (body) => wake(relay, body), machine.signal)
  relay.run(machine.signal).catch(onBroken)
  return {
    store: { ...store, log: telling(store.log, machine, relay) },
    feed: (reconciler, durable) => {
      const [filter] = streams.evt.subjects
      const handle = (messages: readonly IncomingMessage[]): Promise<void> =>
        reconciler.deliver(messages.flatMap(decoded))
      const consuming = { durable, filter, from: 'new', handle, signal: machine.signal } as const
      bus.consume({ stream: streams.evt.name, ...consuming }).catch(onBroken)
      reconciler.run(machine.signal).catch(onBroken)
    },
  }
}

const wake = (relay: Relay, body: string): void => {
  const [name, upTo = ''] = body.split(' ')
  const tenant = tenantId.safeParse(name)
  if (tenant.success) relay.wake(tenant.data, Number(upTo))
}

const telling = (log: EventLog, { bus }: Machine, relay: Relay): EventLog => ({
  ...log,
  append: async (request) => {
    const outcome = await log.append(request)
    const last = outcome.status === 'appended' ? outcome.events.at(-1) : undefined
    if (outcome.status === 'appended' && last !== undefined) {
      relay.offer(outcome.events)
      bus.hint(hintSubject(relayShardOf(request.tenant)), `${request.tenant} ${last.sequence}`)
    }
    return outcome
  },
})

const toMessage = (event: RecordedEvent) => ({
  subject: eventSubject(event),
  body: encodeEvent(event),
  id: event.id,
})

/** What cannot be read is left out; the reader finds the gap and asks the log. */
const decoded = ({ body }: IncomingMessage): RecordedEvent[] => {
  try {
    const read = decodeEvent(JSON.parse(body))
    return read.status === 'known' ? [read.event] : []
  } catch {
    return []
  }
}
