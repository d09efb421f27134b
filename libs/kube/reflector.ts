import { backoffMs, explainError, type Clock, type Ids, type Logger } from '@weir/kernel'
import { ApiError, isApiError } from './api-error.ts'
import type { KubeConnection } from './connection.ts'
import { listAll, type CompleteList } from './list.ts'
import { createKnownObjects, type KnownObjects } from './known-objects.ts'
import { watchOnce, type WatchLine } from './watch.ts'

/**
 * Keeps a mirror of one resource of one cluster, and tells of every change once and in order.
 *
 *   list ── complete? right cluster? ── changed for each new version, missing ones asked about again
 *    ▲                                       │
 *    │ 410, or history lost                  ▼
 *    └───────────────── watch with bookmarks, taken up again at the last version seen
 *
 * A list is believed about absence only when every page came, of the right kind, from the cluster we
 * think it is, and a second such list agrees. The handler is awaited, so a slow one slows the socket.
 */
export interface Reflector {
  /** Runs until `signal` aborts; survives everything else. Rejects only when a handler does. */
  run(signal: AbortSignal): Promise<void>
  /** Milliseconds since the server last said anything, a bookmark included. */
  staleMs(): number
  /** Whether one complete list has been handed over. */
  synced(): boolean
}

export interface ReflectorHandler<T> {
  /** An object is new or has another version. */
  changed(object: T): Promise<void>
  /** A watch told of the end of an object; for anything that destroys, ask the server again. */
  deleted(object: T): Promise<void>
  /**
   * Whether so many as are missing from two complete lists may be taken for gone; when absent, they may.
   * Otherwise they stay known, and the next list is compared with them again. Asked of none missing, too.
   */
  mayBeGone?(uids: ReadonlySet<string>): Promise<boolean>
  /** An object that was known is missing from two complete lists. */
  missing(uid: string): Promise<void>
  /** The first complete list has been handed over. */
  synced(): Promise<void>
}

/** What a reflector counts; labels are small and ours. */
export interface ReflectorMetrics {
  relisted(reason: string): void
  rewatched(reason: string): void
  malformed(): void
}

export interface ReflectorOptions<T> {
  readonly connection: KubeConnection
  readonly path: string
  readonly kind: string
  /** Parses one object; throwing parks that object alone. */
  readonly parse: (raw: unknown) => T
  readonly handler: ReflectorHandler<T>
  /** Asked before each list is believed; rejects when another cluster answers. */
  readonly verify: () => Promise<void>
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly metrics?: ReflectorMetrics
  /** UIDs that must exist, from an earlier life; told of as missing when they are not there. */
  readonly expected?: readonly string[]
  readonly timing?: Partial<ReflectorTiming>
}

export interface ReflectorTiming {
  /** A watch that says nothing for so long is taken for dead. 2.5 times the bookmark interval. */
  readonly inactivityMs: number
  /** How long a watch is asked for, plus up to as much again. */
  readonly watchSeconds: number
  readonly backoff: { readonly minMs: number; readonly maxMs: number }
  /** Wait between the two lists that must agree on what is missing. */
  readonly confirmMs: number
}

const clientGoTiming: ReflectorTiming = {
  inactivityMs: 150_000,
  watchSeconds: 300,
  backoff: { minMs: 800, maxMs: 30_000 },
  confirmMs: 1000,
}

const noMetrics: ReflectorMetrics = {
  relisted: () => undefined,
  rewatched: () => undefined,
  malformed: () => undefined,
}

export const createReflector = <T>(options: ReflectorOptions<T>): Reflector => {
  const { clock, ids, connection, path, kind, handler, logger } = options
  const timing = { ...clientGoTiming, ...options.timing }
  const metrics = options.metrics ?? noMetrics
  const known = createKnownObjects(options.parse, options.expected ?? [], (problem) => {
    metrics.malformed()
    logger.warn({ path, ...problem }, 'object is malformed and left out')
  })
  let lastWord = clock.now()
  let isSynced = false

  const list = async (signal: AbortSignal): Promise<CompleteList> => {
    const complete = await listAll({ connection, path, kind, signal })
    await options.verify()
    lastWord = clock.now()
    return complete
  }

  const relist = async (signal: AbortSignal): Promise<string> => {
    let complete = await list(signal)
    let missing = await handOver(known, complete, handler)
    if (missing.size > 0) {
      logger.warn({ path, missing: missing.size }, 'objects are missing from a list, asking again')
      await clock.sleep(timing.confirmMs, signal)
      complete = await list(signal)
      const again = await handOver(known, complete, handler)
      missing = new Set([...missing].filter((uid) => again.has(uid)))
    }
    if (!(await guard(mayBeGone(handler, missing)))) missing = new Set()
    for (const uid of missing) {
      known.forget(uid)
      await guard(handler.missing(uid))
    }
    if (!isSynced) await guard(handler.synced())
    isSynced = true
    return complete.resourceVersion
  }

  const onLine = async (line: WatchLine): Promise<string> => {
    const change = known.apply(line)
    if (change?.what === 'changed') await handler.changed(change.object)
    if (change?.what === 'deleted') await handler.deleted(change.object)
    return line.resourceVersion
  }

  /**
   * Watches from `version` until the history is lost; every other end is taken up again.
   * True when anything was told meanwhile.
   */
  const follow = async (version: string, signal: AbortSignal): Promise<boolean> => {
    let at = version
    for (let failures = 0; !signal.aborted;) {
      const lines = watchOnce({
        connection,
        path,
        from: at,
        seconds: Math.round(timing.watchSeconds * (1 + ids.random())),
        inactivityMs: timing.inactivityMs,
        clock,
        signal,
        onWord: () => (lastWord = clock.now()),
      })
      const before = at
      const end = await pump(lines, async (line) => (at = await onLine(line)))
      if (end.error instanceof HandlerFailure) throw end.error
      if (signal.aborted || isHistoryLost(end.error)) return at !== version
      // A watch that told of anything was healthy, and an orderly end needs no wait at all.
      failures = at === before && end.error !== undefined ? failures + 1 : 0
      const why = end.error === undefined ? 'ended' : reasonOf(end.error)
      metrics.rewatched(why)
      logger.debug({ path, why, problem: explainError(end.error) }, 'watch ended')
      if (end.error !== undefined || at === before) {
        await clock.sleep(waitMs(end.error, failures + 1), signal)
      }
    }
    return at !== version
  }

  const waitMs = (error: unknown, attempt: number): number => {
    const asked = error instanceof ApiError ? (error.retry?.afterMs ?? 0) : 0
    return Math.max(asked, backoffMs(timing.backoff, attempt, ids.random()))
  }

  return {
    staleMs: () => clock.now() - lastWord,
    synced: () => isSynced,
    run: async (signal) => {
      let why = 'start'
      let lostAtOnce = 0
      for (let failures = 0; !signal.aborted;) {
        metrics.relisted(why)
        try {
          const version = await relist(signal)
          failures = 0
          lostAtOnce = (await follow(version, signal)) ? 0 : lostAtOnce + 1
          why = 'history-lost'
          // Lists that are too old again and again would have us list without an end.
          if (lostAtOnce > 1) await clock.sleep(waitMs(undefined, lostAtOnce - 1), signal)
        } catch (error) {
          if (error instanceof HandlerFailure) throw error.cause
          if (signal.aborted) return
          failures += 1
          why = reasonOf(error)
          const afterMs = waitMs(error, failures)
          logger.warn(
            { path, afterMs, problem: explainError(error) },
            'cannot list, will try again',
          )
          await clock.sleep(afterMs, signal)
        }
      }
    },
  }
}

/** The handler's own failure is the caller's business, and not the API server's. */
class HandlerFailure extends Error {}

const guard = async <Result>(work: Promise<Result>): Promise<Result> => {
  try {
    return await work
  } catch (cause) {
    throw new HandlerFailure('handler', { cause })
  }
}

const mayBeGone = async <T>(
  handler: ReflectorHandler<T>,
  uids: ReadonlySet<string>,
): Promise<boolean> => handler.mayBeGone === undefined || handler.mayBeGone(uids)

/** Hands over what a list tells that is new; returns the UIDs that are known and not in it. */
const handOver = async <T>(
  known: KnownObjects<T>,
  { items }: CompleteList,
  handler: ReflectorHandler<T>,
): Promise<Set<string>> => {
  const { changed, missing } = known.compare(items)
  for (const object of changed) await guard(handler.changed(object))
  return missing
}

interface End {
  readonly error?: unknown
}

const pump = async (
  lines: AsyncIterable<WatchLine>,
  take: (line: WatchLine) => Promise<unknown>,
): Promise<End> => {
  try {
    for await (const line of lines) await guard(take(line).then(() => undefined))
    return {}
  } catch (error) {
    return { error }
  }
}

const isHistoryLost = (error: unknown): boolean =>
  isApiError(error, 410) || (isApiError(error) && ['Expired', 'Gone'].includes(error.reason))

const reasonOf = (error: unknown): string =>
  isApiError(error) ? `http-${error.status}` : error instanceof Error ? error.name : 'unknown'
