import {
  hashOf,
  observationFacts,
  observationSubject,
  type Observation,
  type ServiceUid,
} from '@weir/contract'
import type { Bus } from '@weir/bus'
import { backoffMs, explainError, type Clock, type Ids, type Logger } from '@weir/kernel'

/** An observation without what the publisher adds: who saw it, in which order, and when. */
export type Sighting = Observation extends infer One
  ? One extends Observation
    ? Omit<One, 'watcherEpoch' | 'order' | 'seenAt'>
    : never
  : never

/** Puts one cluster's observations on the bus: the newest per subject, many in one go. */
export interface Publisher {
  /**
   * Resolves when the bus has it, or something newer about the same thing; at once when nothing is
   * new since the last time.
   */
  publish(seen: Sighting): Promise<void>
  /** Publishes everything again, since the bus may have lost it. */
  again(): Promise<void>
  /** Services that were last said to be gone. */
  gone(): readonly ServiceUid[]
  /** Says nothing of these Services any more: whoever must know that they are gone knows. */
  forget(services: ReadonlySet<ServiceUid>): void
  /** Publishes until `signal` aborts; what still waits then is given up, so that nobody waits for it. */
  run(signal: AbortSignal): Promise<void>
}

export interface PublisherPorts {
  readonly bus: Pick<Bus, 'publish'>
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** The lease's fence: a watcher that lost its cluster is ignored by it. */
  readonly epoch: number
  /**
   * Rises with every call in this process. A cluster may be taken up again under the same fence, by the same
   * process, whose clock may have been set back meanwhile.
   */
  readonly nextOrder: () => number
}

interface Waiting {
  readonly seen: Observation
  readonly done: PromiseWithResolvers<void>
}

const batchSize = 256

export const createPublisher = (ports: PublisherPorts): Publisher => {
  const { bus, clock, ids, logger, epoch, nextOrder } = ports
  const last = new Map<string, { readonly hash: string; readonly seen: Observation }>()
  const waiting = new Map<string, Waiting>()
  let isOver = false
  let wake: () => void = () => undefined

  const enqueue = async (seen: Observation): Promise<void> => {
    if (isOver) return
    const subject = observationSubject(seen)
    const before = waiting.get(subject)
    const done = before?.done ?? Promise.withResolvers<void>()
    waiting.set(subject, { seen, done })
    wake()
    return done.promise
  }

  const send = async (): Promise<void> => {
    const batch = [...waiting].slice(0, batchSize)
    const messages = batch.map(([subject, { seen }]) => ({
      subject,
      body: JSON.stringify(seen),
      ...(seen.traceparent === undefined ? {} : { headers: { traceparent: seen.traceparent } }),
    }))
    for (const [subject] of batch) waiting.delete(subject)
    try {
      await bus.publish(messages)
    } catch (error) {
      for (const [subject, kept] of batch) {
        const newer = waiting.get(subject)
        // What came meanwhile is newer; whoever waited for this one waits for that one instead.
        if (newer === undefined) waiting.set(subject, kept)
        else newer.done.promise.then(kept.done.resolve, kept.done.reject)
      }
      throw error
    }
    for (const [, { done }] of batch) done.resolve()
  }

  return {
    publish: async (sighting) => {
      const facts: Observation = { ...sighting, watcherEpoch: epoch, order: 0, seenAt: '' }
      const subject = observationSubject(facts)
      const hash = hashOf(observationFacts(facts))
      const queued = waiting.get(subject)
      if (last.get(subject)?.hash === hash) return queued?.done.promise
      const seenAt = new Date(clock.now()).toISOString()
      const seen = { ...facts, order: nextOrder(), seenAt }
      last.set(subject, { hash, seen })
      return enqueue(seen)
    },
    again: async () => {
      for (const { seen } of last.values())
        if (!waiting.has(observationSubject(seen))) void enqueue(seen)
      await Promise.all([...waiting.values()].map(({ done }) => done.promise))
    },
    gone: () =>
      [...last.values()].flatMap(({ seen }) =>
        seen.kind === 'service' && seen.phase === 'gone' ? [seen.serviceUid] : [],
      ),
    forget: (services) => {
      for (const [subject, { seen }] of last) {
        if (seen.kind !== 'nodes' && services.has(seen.serviceUid)) last.delete(subject)
      }
    },
    run: async (signal) => {
      signal.addEventListener('abort', () => wake(), { once: true })
      for (let failures = 0; !signal.aborted;) {
        if (waiting.size === 0) await new Promise<void>((resolve) => (wake = resolve))
        if (signal.aborted) break
        try {
          await send()
          failures = 0
        } catch (error) {
          failures += 1
          logger.warn({ problem: explainError(error) }, 'cannot publish observations, trying again')
          await clock.sleep(backoffMs({ minMs: 50, maxMs: 5000 }, failures, ids.random()), signal)
        }
      }
      isOver = true
      for (const { done } of waiting.values()) done.resolve()
      waiting.clear()
    },
  }
}
