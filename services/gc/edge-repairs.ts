import {
  event,
  platformTenant,
  streamOf,
  type EdgeHeartbeat,
  type EdgeRepair,
} from '@weir/contract'
import type { EventLog } from '@weir/eventlog'
import type { EdgeRecorder } from './edge-words.ts'
import { collectorName } from './record.ts'

/**
 * Puts into the platform's log what edges say that they made good: each repair of each heartbeat once, whoever else
 * does the same at the same time.
 */
export const createEdgeRepairs = (log: Pick<EventLog, 'story' | 'append'>): EdgeRecorder => {
  /** What is in the log for sure, so that a quiet fleet costs no query. */
  const known = new Set<string>()

  const recordOf = async (beat: EdgeHeartbeat): Promise<number> => {
    const fresh = (beat.repairs ?? []).filter((repair) => !known.has(nameOf(beat, repair)))
    if (fresh.length === 0) return 0
    const stream = streamOf('edge', beat.edge)
    const story = await log.story(platformTenant, stream)
    const recorded = new Set(
      story.flatMap((each) => (each.type === 'EdgeTableRepaired' ? [each.data.repair.at] : [])),
    )
    const missing = fresh.filter(({ at }) => !recorded.has(at))
    if (missing.length > 0) {
      const events = missing.map((repair) => ({
        stream,
        expectedVersion: story.length,
        event: event('EdgeTableRepaired', { fleet: beat.fleet, edge: beat.edge, repair }),
      }))
      const which = missing.map(({ at }) => at).join()
      const { status } = await log.append({
        tenant: platformTenant,
        commandId: `${collectorName}/${stream}/${which}`,
        events,
        actor: collectorName,
        correlationId: stream,
        causationId: `heartbeat:${beat.edge}/${beat.at}`,
      })
      // Somebody else was faster: the next look shows what is missing still.
      if (status !== 'appended' && status !== 'repeated') return 0
    }
    for (const repair of fresh) known.add(nameOf(beat, repair))
    return missing.length
  }
  return {
    record: async ({ beats }) => {
      let count = 0
      for (const beat of beats) count += await recordOf(beat)
      return count
    },
  }
}

const nameOf = ({ edge }: EdgeHeartbeat, { at }: EdgeRepair): string => `${edge} ${at}`
