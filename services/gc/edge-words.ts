import {
  edgeHeartbeat,
  streams,
  type DriverName,
  type EdgeHeartbeat,
  type FleetName,
} from '@weir/contract'
import type { Bus } from '@weir/bus'
import { explainError, OperatingError, type Clock, type Logger } from '@weir/kernel'

/** What the edges of one fleet say now. */
export interface FleetWords {
  readonly driver: DriverName
  readonly beats: readonly EdgeHeartbeat[]
}

/** Puts something of what edges say into the log. How much that was. */
export interface EdgeRecorder {
  record(words: FleetWords): Promise<number>
}

export interface EdgeWordsPorts {
  readonly bus: Pick<Bus, 'lastOfEach'>
  /** Asked each time: fleets may come later. */
  readonly fleets: () => readonly { readonly driver: DriverName; readonly fleet: FleetName }[]
  readonly recorders: readonly EdgeRecorder[]
  readonly clock: Clock
  readonly logger: Logger
  readonly intervalMs: number
}

/** The first part of each edge's heartbeat. One of another version that says something else hides no other. */
export const heartbeatsOf = async (
  bus: EdgeWordsPorts['bus'],
  fleet: FleetName,
): Promise<readonly EdgeHeartbeat[]> => {
  const heard: EdgeHeartbeat[] = []
  const beats = bus.lastOfEach(streams.edge.name, `weir.edge.${fleet}.heartbeat.*`)
  for await (const { body } of beats) {
    const beat = edgeHeartbeat.safeParse(parseJson(body))
    if (beat.success) heard.push(beat.data)
  }
  return heard
}

/** Reads the heartbeats of all fleets for the recorders, each interval, until `signal` aborts. */
export const recordEdgeWords = async (
  ports: EdgeWordsPorts,
  signal: AbortSignal,
): Promise<void> => {
  const { bus, fleets, recorders, clock, logger, intervalMs } = ports
  const look = async (): Promise<void> => {
    for (const { driver, fleet } of fleets()) {
      const beats = await heartbeatsOf(bus, fleet)
      for (const recorder of recorders) await recorder.record({ driver, beats })
    }
  }
  while (!signal.aborted) {
    try {
      await look()
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error
      logger.warn({ problem: explainError(error) }, 'cannot record what edges say')
    }
    await clock.sleep(intervalMs, signal)
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
