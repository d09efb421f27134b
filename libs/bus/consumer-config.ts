import { AckPolicy, DeliverPolicy, ReplayPolicy } from '@nats-io/jetstream'
import type { ConsumerConfig, ConsumerInfo, JetStreamManager } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { batchOf, type Begin } from './begin.ts'
import type { ConsumeOptions } from './bus.ts'
import { isConsumerNotFound } from './jetstream-errors.ts'

/** A message that is neither acknowledged nor kept alive for this long goes to another process. */
export const ACK_WAIT_MS = 3_000
/** How long the server keeps an ephemeral consumer whose process went silent. */
const INACTIVE_MS = 60_000

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
      ...policyOf(begin),
    })
  }
  if (existing.config.filter_subject === filter) return existing
  return manager.consumers.update(stream, name, { filter_subject: filter })
}

/** Four batches: one in hand, one ready, two on their way. */
const maxAckPending = (options: ConsumeOptions): number => 4 * batchOf(options)

const policyOf = (begin: Begin): Pick<ConsumerConfig, 'deliver_policy' | 'opt_start_time'> => {
  switch (begin.at) {
    case 'last-of-each':
      return { deliver_policy: DeliverPolicy.LastPerSubject }
    case 'next':
      return { deliver_policy: DeliverPolicy.New }
    case 'time': {
      const since = new Date(begin.since).toISOString()
      return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: since }
    }
  }
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
