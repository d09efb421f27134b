import { notImplemented } from '../api-error.ts'
import type { Cluster } from '../cluster.ts'
import type { JsonObject } from '../object.ts'
import {
  aggregated,
  aggregatedType,
  coreVersions,
  groupList,
  oneGroup,
  resourceList,
  serverVersion,
} from './discovery.ts'
import { type Exchange, sendJson, sendPlain } from './exchange.ts'
import { openApiDocument, openApiIndex } from './openapi.ts'

const open = new Set(['/healthz', '/livez', '/readyz', '/version', '/version/'])

/** Paths that need no credentials. */
export const isPublic = (path: string): boolean =>
  open.has(path) || path.startsWith('/livez/') || path.startsWith('/readyz/')

interface Known {
  readonly cluster: Cluster
  readonly server: () => string
}

/** Answers what is no resource: health, version, discovery and the OpenAPI documents. */
export const answerOther = (known: Known, exchange: Exchange): void => {
  const { path, response } = exchange
  if (isPublic(path) && !path.startsWith('/version')) return sendPlain(response, 200, 'ok')
  if (path === '/openapi/v2') throw notImplemented('OpenAPI v2; /openapi/v3 is served')
  const { registry } = known.cluster
  if (path === '/api' || path === '/apis') {
    if (asksForAll(exchange)) return sendAll(exchange, aggregated(registry, path === '/api'))
    const body = path === '/api' ? coreVersions(known.server()) : groupList(registry)
    return sendJson(exchange, 200, body)
  }
  const found = lookUp(known, path.replace(/\/$/, ''))
  if (found === undefined) return sendPlain(response, 404, '404 page not found\n')
  sendJson(exchange, 200, found)
}

const lookUp = ({ cluster }: Known, path: string): JsonObject | undefined => {
  const { registry } = cluster
  if (path === '/version') return serverVersion
  if (path === '/openapi/v3') return openApiIndex(registry)
  const [, root = '', first = '', second = '', third = '', fourth = ''] = path.split('/')
  if (root === 'api' && second === '') return resourceList(registry, '', first)
  if (root === 'apis' && second === '') return oneGroup(registry, first)
  if (root === 'apis' && third === '') return resourceList(registry, first, second)
  if (root !== 'openapi' || first !== 'v3') return undefined
  if (second === 'api') return openApiDocument(registry, '', third)
  return second === 'apis' ? openApiDocument(registry, third, fourth) : undefined
}

const asksForAll = ({ request }: Exchange): boolean =>
  (request.headers.accept ?? '')
    .split(',')
    .some((one) => one.includes('as=APIGroupDiscoveryList') && /;v=v2(;|$)/.test(one.trim()))

const sendAll = (exchange: Exchange, body: JsonObject): void => {
  const text = JSON.stringify(body)
  exchange.response.writeHead(200, {
    'content-type': aggregatedType,
    'content-length': Buffer.byteLength(text),
  })
  exchange.response.end(text)
}
