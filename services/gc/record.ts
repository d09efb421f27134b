import { streamOf, type DomainEvent, type ResourceKey, type TenantId } from '@weir/contract'
import type { EventLog } from '@weir/eventlog'

/** The name of the service, and the actor of what it records. */
export const collectorName = 'gc'

/** Events for one resource stream, decided on one version of it. */
export interface Saying {
  readonly tenant: TenantId
  readonly service: string
  readonly key: ResourceKey
  readonly version: number
  /** Names the decision on that version: told twice, it is recorded once. */
  readonly what: string
  readonly causationId: string
  readonly events: readonly DomainEvent[]
}

/** Records a decision; false when somebody else moved the stream first, who then decides. */
export const record = async (log: Pick<EventLog, 'append'>, said: Saying): Promise<boolean> => {
  const stream = streamOf('resource', said.key)
  const outcome = await log.append({
    tenant: said.tenant,
    commandId: `${collectorName}/${stream}/${said.version}/${said.what}`,
    events: said.events.map((event) => ({ stream, expectedVersion: said.version, event })),
    actor: collectorName,
    correlationId: said.service,
    causationId: said.causationId,
  })
  return outcome.status === 'appended' || outcome.status === 'repeated'
}
