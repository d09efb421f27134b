import type { IncomingMessage, ServerResponse } from 'node:http'
import { TLSSocket } from 'node:tls'
import {
  forbidden,
  methodNotAllowed,
  noSuchResource,
  notImplemented,
  unauthorized,
} from '../api-error.ts'
import type { Rbac } from '../auth/rbac.ts'
import type { Tokens } from '../auth/tokens.ts'
import { type Act, anonymous, type User } from '../auth/user.ts'
import type { ResourceType } from '../resources/resource.ts'
import { type Exchange, sendPlain } from './exchange.ts'
import type { Misfortune } from './faulty.ts'
import { answerOther, isPublic } from './other-paths.ts'
import type { Pages } from './pages.ts'
import { answerCreate, answerPatch, answerRemove, answerRemoveAll, answerUpdate } from './mutate.ts'
import { answerGet, answerList, readSelection } from './read.ts'
import { answerReview } from './reviews.ts'
import { parseRoute, type ResourceRoute, verbOf } from './route.ts'
import { answerBinding, answerScale, answerToken } from './subresources.ts'
import { answerWatch, type WatchContext } from './watch.ts'

export interface Handling extends WatchContext {
  readonly tokens: Tokens
  readonly rbac: Rbac
  readonly pages: Pages
  readonly server: () => string
}

/** Answers one request: who asks, what for, whether they may, and then the work itself. */
export const handle = async (
  handling: Handling,
  request: IncomingMessage,
  { response, misfortune }: { response: ServerResponse; misfortune: Misfortune },
): Promise<void> => {
  const url = request.url ?? '/'
  const mark = url.indexOf('?')
  const path = mark === -1 ? url : url.slice(0, mark)
  const query = new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1))
  const user = impersonated(handling.rbac, request, userOf(handling.tokens, request))
  const { lie, stale } = misfortune
  const method = request.method ?? 'GET'
  const exchange: Exchange = { request, response, method, path, query, user, lie, stale }
  const route = parseRoute(path)
  if (route.kind === 'resource') return answerResource(handling, exchange, route)
  if (!isPublic(path)) refuseUnlessAllowed(handling.rbac, user, actOnPath(method, path))
  return answerOther(handling, exchange)
}

const actOnPath = (method: string, path: string): Act => ({
  verb: method.toLowerCase(),
  group: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  path,
})

/** A client certificate of our CA, or a bearer token; 401 when a token is bad. */
const userOf = (tokens: Tokens, request: IncomingMessage): User => {
  const { authorization } = request.headers
  if (authorization?.startsWith('Bearer ')) {
    const user = tokens.userOf(authorization.slice(7).trim())
    if (user === undefined) throw unauthorized()
    return user
  }
  return certified(request) ?? anonymous
}

/** `kubectl --as`: another user in one's place, for those who may. */
const impersonated = (rbac: Rbac, request: IncomingMessage, user: User): User => {
  const name = request.headers['impersonate-user']
  if (typeof name !== 'string') return user
  const act = { verb: 'impersonate', group: '', subresource: '', namespace: '' }
  refuseUnlessAllowed(rbac, user, { ...act, resource: 'users', name })
  const given = request.headersDistinct['impersonate-group'] ?? []
  for (const group of given)
    refuseUnlessAllowed(rbac, user, { ...act, resource: 'groups', name: group })
  const account = /^system:serviceaccount:([^:]+):[^:]+$/.exec(name)
  const implied =
    account === null || given.length > 0
      ? []
      : ['system:serviceaccounts', `system:serviceaccounts:${account[1] ?? ''}`]
  return { name, groups: [...given, ...implied, 'system:authenticated'] }
}

const knownSockets = new WeakMap<object, User>()

const certified = ({ socket }: IncomingMessage): User | undefined => {
  const known = knownSockets.get(socket)
  if (known !== undefined) return known
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const { subject } = socket.getPeerCertificate()
  if (subject?.CN === undefined) return undefined
  const organizations: readonly string[] = [subject.O ?? []].flat()
  const name = [subject.CN].flat()[0] ?? ''
  const user = { name, groups: [...organizations, 'system:authenticated'] }
  knownSockets.set(socket, user)
  return user
}

/** Anonymous requests are told to bring credentials, others what they lack. */
const refuseUnlessAllowed = (rbac: Rbac, user: User, act: Act): void => {
  if (user === anonymous) throw unauthorized()
  if (rbac.allows(user, act)) return
  if (act.path !== undefined)
    throw forbidden({ group: '', plural: '', kind: '' }, '', refusal(user, act))
  const plural = act.subresource === '' ? act.resource : `${act.resource}/${act.subresource}`
  throw forbidden(
    { group: act.group, plural: act.resource, kind: '' },
    act.name,
    refusal(user, { ...act, resource: plural }),
  )
}

const refusal = (user: User, act: Act): string => {
  if (act.path !== undefined) return `User "${user.name}" cannot ${act.verb} path "${act.path}"`
  const scope =
    act.namespace === '' ? 'at the cluster scope' : `in the namespace "${act.namespace}"`
  return (
    `User "${user.name}" cannot ${act.verb} resource "${act.resource}" in API group ` +
    `"${act.group}" ${scope}`
  )
}

const answerResource = async (
  handling: Handling,
  exchange: Exchange,
  route: ResourceRoute,
): Promise<void> => {
  const { group, version, resource: plural, namespace, name, subresource } = route
  const watching = exchange.query.get('watch') === 'true' || exchange.query.get('watch') === '1'
  const verb = verbOf(exchange.method, route, watching && subresource === '')
  const act = { verb, group, resource: plural, subresource, namespace, name }
  refuseUnlessAllowed(handling.rbac, exchange.user, act)
  const { registry } = handling.cluster
  const review = registry.findReview(group, version, plural)
  if (review !== undefined && verb === 'create') return answerReview(handling, exchange, review)
  const resource = registry.find(group, version, plural)
  if (resource === undefined) {
    const known = registry.groupVersions.some((one) => one.group === group)
    if (known) throw noSuchResource()
    return sendPlain(exchange.response, 404, '404 page not found\n')
  }
  if (subresource !== '') return answerSubresource(handling, exchange, { resource, route })
  if (name === '') return answerCollection(handling, exchange, { resource, route })
  return answerObject(handling, exchange, { resource, route })
}

interface Target {
  readonly resource: ResourceType
  readonly route: ResourceRoute
}

const namespaceOf = ({ resource, route }: Target): string | undefined =>
  resource.namespaced && route.namespace !== '' ? route.namespace : undefined

const answerCollection = async (
  handling: Handling,
  exchange: Exchange,
  target: Target,
): Promise<void> => {
  const { cluster, pages } = handling
  const { resource } = target
  const namespace = namespaceOf(target)
  switch (exchange.method) {
    case 'GET':
    case 'HEAD': {
      const selection = readSelection(resource, namespace, exchange.query)
      if (isWatch(exchange)) return answerWatch(handling, exchange, selection)
      return answerList(cluster, exchange, { selection, pages })
    }
    case 'POST':
      if (resource.namespaced && namespace === undefined) throw methodNotAllowed()
      return answerCreate(cluster, exchange, { resource, namespace })
    case 'DELETE':
      if (!resource.verbs.includes('deletecollection')) throw methodNotAllowed()
      return answerRemoveAll(cluster, exchange, { resource, namespace })
    default:
      throw methodNotAllowed()
  }
}

const isWatch = ({ query }: Exchange): boolean =>
  query.get('watch') === 'true' || query.get('watch') === '1'

const answerObject = async (
  handling: Handling,
  exchange: Exchange,
  target: Target,
): Promise<void> => {
  const { cluster } = handling
  const { resource, route } = target
  const namespace = namespaceOf(target)
  if (resource.namespaced && namespace === undefined) throw noSuchResource()
  const place = { resource, namespace, name: route.name }
  switch (exchange.method) {
    case 'GET':
    case 'HEAD':
      if (isWatch(exchange)) return watchOne(handling, exchange, place)
      return answerGet(cluster, exchange, place)
    case 'PUT':
      return answerUpdate(cluster, exchange, { place })
    case 'PATCH':
      return answerPatch(cluster, exchange, { place })
    case 'DELETE':
      return answerRemove(cluster, exchange, place)
    default:
      throw methodNotAllowed()
  }
}

const watchOne = (
  handling: Handling,
  exchange: Exchange,
  {
    resource,
    namespace,
    name,
  }: { resource: ResourceType; namespace: string | undefined; name: string },
): void => {
  exchange.query.append('fieldSelector', `metadata.name=${name}`)
  answerWatch(handling, exchange, readSelection(resource, namespace, exchange.query))
}

const answerSubresource = async (
  handling: Handling,
  exchange: Exchange,
  target: Target,
): Promise<void> => {
  const { cluster } = handling
  const { resource, route } = target
  const { subresource, name } = route
  const place = { resource, namespace: namespaceOf(target), name }
  const known = resource.subresources.some((one) => one.name === subresource)
  if (!known) {
    if (resource.kind === 'Pod' && podExtras.has(subresource))
      throw notImplemented(`pods/${subresource}`)
    throw noSuchResource()
  }
  if (subresource === 'scale') return answerScale(cluster, exchange, place)
  if (subresource === 'token') return answerToken(handling, exchange, place)
  if (subresource === 'binding') return answerBinding(cluster, exchange, place)
  const part = subresource === 'status' ? 'status' : 'finalize'
  switch (exchange.method) {
    case 'GET':
      return answerGet(cluster, exchange, place)
    case 'PUT':
      return answerUpdate(cluster, exchange, { place, part })
    case 'PATCH':
      return answerPatch(cluster, exchange, { place, part })
    default:
      throw methodNotAllowed()
  }
}

/** What a kubelet would answer, and a hollow node does not. */
const podExtras = new Set(['log', 'exec', 'attach', 'portforward', 'proxy', 'eviction'])
