import { AckPolicy, DeliverPolicy, ReplayPolicy } from '@nats-io/jetstream'
import type { ConsumerConfig, ConsumerInfo, JetStreamManager } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import type { ConsumeOptions } from './bus.ts'
import { isConsumerNotFound } from './jetstream-errors.ts'

/** A message that is neither acknowledged nor kept alive for this long goes to another process. */
export const ACK_WAIT_MS = 10_000
/** How long the server keeps an ephemeral consumer whose process went silent. */
const INACTIVE_MS = 60_000

/** How far this process has read, for the day that its consumer vanishes. */
export interface Position {
  /** The stream it read, by its time of creation. */
  readonly incarnation: string | undefined
  /** The newest sequence it handled; 0 before the first. */
  readonly sequence: number
}

/** The consumer of that name as the server has it, or made now. */
export const obtainConsumer = async (
  manager: JetStreamManager,
  name: string,
  options: ConsumeOptions,
  begin: Begin,
): Promise<ConsumerInfo> => {
  const { stream, filter, durable } = options
  const existing = await infoOf(manager, stream, name)
  if (existing === undefined) {
    return manager.consumers.add(stream, {
      name,
      ...(durable === undefined
        ? { inactive_threshold: nanos(INACTIVE_MS), mem_storage: true }
        : { durable_name: durable }),
      filter_subject: filter,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ACK_WAIT_MS),
      max_ack_pending: maxAckPending(options),
      max_deliver: -1,
      replay_policy: ReplayPolicy.Instant,
      ...begin,
    })
  }
  if (existing.config.filter_subject === filter) return existing
  return manager.consumers.update(stream, name, { filter_subject: filter })
}

/** Four batches: one in hand, one ready, two on their way. */
export const maxAckPending = (options: ConsumeOptions): number => 4 * batchOf(options)

export const batchOf = (options: ConsumeOptions): number => options.batch ?? 256

type Begin = Pick<ConsumerConfig, 'deliver_policy' | 'opt_start_seq'>

/**
 * Where a consumer that has to be made begins.
 * - Last values: with all of them again.
 * - New messages, the first time: with the next one.
 * - New messages, after the consumer vanished from a stream that is still the same: behind what this
 *   process handled, so that the gap is delivered.
 * - New messages, after the stream was made again: with its first, for all in it is new.
 */
export const beginAt = (
  from: ConsumeOptions['from'],
  position: Position | undefined,
  incarnation: string | undefined,
): Begin => {
  if (from === 'last-of-each') return { deliver_policy: DeliverPolicy.LastPerSubject }
  if (position === undefined) return { deliver_policy: DeliverPolicy.New }
  if (position.incarnation !== incarnation) return { deliver_policy: DeliverPolicy.All }
  if (position.sequence === 0) return { deliver_policy: DeliverPolicy.New }
  return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: position.sequence + 1 }
}

const infoOf = async (
  manager: JetStreamManager,
  stream: string,
  name: string,
): Promise<ConsumerInfo | undefined> => {
  try {
    return await manager.consumers.info(stream, name)
  } catch (error) {
    if (isConsumerNotFound(error)) return undefined
    throw error
  }
}
