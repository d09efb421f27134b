import { fnv1a } from './hash.ts'
import { categoryOf } from './events.ts'
import type { RecordedEvent } from './envelope.ts'
import type { EdgeId, FleetName, ResourceKey, TenantId } from './ids.ts'
import { observationKey, type Observation } from './observations.ts'

/** Partitions of EVT, fixed for ever: a key never changes its partition. */
export const partitionCount = 64

/** Shards of the relay, fixed for ever. */
export const relayShardCount = 16

/** The names of the streams on the bus and what each may hold. */
export const streams = {
  /** Observations, one value per key. */
  obs: { name: 'OBS', subjects: ['weir.obs.>'] },
  /** Events from the log. */
  evt: { name: 'EVT', subjects: ['weir.evt.>'] },
  /** Orders to edges and their answers, one value per key. */
  edge: { name: 'EDGE', subjects: ['weir.edge.>'] },
} as const

/** Which of the relay's shards carries a tenant. */
export const relayShardOf = (tenant: TenantId): number => fnv1a(tenant) % relayShardCount

/** `weir.obs.<tenant>.<cluster>.<kind>.<key>` */
export const observationSubject = (seen: Observation): string =>
  `weir.obs.${seen.tenant}.${seen.cluster}.${seen.kind}.${observationKey(seen)}`

/** `weir.evt.<partition>.<tenant>.<category>.<Type>`; the partition is fnv1a(tenant/story) mod 64. */
export const eventSubject = (event: RecordedEvent): string => {
  const partition = fnv1a(`${event.tenantid}/${event.correlationid}`) % partitionCount
  return `weir.evt.${partition}.${event.tenantid}.${categoryOf(event.subject)}.${event.type}`
}

/** `weir.hint.<shard>`: core NATS, best effort. `TENANT SEQUENCE`: whose log grew, how far. */
export const hintSubject = (shard: number): string => `weir.hint.${shard}`

/** `weir.edge.<fleet>.order.<key>`: the newest order for a resource. */
export const edgeOrderSubject = (fleet: FleetName, key: ResourceKey): string =>
  `weir.edge.${fleet}.order.${key}`

/** `weir.edge.<fleet>.report.<edge>.<key>`: what an edge made of it. */
export const edgeReportSubject = (fleet: FleetName, edge: EdgeId, key: ResourceKey): string =>
  `weir.edge.${fleet}.report.${edge}.${key}`

/** `weir.edge.<fleet>.heartbeat.<edge>`, and `.<part>` behind it for all parts but the first. */
export const edgeHeartbeatSubject = (fleet: FleetName, edge: EdgeId, part = 0): string =>
  `weir.edge.${fleet}.heartbeat.${edge}${part === 0 ? '' : `.${part}`}`
