import { edgeLifetimes, edgeReportSubject, type EdgeReport, type ResourceKey } from '@weir/contract'
import { backoffMs, explainError, type Clock, type Ids, type Logger } from '@weir/kernel'
import type { Bus } from '@weir/bus'

/** Publishes the newest report per resource; what waits while the bus is away is sent once, not twice. */
export interface Reporter {
  /** The reports of these resources changed: publish them now. */
  changed(keys: Iterable<ResourceKey>): void
}

export interface ReporterOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly signal: AbortSignal
  /** The report of a resource as it is now. */
  readonly reportOf: (key: ResourceKey) => EdgeReport | undefined
}

const batchMax = 500
const retryRule = { minMs: 50, maxMs: 2_000 }

export const createReporter = (options: ReporterOptions): Reporter => {
  const { bus, clock, ids, log, signal, reportOf } = options
  const waiting = new Set<ResourceKey>()
  let publishing = false

  const takeBatch = (): readonly ResourceKey[] => {
    const batch = [...waiting].slice(0, batchMax)
    for (const key of batch) waiting.delete(key)
    return batch
  }
  const publish = async (keys: readonly ResourceKey[]): Promise<void> => {
    const reports = keys.map(reportOf).filter((report) => report !== undefined)
    if (reports.length === 0) return
    await bus.publish(
      reports.map((report) => ({
        subject: edgeReportSubject(report.fleet, report.edge, report.key),
        body: JSON.stringify(report),
        ttlMs: edgeLifetimes.reportMs,
      })),
    )
  }
  /** One loop at a time: while a batch is under way the next one gathers. */
  const run = async (): Promise<void> => {
    for (let attempt = 0; waiting.size > 0 && !signal.aborted;) {
      const batch = takeBatch()
      try {
        await publish(batch)
        attempt = 0
      } catch (error) {
        for (const key of batch) waiting.add(key)
        attempt += 1
        if (attempt === 1) {
          log.warn({ waiting: waiting.size, cause: explainError(error) }, 'cannot publish reports')
        }
        await clock.sleep(backoffMs(retryRule, attempt, ids.random()), signal)
      }
    }
    publishing = false
  }
  return {
    changed: (keys) => {
      for (const key of keys) waiting.add(key)
      if (publishing || waiting.size === 0) return
      publishing = true
      void run()
    },
  }
}
