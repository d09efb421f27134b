import { badRequest, conflict, invalid, methodNotAllowed, required } from '../api-error.ts'
import { issuer, type Tokens } from '../auth/tokens.ts'
import type { Cluster } from '../cluster.ts'
import {
  at,
  copyOf,
  isObject,
  type Json,
  type JsonObject,
  type KubeObject,
  listAt,
  textAt,
  timestamp,
} from '../object.ts'
import { formatSelector } from '../resources/selector.ts'
import { find, type Place, update } from '../write/write.ts'
import { type Exchange, mediaType, readBody, readJson, sendJson } from './exchange.ts'
import { patchJson, readWriteOptions } from './mutate.ts'

/** POST pods/NAME/binding: puts a pod on a node, once. */
export const answerBinding = async (
  cluster: Cluster,
  exchange: Exchange,
  place: Place,
): Promise<void> => {
  const binding = await readJson(exchange.request, bindingDefinition)
  if (textAt(binding, 'metadata', 'name') !== place.name)
    throw badRequest('name in URL does not match name in Binding object')
  const node = textAt(binding, 'target', 'name')
  if (node === '') throw badRequest('target.name: Required value')
  const pod = find(cluster, place).object
  const bound = textAt(pod, 'spec', 'nodeName')
  if (bound !== '')
    throw conflict(
      place.resource,
      place.name,
      `pod ${place.name} is already assigned to node "${bound}"`,
    )
  if (pod.metadata.deletionTimestamp !== undefined)
    throw conflict(
      place.resource,
      place.name,
      `pod ${place.name} is being deleted, cannot be assigned to a host`,
    )
  const draft = copyOf(pod)
  const now = timestamp(cluster.clock.now())
  const conditions = listAt(pod, 'status', 'conditions').filter(
    (one) => textAt(one, 'type') !== 'PodScheduled',
  )
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: now }
  draft['spec'] = { ...objectAt(pod, 'spec'), nodeName: node }
  draft['status'] = { ...objectAt(pod, 'status'), conditions: [...conditions, scheduled] }
  const options = readWriteOptions(exchange.query)
  if (!options.dryRun) cluster.store.put(cluster.table(place.resource), draft)
  sendJson(exchange, 201, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    code: 201,
  })
}

const objectAt = (object: KubeObject, field: string): JsonObject => {
  const value = object[field]
  return isObject(value) ? value : {}
}

const bindingDefinition = 'io.k8s.api.core.v1.Binding'
const tokenDefinition = 'io.k8s.api.authentication.v1.TokenRequest'
const scaleDefinition = 'io.k8s.api.autoscaling.v1.Scale'

const scaleOf = ({ metadata, ...object }: KubeObject): JsonObject => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata
  const selector = formatSelector(at(object, 'spec', 'selector'))
  const replicas = at(object, 'spec', 'replicas') ?? 0
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: replicas === 0 ? {} : { replicas },
    status: { replicas: at(object, 'status', 'replicas') ?? 0, selector },
  }
}

/** deployments/NAME/scale: the replicas alone, as a kind of their own. */
export const answerScale = async (
  cluster: Cluster,
  exchange: Exchange,
  place: Place,
): Promise<void> => {
  const { object } = find(cluster, place)
  if (exchange.method === 'GET') return sendJson(exchange, 200, scaleOf(object))
  const scale = await wantedScale(exchange, scaleOf(object))
  const replicas = at(scale, 'spec', 'replicas') ?? 0
  if (typeof replicas !== 'number' || replicas < 0)
    throw invalid({ group: 'autoscaling', plural: 'scales', kind: 'Scale' }, place.name, [
      required('spec.replicas', 'must be greater than or equal to 0'),
    ])
  const draft = copyOf(object)
  draft['spec'] = { ...objectAt(object, 'spec'), replicas }
  const version = textAt(scale, 'metadata', 'resourceVersion')
  if (version !== '') draft.metadata.resourceVersion = version
  const stored = update(cluster, place, draft, readWriteOptions(exchange.query))
  sendJson(exchange, 200, scaleOf(stored.object))
}

const wantedScale = async (exchange: Exchange, current: JsonObject): Promise<Json> => {
  if (exchange.method === 'PUT') return readJson(exchange.request, scaleDefinition)
  if (exchange.method !== 'PATCH') throw methodNotAllowed()
  const body = (await readBody(exchange.request)).toString()
  return patchJson(scaleDefinition, mediaType(exchange.request), { target: current, body })
}

/** POST serviceaccounts/NAME/token: a bearer token for the account. */
export const answerToken = async (
  { cluster, tokens }: { readonly cluster: Cluster; readonly tokens: Tokens },
  exchange: Exchange,
  place: Place,
): Promise<void> => {
  const body = await readJson(exchange.request, tokenDefinition)
  const account = find(cluster, place).object
  const asked = at(body, 'spec', 'expirationSeconds')
  const seconds = typeof asked === 'number' ? asked : 3_600
  const subject = { group: 'authentication.k8s.io', plural: 'tokenrequests', kind: 'TokenRequest' }
  if (seconds < 600)
    throw invalid(subject, '', [
      {
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${seconds}: may not specify a duration less than 10 minutes`,
        field: 'spec.expirationSeconds',
      },
    ])
  const given = listAt(body, 'spec', 'audiences').map(String)
  const audiences = given.length === 0 ? [issuer] : given
  const now = cluster.clock.now()
  sendJson(exchange, 201, {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: {
      name: place.name,
      namespace: place.namespace,
      creationTimestamp: timestamp(now),
    },
    spec: { audiences, expirationSeconds: seconds, boundObjectRef: null },
    status: {
      token: tokens.issue({ account, audiences, seconds }),
      expirationTimestamp: timestamp(now + seconds * 1000),
    },
  })
}
