import { badVersion, expired, notFound, tooLargeVersion } from '../api-error.ts'
import type { Cluster } from '../cluster.ts'
import { isObject, type JsonObject, type KubeObject } from '../object.ts'
import { type Form, metadataOnly, readForm, tableOf } from '../print/table.ts'
import type { ResourceType } from '../resources/resource.ts'
import { parseFieldSelector, parseLabelSelector } from '../resources/selector.ts'
import { prefixOf } from '../storage/store.ts'
import type { Stored } from '../storage/table.ts'
import { inVersion } from '../write/decode-object.ts'
import { find, keyAt, type Place } from '../write/write.ts'
import { type Exchange, sendJson, sendText } from './exchange.ts'
import type { Pages } from './pages.ts'

/** Which objects of a resource a list or watch is about. */
export interface Selection {
  readonly resource: ResourceType
  readonly namespace: string | undefined
  readonly matches: (object: KubeObject) => boolean
  /** True when only the namespace selects, so that shared bytes need no second look. */
  readonly plain: boolean
}

export const readSelection = (
  resource: ResourceType,
  namespace: string | undefined,
  query: URLSearchParams,
): Selection => {
  const labelText = query.get('labelSelector') ?? undefined
  const fieldText = query.get('fieldSelector') ?? undefined
  const labels = parseLabelSelector(labelText)
  const fields = parseFieldSelector(resource, fieldText)
  return {
    resource,
    namespace,
    plain: !labelText && !fieldText,
    matches: (object) =>
      (namespace === undefined || object.metadata.namespace === namespace) &&
      labels(object.metadata.labels) &&
      (fields === undefined || fields(object)),
  }
}

/** Answers GET of one object. */
export const answerGet = (cluster: Cluster, exchange: Exchange, place: Place): void => {
  const stale = exchange.stale?.get(cluster.table(place.resource).name)
  const key = keyAt(place)
  const stored = stale === undefined ? find(cluster, place) : stale.find((one) => one.key === key)
  if (stored === undefined) throw notFound(place.resource, place.name)
  sendStored(cluster, exchange, { resource: place.resource, stored, code: 200 })
}

export interface StoredAnswer {
  readonly resource: ResourceType
  readonly stored: Stored
  readonly code: number
}

/** Sends one object in the form the client asked for. */
export const sendStored = (cluster: Cluster, exchange: Exchange, answer: StoredAnswer): void => {
  const { resource, stored, code } = answer
  const form = readForm(exchange.request.headers.accept, exchange.query)
  const { object } = stored
  if (form.as === 'table') {
    const metadata = { resourceVersion: object.metadata.resourceVersion }
    const now = cluster.clock.now()
    const request = { resource, include: form.include, now, metadata, headers: true }
    return sendJson(exchange, code, tableOf([object], request))
  }
  if (form.as === 'metadata') return sendJson(exchange, code, metadataOnly(object))
  if (resource.convert === undefined) return sendText(exchange, code, stored.json)
  return sendJson(exchange, code, inVersion(resource, object))
}

/** Answers GET of many objects, a page of them when a limit is given. */
export const answerList = (
  cluster: Cluster,
  exchange: Exchange,
  { selection, pages }: { readonly selection: Selection; readonly pages: Pages },
): void => {
  const { query } = exchange
  const table = cluster.table(selection.resource)
  const revision = cluster.store.revision
  const stale = exchange.stale
  const whole = stale?.get(table.name) ?? table.all()
  const token = query.get('continue') ?? ''
  if (token === '') refuseVersion(query, revision, table.completeAfter)
  const start =
    token === ''
      ? { objects: whole, revision: stale?.revision ?? revision, from: 0 }
      : pages.resume(token)
  const limit = Number(query.get('limit') ?? 0)
  const found =
    selection.plain && selection.namespace === undefined
      ? start.objects
      : start.objects.filter((one) => selection.matches(one.object))
  const rest = start.from === 0 ? found : found.slice(start.from)
  const page = limit > 0 && rest.length > limit ? rest.slice(0, limit) : rest
  const metadata: JsonObject = { resourceVersion: String(start.revision) }
  if (page.length < rest.length) {
    const next = { objects: start.objects, revision: start.revision, from: start.from + limit }
    metadata['continue'] = pages.keep(next)
    if (selection.plain) metadata['remainingItemCount'] = rest.length - page.length
  }
  sendList(cluster, exchange, { resource: selection.resource, page, metadata })
}

const refuseVersion = (query: URLSearchParams, revision: number, completeAfter: number): void => {
  const text = query.get('resourceVersion') ?? ''
  const asked = Number(text)
  if (text === '') return
  if (!Number.isInteger(asked) || asked < 0) throw badVersion(text)
  if (asked > revision) throw tooLargeVersion(asked, revision)
  if (query.get('resourceVersionMatch') !== 'Exact') return
  if (asked < completeAfter || asked < revision)
    throw expired(`The provided resource version is too old: ${asked}`)
}

interface Listing {
  readonly resource: ResourceType
  readonly page: readonly Stored[]
  readonly metadata: JsonObject
}

const sendList = (cluster: Cluster, exchange: Exchange, listing: Listing): void => {
  const { resource, metadata } = listing
  const page = lied(exchange, listing.page)
  const form: Form = readForm(exchange.request.headers.accept, exchange.query)
  const objects = (): KubeObject[] => page.map((one) => one.object)
  if (form.as === 'table') {
    const now = cluster.clock.now()
    const request = { resource, include: form.include, now, metadata, headers: true }
    return sendJson(exchange, 200, tableOf(objects(), request))
  }
  if (form.as === 'metadata')
    return sendJson(exchange, 200, {
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata,
      items: objects().map(metadataOnly),
    })
  const head =
    `{"kind":"${resource.kind}List","apiVersion":"${resource.apiVersion}",` +
    `"metadata":${JSON.stringify(metadata)}`
  if (exchange.lie === 'without-items') return sendText(exchange, 200, `${head}}`)
  const body = `${head},"items":[${page.map((one) => itemText(resource, one)).join(',')}]}`
  if (exchange.lie === 'truncated') return sendHalf(exchange, body)
  sendText(exchange, 200, body)
}

const lied = (exchange: Exchange, page: readonly Stored[]): readonly Stored[] => {
  if (exchange.lie === 'empty') return []
  return exchange.lie === 'partial' ? page.slice(0, Math.floor(page.length / 2)) : page
}

/** Items of a list carry no kind and version of their own, as Go encodes them. */
const itemText = (resource: ResourceType, stored: Stored): string => {
  if (resource.convert === undefined)
    return `{${stored.json.slice(prefixOf(resource.kind, resource.apiVersion).length)}`
  const { kind: _kind, apiVersion: _version, ...rest } = inVersion(resource, stored.object)
  return JSON.stringify(isObject(rest) ? rest : {})
}

const sendHalf = ({ response }: Exchange, body: string): void => {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.write(body.slice(0, Math.floor(body.length / 2)), () => response.destroy())
}
