import {
  event,
  streamOf,
  type DriverName,
  type EdgeHeartbeat,
  type ReturnFinding,
} from '@weir/contract'
import type { EventLog, Observed } from '@weir/eventlog'
import type { Clock, Logger } from '@weir/kernel'
import { failedPools, returnStory, type FailedPool } from './domain/direct-return.ts'
import type { EdgeRecorder } from './edge-words.ts'
import { collectorName } from './record.ts'

export interface DirectReturnsPorts {
  readonly log: Pick<EventLog, 'story' | 'append' | 'now'>
  readonly observed: Pick<Observed, 'get'>
  readonly clock: Clock
  readonly logger: Logger
  /** How long a Service's status must have been shown, and a cluster have been as it is, to be judged. */
  readonly settleMs: number
}

/** An edge that was not heard for so long tells nothing of now. */
const freshMs = 60_000

/**
 * Puts into the clusters' stories which of their node pools cannot answer clients directly: each once since somebody
 * said last who serves the cluster.
 */
export const createDirectReturns = (ports: DirectReturnsPorts): EdgeRecorder => {
  const { log, observed, clock, logger, settleMs } = ports

  const isFresh = ({ at }: EdgeHeartbeat): boolean => clock.now() - Date.parse(at) <= freshMs
  /** Before its status shows the address, a node need not know it. */
  const isShown = async ({ tenant }: ReturnFinding, { service }: FailedPool): Promise<boolean> => {
    const story = await log.story(tenant, service)
    const shown = story.findLast(({ type }) => type === 'StatusPublished')
    return shown !== undefined && (await log.now()) - Date.parse(shown.recordedtime) > settleMs
  }
  const recordOf = async (
    driver: DriverName,
    findings: readonly [ReturnFinding, ...ReturnFinding[]],
  ): Promise<number> => {
    const [first] = findings
    const { tenant, cluster: id } = first
    const at = returnStory(await log.story(tenant, id))
    if (at.driver !== driver || (await log.now()) - at.saidAt < settleMs) return 0
    const seen = await observed.get({ tenant, cluster: id, kind: 'nodes', key: 'all' })
    const pools = new Map(seen?.nodes.map(({ name, pool }) => [name, pool ?? null]))
    const failing = failedPools(findings, (node) => pools.get(node) ?? null)
    const fresh = failing.filter(({ pool }) => !at.told.includes(pool))
    const sure = await Promise.all(fresh.map((each) => isShown(first, each)))
    const told = fresh.filter((_, place) => sure[place])
    if (told.length === 0) return 0
    const stream = streamOf('cluster', id)
    const events = told.map((each) => ({
      stream,
      expectedVersion: at.version,
      event: event('DirectReturnFailed', { id, driver, ...each, nodes: each.nodes.slice(0, 50) }),
    }))
    const { status } = await log.append({
      tenant,
      commandId: `${collectorName}/${stream}/${at.version}/direct-return`,
      events,
      actor: collectorName,
      correlationId: id,
      causationId: `heartbeats:${driver}`,
    })
    if (status !== 'appended') return 0 // somebody else was faster, or the next look tells
    for (const { pool, nodes } of told) {
      logger.warn({ cluster: id, pool, nodes }, 'nodes cannot answer clients directly')
    }
    return told.length
  }
  return {
    record: async ({ driver, beats }) => {
      let count = 0
      const found = beats.filter(isFresh).flatMap(({ returns }) => returns ?? [])
      for (const [first, ...rest] of Map.groupBy(found, nameOf).values()) {
        if (first === undefined) continue
        const all = [first, ...rest] as const
        if (all.some(({ silent }) => silent.length > 0)) count += await recordOf(driver, all)
      }
      return count
    },
  }
}

const nameOf = ({ tenant, cluster }: ReturnFinding): string => `${tenant} ${cluster}`
