import { badRequest, badVersion, expired, tooLargeVersion } from '../api-error.ts'
import type { Cluster } from '../cluster.ts'
import type { JsonObject, KubeObject } from '../object.ts'
import { type Form, metadataOnly, readForm, tableOf } from '../print/table.ts'
import { type Change, lineOf, type Stored, type Table } from '../storage/table.ts'
import { inVersion } from '../write/decode-object.ts'
import type { Exchange } from './exchange.ts'
import type { Selection } from './read.ts'
import type { OpenWatch, WatchSet } from './watch-set.ts'

type EventType = Change['type']

/** The lines of plain watches, shared by all watches of a server. */
export type SharedLines = Readonly<Record<EventType, WeakMap<Stored, Buffer>>>

export const createSharedLines = (): SharedLines => ({
  ADDED: new WeakMap(),
  MODIFIED: new WeakMap(),
  DELETED: new WeakMap(),
})

export interface WatchContext {
  readonly cluster: Cluster
  readonly watches: WatchSet
  readonly lines: SharedLines
}

/** Past this many unread bytes a client is too slow: its stream ends, and it starts again. */
const mostUnread = 32 * 1024 * 1024

const longestSeconds = 3_600

/** Answers a watch: what happened since a revision, then every change as it happens. */
export const answerWatch = (
  context: WatchContext,
  exchange: Exchange,
  selection: Selection,
): void => {
  const { cluster } = context
  const table = cluster.table(selection.resource)
  const wanted = readWanted(exchange.query, cluster.store.revision)
  const stream = new Stream(context, exchange, selection)
  exchange.response.writeHead(200, { 'content-type': 'application/json' })
  exchange.response.flushHeaders()
  const backlog = wanted.from === undefined ? [] : table.since(wanted.from)
  if (backlog === undefined) {
    const text = `too old resource version: ${wanted.from} (${table.completeAfter})`
    return stream.fail(expired(text).toStatus())
  }
  if (wanted.from !== undefined && wanted.from > cluster.store.revision)
    return stream.fail(tooLargeVersion(wanted.from, cluster.store.revision).toStatus())
  if (wanted.initial)
    for (const stored of table.all())
      if (selection.matches(stored.object)) stream.send('ADDED', stored)
  if (wanted.marked) stream.bookmark({ 'k8s.io/initial-events-end': 'true' })
  for (const change of backlog) stream.take(change)
  follow(context, exchange, { table, stream, seconds: wanted.seconds, bookmarks: wanted.bookmarks })
}

interface Wanted {
  /** Changes after this revision; undefined for those from now on. */
  readonly from: number | undefined
  /** First every object there is, as ADDED. */
  readonly initial: boolean
  /** A bookmark tells where the first objects end. */
  readonly marked: boolean
  readonly bookmarks: boolean
  readonly seconds: number
}

const readWanted = (query: URLSearchParams, revision: number): Wanted => {
  const version = query.get('resourceVersion') ?? ''
  const asked = Number(version)
  if (!Number.isInteger(asked) || asked < 0) throw badVersion(version)
  const initialEvents = query.get('sendInitialEvents') === 'true'
  const bookmarks = query.get('allowWatchBookmarks') === 'true'
  if (query.has('sendInitialEvents') && query.get('resourceVersionMatch') !== 'NotOlderThan')
    throw badRequest(
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents ' +
        'requires setting resourceVersionMatch to NotOlderThan',
    )
  const seconds = Number(query.get('timeoutSeconds') ?? 0)
  // Without a version, or with 0, a watch begins with the objects there are.
  const initial = initialEvents || (asked === 0 && !query.has('sendInitialEvents'))
  return {
    from: initial || asked === 0 ? (asked > revision ? asked : undefined) : asked,
    initial,
    marked: initialEvents && bookmarks,
    bookmarks,
    seconds: seconds > 0 ? Math.min(seconds, longestSeconds) : longestSeconds,
  }
}

interface Following {
  readonly table: Table
  readonly stream: Stream
  readonly seconds: number
  readonly bookmarks: boolean
}

const follow = (
  { watches }: WatchContext,
  { request, response }: Exchange,
  { table, stream, seconds, bookmarks }: Following,
): void => {
  const watch: OpenWatch = {
    url: request.url ?? '',
    response,
    muted: false,
    bookmark: () => {
      if (bookmarks) stream.bookmark({})
    },
    detach: () => {
      unsubscribe()
      clearTimeout(timer)
    },
  }
  const unsubscribe = table.subscribe((change) => {
    if (!watch.muted) stream.take(change)
  })
  const timer = setTimeout(() => response.end(), seconds * 1000)
  timer.unref()
  watches.add(watch)
}

/** Turns changes into lines for one client. */
class Stream {
  readonly #context: WatchContext
  readonly #exchange: Exchange
  readonly #selection: Selection
  readonly #form: Form
  readonly #shared: boolean
  #headers = true

  constructor(context: WatchContext, exchange: Exchange, selection: Selection) {
    this.#context = context
    this.#exchange = exchange
    this.#selection = selection
    this.#form = readForm(exchange.request.headers.accept, exchange.query)
    this.#shared = this.#form.as === 'object' && selection.resource.convert === undefined
  }

  /** An object that comes to match is ADDED, and one that no longer does DELETED. */
  take(change: Change): void {
    const { matches, plain, namespace } = this.#selection
    if (plain && namespace === undefined) return this.send(change.type, change.now)
    const isNow = change.type !== 'DELETED' && matches(change.now.object)
    const was = change.before !== undefined && matches(change.before.object)
    if (isNow) this.send(was ? 'MODIFIED' : 'ADDED', change.now)
    else if (was) this.send('DELETED', change.now)
  }

  send(type: EventType, stored: Stored): void {
    if (this.#shared) return this.#write(lineOf(type, stored, this.#context.lines[type]))
    this.#write(`${JSON.stringify({ type, object: this.#formed(stored.object) })}\n`)
  }

  bookmark(annotations: Record<string, string>): void {
    const { resource } = this.#selection
    const resourceVersion = String(this.#context.cluster.store.revision)
    const metadata =
      Object.keys(annotations).length === 0 ? { resourceVersion } : { resourceVersion, annotations }
    const object: JsonObject =
      this.#form.as === 'table'
        ? { ...this.#table([]), metadata: { resourceVersion } }
        : { kind: resource.kind, apiVersion: resource.apiVersion, metadata }
    this.#write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`)
  }

  fail(status: JsonObject): void {
    this.#exchange.response.end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`)
  }

  #formed(object: KubeObject): JsonObject {
    if (this.#form.as === 'table') return this.#table([object])
    if (this.#form.as === 'metadata') return metadataOnly(object)
    return inVersion(this.#selection.resource, object)
  }

  #table(objects: readonly KubeObject[]): JsonObject {
    const headers = this.#headers
    this.#headers = false
    return tableOf(objects, {
      resource: this.#selection.resource,
      include: this.#form.include,
      now: this.#context.cluster.clock.now(),
      metadata: { resourceVersion: objects[0]?.metadata.resourceVersion },
      headers,
    })
  }

  #write(line: Buffer | string): void {
    const { response } = this.#exchange
    if (response.writableEnded || response.destroyed) return
    response.write(line)
    if (response.writableLength > mostUnread) response.destroy()
  }
}
