import type { OwnershipMarks } from '@weir/contract'
import { createAuditor, type AuditReport, type Driver } from '@weir/drivers'
import type { Store } from '@weir/eventlog'
import { explainError, OperatingError, type Clock, type Logger } from '@weir/kernel'
import { collect } from './collect.ts'
import { decide, type Rules, type Suspects } from './domain/decide.ts'

export interface CollectorPorts {
  readonly store: Pick<Store, 'log' | 'leases'>
  readonly driver: Driver
  readonly installation: string
  readonly clock: Clock
  readonly logger: Logger
  /** Names this process in the lease row. */
  readonly holder: string
  readonly rules: Rules
  readonly intervalMs: number
  /** Called after each cycle, for metrics. */
  readonly onCycle?: (cycle: Cycle) => void
}

export interface Cycle {
  readonly status: 'done' | 'elsewhere'
  readonly report?: AuditReport
  /** Refs whose absence was confirmed in this cycle. */
  readonly removed: readonly string[]
  readonly held: string | null
}

export interface Collector {
  /**
   * One scan and what follows from it. `elsewhere` when another process holds the lease.
   * @throws OperatingError when the inventory is incomplete or the log away: nothing was deleted.
   */
  cycle(): Promise<Cycle>
  /** A cycle each interval until `signal` aborts. A cycle that fails is said aloud and comes again. */
  run(signal: AbortSignal): Promise<void>
}

/** The name of the service, and the actor of what it records. */
export const collectorName = 'gc'

/**
 * Finds what exists without a reason and removes it. How long something has been an orphan is kept in
 * memory: a new process begins its two scans and its grace anew, which only makes it later.
 */
export const createCollector = (ports: CollectorPorts): Collector => {
  const { store, driver, installation, clock, logger } = ports
  const auditor = createAuditor({ driver, log: store.log, installation })
  const leaseName = `gc-${driver.name}`
  const leaseMs = ports.intervalMs * 3
  let suspects: Suspects = {}

  const cycle = async (): Promise<Cycle> => {
    const lease = await store.leases.take(leaseName, ports.holder, leaseMs)
    if (lease === undefined) {
      suspects = {}
      return { status: 'elsewhere', removed: [], held: null }
    }
    const report = await auditor.audit()
    const orphans = orphansOf(report)
    const decision = decide(
      {
        at: report.at,
        expected: report.expected,
        listed: report.listed,
        listedByTenant: report.listedByTenant,
        orphans: orphans.map(({ ref, marks }) => ({ ref, tenant: marks.tenant })),
      },
      suspects,
      ports.rules,
    )
    suspects = decision.suspects
    const marksOf = new Map(orphans.map(({ ref, marks }) => [ref, marks]))
    const removed: string[] = []
    for (const { ref } of decision.remove) {
      const marks = marksOf.get(ref)
      if (marks !== undefined && (await collectOne(ports, marks))) removed.push(ref)
    }
    return { status: 'done', report, removed, held: decision.held }
  }

  return {
    cycle,
    run: async (signal) => {
      while (!signal.aborted) {
        try {
          const ended = await cycle()
          say(logger, ended)
          ports.onCycle?.(ended)
        } catch (error) {
          if (!(error instanceof OperatingError)) throw error
          logger.warn({ problem: explainError(error) }, 'no cleanup in this cycle')
        }
        await clock.sleep(ports.intervalMs, signal)
      }
      await store.leases.release(leaseName, ports.holder).catch(() => undefined) // it expires anyway
    },
  }
}

interface FoundOrphan {
  readonly ref: string
  readonly marks: OwnershipMarks
}

const orphansOf = (report: AuditReport): readonly FoundOrphan[] =>
  report.findings.flatMap(({ item, verdict }) =>
    verdict === 'orphan' && item.marks !== null ? [{ ref: item.ref, marks: item.marks }] : [],
  )

/** One orphan that fails delays only itself. */
const collectOne = async (ports: CollectorPorts, marks: OwnershipMarks): Promise<boolean> => {
  try {
    return await collect(ports, marks)
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error
    ports.logger.warn({ key: marks.key, problem: explainError(error) }, 'an orphan stays for now')
    return false
  }
}

const say = (logger: Logger, { status, report, removed, held }: Cycle): void => {
  if (status === 'elsewhere' || report === undefined) return
  const { findings, strayClaims, counts } = report
  if (findings.length + strayClaims.length + removed.length === 0 && held === null) return
  logger.info({ counts, removed, held, strayClaims }, 'the provider differs from the log')
}
