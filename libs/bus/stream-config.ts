import { DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import type { StreamConfig } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { streams } from '@weir/contract'
import { DEDUPE_WINDOW_MS, EVENT_AGE_MS } from './limits.ts'

type Wanted = Partial<StreamConfig> & { readonly name: string }

/** The three streams as they shall be. @param replicas 1 on one machine, 3 in production. */
export const wantedStreams = (replicas: number): readonly Wanted[] => [
  {
    ...common(replicas),
    name: streams.obs.name,
    subjects: [...streams.obs.subjects],
    ...lastValue,
  },
  {
    ...common(replicas),
    name: streams.evt.name,
    subjects: [...streams.evt.subjects],
    max_age: nanos(EVENT_AGE_MS),
  },
  {
    ...common(replicas),
    name: streams.edge.name,
    subjects: [...streams.edge.subjects],
    ...lastValue,
  },
]

// Lifetimes cannot be taken back once allowed; servers before 2.11 leave them out and keep everything.
const lastValue = { max_msgs_per_subject: 1, allow_msg_ttl: true } as const

const common = (replicas: number): Partial<StreamConfig> => ({
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.Old,
  duplicate_window: nanos(DEDUPE_WINDOW_MS),
  num_replicas: replicas,
  allow_direct: true,
})

/** Whether a stream that exists differs in what may be changed while it is used. */
export const mustUpdate = (found: StreamConfig, wanted: Wanted): boolean =>
  found.num_replicas !== wanted.num_replicas ||
  found.duplicate_window !== wanted.duplicate_window ||
  (wanted.allow_msg_ttl === true && found.allow_msg_ttl !== true) ||
  (wanted.max_age ?? 0) !== found.max_age ||
  (wanted.subjects ?? []).join() !== found.subjects.join()
