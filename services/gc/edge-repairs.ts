import {
  edgeHeartbeat,
  event,
  platformTenant,
  streams,
  streamOf,
  type EdgeHeartbeat,
  type EdgeRepair,
  type FleetName,
} from '@weir/contract'
import type { Bus } from '@weir/bus'
import type { EventLog } from '@weir/eventlog'
import { explainError, OperatingError, type Clock, type Logger } from '@weir/kernel'
import { collectorName } from './record.ts'

export interface EdgeRepairsPorts {
  readonly bus: Pick<Bus, 'lastOfEach'>
  readonly log: Pick<EventLog, 'story' | 'append'>
  /** Asked each time: fleets may come later. */
  readonly fleets: () => readonly FleetName[]
  readonly clock: Clock
  readonly logger: Logger
  readonly intervalMs: number
}

/** Puts into the platform's log what edges say that they made good. */
export interface EdgeRepairs {
  /** Each repair of each heartbeat once, whoever else does the same at the same time. How many it was. */
  record(): Promise<number>
  /** Again and again, each interval, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
}

export const createEdgeRepairs = (ports: EdgeRepairsPorts): EdgeRepairs => {
  const { bus, log, fleets, clock, logger, intervalMs } = ports
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
  const record = async (): Promise<number> => {
    let count = 0
    for (const fleet of fleets()) {
      const beats = bus.lastOfEach(streams.edge.name, `weir.edge.${fleet}.heartbeat.*`)
      for await (const { body } of beats) {
        const beat = edgeHeartbeat.safeParse(parseJson(body))
        // An edge of another version that says something else hides none of the others.
        if (beat.success) count += await recordOf(beat.data)
      }
    }
    return count
  }
  return {
    record,
    run: async (signal) => {
      while (!signal.aborted) {
        try {
          await record()
        } catch (error) {
          if (!(error instanceof OperatingError)) throw error
          logger.warn({ problem: explainError(error) }, 'cannot record what edges made good')
        }
        await clock.sleep(intervalMs, signal)
      }
    },
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const nameOf = ({ edge }: EdgeHeartbeat, { at }: EdgeRepair): string => `${edge} ${at}`
