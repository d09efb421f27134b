import type { TenantId } from '@weir/contract'
import type { Clock } from '@weir/kernel'
import type { ClaimWork, WorkItem, WorkQueue } from './eventlog.ts'
import type { MemoryLog } from './memory-log.ts'

interface Row {
  readonly consumer: string
  readonly tenant: TenantId
  readonly key: string
  mark: number
  dueAt: number | null
  attempts: number
  problem: string
  worker: string | null
  fence: number
  settledAt: number
}

export interface MemoryWork extends WorkQueue {
  /** Removes up to `limit` keys that are done since before an instant; gives how many. */
  prune(before: number, limit: number): number
}

/** The work queue of a store in memory. */
export const createMemoryWork = (clock: Clock, log: MemoryLog): MemoryWork => {
  const cursors = new Map<string, number>()
  const rows = new Map<string, Row>()
  const at = (...parts: readonly string[]): string => parts.join(' ')
  const cursorOf = (consumer: string, tenant: TenantId): number =>
    cursors.get(at(consumer, tenant)) ?? 0

  const mark = (consumer: string, tenant: TenantId, keys: readonly string[]): void => {
    const now = clock.now()
    for (const key of new Set(keys)) {
      const row = rows.get(at(consumer, tenant, key))
      if (row === undefined) {
        // The time is a fence that no claim of an earlier life of the key can have had.
        const times = { dueAt: now, fence: now, settledAt: now }
        const fresh = { mark: 1, attempts: 0, problem: '', worker: null, ...times }
        rows.set(at(consumer, tenant, key), { consumer, tenant, key, ...fresh })
      } else {
        row.mark += 1
        const isHeld = row.worker !== null && row.dueAt !== null && row.dueAt > now
        if (!isHeld) row.dueAt = Math.min(row.dueAt ?? now, now)
      }
    }
  }

  const claim = (request: ClaimWork): readonly WorkItem[] => {
    const now = clock.now()
    const due = [...rows.values()]
      .filter((row) => row.consumer === request.consumer && isDue(row, now))
      .filter((row) => request.tenant === undefined || row.tenant === request.tenant)
      .filter((row) => request.keys === undefined || request.keys.includes(row.key))
      .sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0))
    return inTurn(due)
      .slice(0, request.limit)
      .map((row) => {
        row.worker = request.worker
        row.fence += 1
        row.dueAt = now + request.leaseMs
        const { consumer, tenant, key, mark: seen, attempts, fence } = row
        return { consumer, tenant, key, mark: seen, attempts, fence }
      })
  }

  /** Ends a claim; the row comes back after `afterMs`, or at once when it was marked meanwhile. */
  const settle = (item: WorkItem, afterMs: number | undefined): Row | undefined => {
    const row = rows.get(at(item.consumer, item.tenant, item.key))
    if (row === undefined || row.fence !== item.fence) return undefined
    const now = clock.now()
    row.worker = null
    row.settledAt = now
    row.dueAt = row.mark > item.mark ? now : afterMs === undefined ? null : now + afterMs
    return row
  }

  return {
    prune: (before, limit) => {
      const over = [...rows].filter(([, row]) => row.dueAt === null && row.settledAt < before)
      for (const [name] of over.slice(0, limit)) rows.delete(name)
      return Math.min(over.length, limit)
    },
    ingest: async ({ consumer, tenant, from, to, keys }) => {
      const cursor = cursorOf(consumer, tenant)
      if (cursor !== from || to > log.headOf(tenant)) return { status: 'behind', cursor }
      cursors.set(at(consumer, tenant), to)
      mark(consumer, tenant, keys)
      return { status: 'advanced' }
    },
    lagging: async (consumer) =>
      log
        .tenants()
        .map((tenant) => ({ tenant, cursor: cursorOf(consumer, tenant), head: log.headOf(tenant) }))
        .filter(({ cursor, head }) => head > cursor),
    mark: async (consumer, tenant, keys) => mark(consumer, tenant, keys),
    claim: async (request) => claim(request),
    done: async (item, againInMs) => {
      const row = settle(item, againInMs)
      if (row === undefined) return false
      row.attempts = 0
      row.problem = ''
      return true
    },
    failed: async (item, { problem, afterMs }) => {
      const row = settle(item, afterMs)
      if (row === undefined) return false
      row.attempts += 1
      row.problem = problem
      return true
    },
    stuck: async (consumer, attempts) =>
      [...rows.values()]
        .filter((row) => row.consumer === consumer && row.attempts >= Math.max(attempts, 1))
        .map(({ tenant, key, attempts: failed, problem }) => ({
          tenant,
          key,
          attempts: failed,
          problem,
        }))
        .sort((a, b) => (at(a.tenant, a.key) < at(b.tenant, b.key) ? -1 : 1)),
  }
}

const isDue = (row: Row, now: number): boolean => row.dueAt !== null && row.dueAt <= now

/** Tenants in turn: the first of every tenant, then the second of every tenant, each by waiting. */
const inTurn = (due: readonly Row[]): readonly Row[] => {
  const turns = new Map<TenantId, number>()
  return due
    .map((row) => {
      const turn = (turns.get(row.tenant) ?? 0) + 1
      turns.set(row.tenant, turn)
      return { row, turn }
    })
    .sort((a, b) => a.turn - b.turn)
    .map(({ row }) => row)
}
