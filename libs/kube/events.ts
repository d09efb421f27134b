import { hashOf } from '@weir/contract'
import { createKeyedQueue, explainError, type Clock, type Logger } from '@weir/kernel'
import { isApiError } from './api-error.ts'
import type { KubeConnection } from './connection.ts'
import { createSpamFilter } from './spam-filter.ts'
import type { ServiceRef } from './service-writer.ts'

/** Something that `kubectl describe service` shall show. */
export interface KubeEvent {
  readonly about: ServiceRef
  readonly type: 'Normal' | 'Warning'
  /** The word people search for, such as `EnsuredLoadBalancer`. */
  readonly reason: string
  readonly message: string
  /**
   * What it tells of. The same key about the same Service is the same Event, so telling it again after
   * a crash changes nothing.
   */
  readonly key: string
  /** When it happened, milliseconds since the epoch; Events are listed in this order. */
  readonly at: number
  /** Tell it again with a new time if it was told before: a warning must outlive the Event's hour. */
  readonly refresh?: boolean
}

/** Tells Events in the background, at a bounded rate. A failure is logged and never anybody's problem. */
export interface EventRecorder {
  record(event: KubeEvent): void
  /** Resolves when everything recorded so far was told or given up. */
  idle(): Promise<void>
}

export interface EventRecorderOptions {
  readonly connection: KubeConnection
  readonly clock: Clock
  readonly logger: Logger
  /** Calls at the same time; few, since Events come after everything else. */
  readonly concurrency?: number
  /** Events that may wait; more are dropped, since the log has them all. */
  readonly queue?: number
}

const component = 'weir'

export const createEventRecorder = (options: EventRecorderOptions): EventRecorder => {
  const { connection, clock, logger, concurrency = 2, queue = 10_000 } = options
  const work = createKeyedQueue(concurrency)
  const filter = createSpamFilter(clock)
  let waiting = 0

  const create = async (event: KubeEvent): Promise<void> => {
    const { namespace } = event.about
    const name = nameOf(event)
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`
    try {
      await connection.call({ method: 'POST', path, body: bodyOf(event, name) })
    } catch (error) {
      if (!isApiError(error, 409)) throw error
      if (!event.refresh) return
      await connection.call({
        method: 'PATCH',
        path: `${path}/${encodeURIComponent(name)}`,
        contentType: 'application/merge-patch+json',
        body: { lastTimestamp: seconds(clock.now()), message: event.message },
      })
    }
  }

  return {
    record: (event) => {
      const passed = filter.pass(event)
      if (passed === undefined || waiting >= queue) return
      waiting += 1
      void work
        .run(event.about.uid, () => create(passed))
        .catch((error: unknown) => {
          const { reason, about } = event
          logger.debug({ reason, uid: about.uid, problem: explainError(error) }, 'Event not told')
        })
        .finally(() => (waiting -= 1))
    },
    idle: () => work.idle(),
  }
}

// client-go's shape, NAME.HEX, with the time first: Events of the same second are listed by name.
const nameOf = ({ about, key, at }: KubeEvent): string => {
  const suffix = `${at.toString(16)}${hashOf([about.uid, key]).slice(0, 8)}`
  return `${about.name.slice(0, 253 - suffix.length - 1)}.${suffix}`
}

const seconds = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')

const bodyOf = (event: KubeEvent, name: string): unknown => {
  const { about, type, reason, message, at } = event
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: about.namespace },
    involvedObject: {
      apiVersion: 'v1',
      kind: 'Service',
      namespace: about.namespace,
      name: about.name,
      uid: about.uid,
    },
    type,
    reason,
    message: message.slice(0, 1024),
    count: 1,
    firstTimestamp: seconds(at),
    lastTimestamp: seconds(at),
    source: { component },
    reportingComponent: component,
    reportingInstance: '',
  }
}
