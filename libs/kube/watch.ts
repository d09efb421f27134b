import { OperatingError, type Clock } from '@weir/kernel'
import { z } from 'zod'
import { watchErrorOf } from './api-error.ts'
import type { KubeConnection } from './connection.ts'
import { linesOf } from './watch-lines.ts'

/** One line of a watch: a change, or a bookmark that carries a version alone. */
export interface WatchLine {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: unknown
  readonly resourceVersion: string
}

export interface WatchRequest {
  readonly connection: KubeConnection
  readonly path: string
  /** The version after which changes are wanted. */
  readonly from: string
  /** How long the server is asked to keep the watch. */
  readonly seconds: number
  /** With no word for so long, the connection is half open: it is cut. */
  readonly inactivityMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Called with every line, before it is handed over. */
  readonly onWord: () => void
}

const maxLineBytes = 8 * 1024 * 1024

const lineShape = z.object({
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: z.unknown(),
})
const versioned = z.object({ metadata: z.object({ resourceVersion: z.string() }) })

/**
 * One watch, from opening to its end. Ends quietly when the server ends it.
 * @throws ApiError for an error answer or an ERROR line; OperatingError when it breaks, goes silent or
 *   says what is no watch line.
 */
export async function* watchOnce(request: WatchRequest): AsyncGenerator<WatchLine> {
  const { connection, path, clock, signal } = request
  const cut = new AbortController()
  const either = AbortSignal.any([signal, cut.signal])
  const dog = watchdog(clock, request.inactivityMs, cut)
  try {
    const query = `?watch=true&allowWatchBookmarks=true&timeoutSeconds=${request.seconds}`
    const from = `&resourceVersion=${encodeURIComponent(request.from)}`
    const parts = await connection.stream(`${path}${query}${from}`, either)
    for await (const line of linesOf(parts, maxLineBytes)) {
      dog.alive()
      request.onWord()
      dog.pause()
      yield readLine(path, line)
      dog.alive()
    }
  } catch (error) {
    if (!cut.signal.aborted) throw error
    const silence = `watch ${path} of ${connection.server} said nothing`
    throw new OperatingError(`${silence} for ${request.inactivityMs} ms`, { cause: error })
  } finally {
    dog.stop()
    cut.abort()
  }
}

interface Watchdog {
  /** The other side spoke. */
  alive(): void
  /** We are busy: its silence means nothing now. */
  pause(): void
  stop(): void
}

/** Aborts `cut` after `limitMs` without a word, checking a few times per limit. */
const watchdog = (clock: Clock, limitMs: number, cut: AbortController): Watchdog => {
  const over = new AbortController()
  let last: number | undefined = clock.now()
  const run = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await clock.sleep(limitMs / 4, over.signal)
      if (over.signal.aborted) return
      if (last !== undefined && clock.now() - last >= limitMs) return cut.abort()
    }
  }
  void run()
  return {
    alive: () => (last = clock.now()),
    pause: () => (last = undefined),
    stop: () => over.abort(),
  }
}

const readLine = (path: string, line: string): WatchLine => {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch (cause) {
    throw new OperatingError(`watch ${path} said what is no JSON`, { cause })
  }
  const read = lineShape.safeParse(json)
  if (!read.success) throw new OperatingError(`watch ${path} said what is no watch line`)
  const { type, object } = read.data
  if (type === 'ERROR') throw watchErrorOf(path, object)
  const at = versioned.safeParse(object)
  if (!at.success) throw new OperatingError(`watch ${path} told of an object without a version`)
  return { type, object, resourceVersion: at.data.metadata.resourceVersion }
}
