import { connectBus, type Bus, type IncomingMessage } from '@weir/bus'
import {
  decodeEvent,
  encodeEvent,
  eventSubject,
  hintSubject,
  relayShardOf,
  streams,
  tenantId,
  type RecordedEvent,
  type TenantId,
} from '@weir/contract'
import {
  createHousekeeping,
  createRelay,
  openStore,
  type EventLog,
  type Reconciler,
  type Relay,
  type Store,
} from '@weir/eventlog'
import { explainError, type Clock, type Logger } from '@weir/kernel'
import type { ServiceContext } from '@weir/runtime'
import { measureAppends, measureReconciler, measureRelay } from './measure.ts'

/** Where a service finds its log and its bus. */
export interface BackboneSettings {
  readonly DATABASE_URL: string
  readonly NATS_URL: string
}

/** A service's place between the log and the bus. */
export interface Backbone {
  /** The store; whatever is appended through it is told to everybody at once. */
  readonly store: Store
  readonly bus: Bus
  /**
   * Feeds a reconciler with events from the bus and keeps it running until the service stops. Replicas
   * that give the same `durable` share the messages; what a replica misses it reads from the log.
   */
  feed(reconciler: Reconciler, durable: string): void
  /** Calls back with the tenant of whatever was appended somewhere, until `signal` aborts. */
  onNews(handle: (tenant: string) => void, signal: AbortSignal): void
  /** Waits for what runs and closes both. */
  stop(): Promise<void>
}

const everyHint = 'weir.hint.*'

/**
 * Opens store and bus for a service, adds both to its health, and runs its share of the relay.
 * @throws OperatingError when the database does not answer; the bus is waited for
 */
export const openBackbone = async (
  context: Pick<
    ServiceContext<BackboneSettings>,
    'config' | 'log' | 'clock' | 'ids' | 'signal' | 'health' | 'metrics'
  >,
  service: string,
): Promise<Backbone> => {
  const { clock, ids, log, signal, config, health, metrics } = context
  const holder = `${service}/${ids.uuid()}`
  const bus = await connectBus({
    url: config.NATS_URL,
    name: service,
    clock,
    ids,
    logger: log,
    signal,
  })
  const store = await openStore({
    url: config.DATABASE_URL,
    application: service,
    logger: log,
    clock,
    ids,
  })
  const relay = createRelay({
    store,
    holder,
    clock,
    ids,
    logger: log,
    publish: async (events) => {
      await bus.publish(events.map(toMessage))
    },
  })
  health.add('bus', () => (bus.connected() ? undefined : 'not connected'))
  health.add('log', async () => {
    await store.ping()
    return undefined
  })
  const wake = (body: string): void => {
    const hint = readHint(body)
    if (hint !== undefined) relay.wake(hint.tenant, hint.upTo)
    else log.warn({ hint: body.slice(0, 100) }, 'a hint names no tenant')
  }
  bus.onHint(everyHint, wake, signal)
  measureRelay(metrics, relay)
  const note = measureAppends(metrics)

  // A Bug rethrown by a loop ends the process: nothing may go on with a broken invariant.
  const housekeeping = createHousekeeping({ store, holder, clock, ids, logger: log })
  const running = [relay.run(signal), housekeeping.run(signal)]
  return {
    store: { ...store, log: telling(store.log, { bus, relay, clock, note }) },
    bus,
    feed: (reconciler, durable) => {
      const handle = (messages: readonly IncomingMessage[]): Promise<void> =>
        reconciler.deliver(decodeAll(messages, log))
      const [filter] = streams.evt.subjects
      const consuming = {
        stream: streams.evt.name,
        filter,
        durable,
        from: 'new',
        handle,
        signal,
      } as const
      measureReconciler(metrics, reconciler)
      running.push(bus.consume(consuming), reconciler.run(signal))
    },
    onNews: (handle, until) => {
      const tell = (body: string): void => {
        const hint = readHint(body)
        if (hint !== undefined) handle(hint.tenant)
      }
      bus.onHint(everyHint, tell, until)
    },
    stop: async () => {
      await Promise.all(running)
      await bus.close()
      await store.close()
    },
  }
}

interface Listeners {
  readonly bus: Bus
  readonly relay: Relay
  readonly clock: Clock
  readonly note: ReturnType<typeof measureAppends>
}

/**
 * Tells everybody about an append the moment it is committed; losing the hint costs a poll. When the
 * relay of this very process carries the tenant, it gets the events themselves and need not read them.
 */
const telling = (log: EventLog, { bus, relay, clock, note }: Listeners): EventLog => ({
  ...log,
  append: async (request) => {
    const began = clock.now()
    const since = (): number => (clock.now() - began) / 1000
    const outcome = await log.append(request).catch((error: unknown) => {
      note('failed', since())
      throw error
    })
    note(outcome.status, since())
    const last = outcome.status === 'appended' ? outcome.events.at(-1) : undefined
    if (outcome.status === 'appended' && last !== undefined) {
      relay.offer(outcome.events)
      const { tenant } = request
      bus.hint(hintSubject(relayShardOf(tenant)), `${tenant} ${last.sequence}`)
    }
    return outcome
  },
})

/** `TENANT SEQUENCE`: whose log grew, and how far; undefined when it names no tenant. */
const readHint = (body: string): { tenant: TenantId; upTo: number } | undefined => {
  const [name, upTo = ''] = body.split(' ')
  const tenant = tenantId.safeParse(name)
  if (!tenant.success) return undefined
  return { tenant: tenant.data, upTo: /^\d+$/.test(upTo) ? Number(upTo) : Infinity }
}

const toMessage = (event: RecordedEvent) => ({
  subject: eventSubject(event),
  body: encodeEvent(event),
  id: event.id,
  ...(event.traceparent === undefined ? {} : { headers: { traceparent: event.traceparent } }),
})

/** What cannot be read is left out and said aloud; the reader finds the gap and asks the log. */
const decodeAll = (messages: readonly IncomingMessage[], log: Logger): RecordedEvent[] =>
  messages.flatMap((message) => {
    try {
      const decoded = decodeEvent(JSON.parse(message.body))
      if (decoded.status === 'known') return [decoded.event]
      log.warn({ type: decoded.type }, 'an event of a newer version was skipped')
    } catch (error) {
      log.error({ subject: message.subject, problem: explainError(error) }, 'a message was parked')
    }
    return []
  })
