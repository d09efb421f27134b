import { streamOf, type TenantId } from '@weir/contract'
import type { EventLog } from '@weir/eventlog'
import { explainError, type Logger } from '@weir/kernel'
import type { SeenService } from '@weir/kube'
import { consumer } from './reconcile.ts'

/**
 * Records that the API server acknowledged our finalizers. False when it could not be: whoever asks must
 * have the Service looked at, whose reconcile makes up for it.
 */
export const recordHold = async (
  { log, logger }: { readonly log: EventLog; readonly logger: Logger },
  tenant: TenantId,
  { uid, resourceVersion }: SeenService,
  traceparent: string,
): Promise<boolean> => {
  const stream = streamOf('status', uid)
  const append = (expectedVersion: number) =>
    log.append({
      tenant,
      commandId: `${consumer}/${uid}/held/${resourceVersion}`,
      events: [
        { stream, expectedVersion, event: { type: 'FinalizerAdded', data: { resourceVersion } } },
      ],
      actor: consumer,
      correlationId: uid,
      causationId: `service:${uid}`,
      traceparent,
    })
  try {
    // Most Services are new; one that comes back has a stream, whose version the conflict tells.
    const first = await append(0)
    const last = first.status === 'conflict' ? await append(first.actual) : first
    return last.status === 'appended' || last.status === 'repeated'
  } catch (error) {
    logger.warn(
      { service: uid, problem: explainError(error) },
      'a held Service is not recorded yet',
    )
    return false
  }
}
