import { isObject, type Json, type JsonObject, textAt } from '../object.ts'
import { ask, type Reach } from './reach.ts'
import type { Case } from './steps.ts'

/** The answers to a case's requests, without what differs from one run to the next. */
export const answersTo = async (to: Reach, one: Case, namespace: string): Promise<Json[]> => {
  await ask(to, {
    method: 'POST',
    path: '/api/v1/namespaces',
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  })
  const asked = JSON.stringify(one.steps)
  const answers: Json[] = []
  for (const step of one.steps) {
    const path = step.path.startsWith('/api')
      ? step.path.replace('NAMESPACE', namespace)
      : `/api/v1/namespaces/${namespace}${step.path}`
    const { code, body } = await ask(to, { ...step, path })
    answers.push({ code, ...steady(body, { namespace, asked }) })
  }
  await ask(to, { method: 'DELETE', path: `/api/v1/namespaces/${namespace}/services` })
  await ask(to, { method: 'DELETE', path: `/api/v1/namespaces/${namespace}` })
  return answers
}

interface Known {
  readonly namespace: string
  /** The text of what was asked for: values in it are no accident. */
  readonly asked: string
}

const steady = (body: Json, { namespace, asked }: Known): JsonObject => {
  const text = JSON.stringify(body).replaceAll(namespace, 'NAMESPACE')
  const plain: Json = JSON.parse(text)
  if (!isObject(plain)) return { text: plain }
  if (plain['kind'] === 'Status')
    return {
      message: steadyText(textAt(plain, 'message')),
      reason: textAt(plain, 'reason'),
      details: steadyDetails(plain['details']),
    }
  const { metadata, spec, status } = plain
  return {
    metadata: steadyMetadata(metadata ?? {}),
    spec: steadySpec(spec ?? {}, asked),
    status: status ?? {},
  }
}

/** UIDs, resource versions and free ports or addresses that happen to stand in a message. */
const steadyText = (text: string): string =>
  text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, (uid) => (/^0+-/.test(uid) ? uid : 'UID'))
    .replaceAll(/in record \(\d+\)/g, 'in record (VERSION)')

const steadyDetails = (details: Json | undefined): Json =>
  JSON.parse(steadyText(JSON.stringify(details ?? {})))

const steadyMetadata = (metadata: Json): Json => {
  const { uid, resourceVersion, creationTimestamp, managedFields, ...rest } = isObject(metadata)
    ? metadata
    : {}
  const known = [uid, resourceVersion, creationTimestamp].every((one) => typeof one === 'string')
  const deleted = rest['deletionTimestamp'] === undefined ? {} : { deletionTimestamp: 'TIME' }
  return { ...rest, ...deleted, stamped: known, ...(managedFields === null ? {} : {}) }
}

/** What was allocated is named by the order it appears in, and what was asked for is kept. */
const steadySpec = (spec: Json, text: string): Json => {
  const names = new Map<string, string>()
  const nameOf = (kind: string, value: Json): string => {
    const key = JSON.stringify(value)
    const known = names.get(key) ?? `${kind}${names.size + 1}`
    names.set(key, known)
    return known
  }
  const isAsked = (value: Json): boolean => text.includes(JSON.stringify(value))
  const port = (value: Json): Json => (isAsked(value) ? value : nameOf('PORT', value))
  const address = (value: string): Json =>
    value.startsWith('10.96.') && !isAsked(value) ? nameOf('ADDRESS', value) : value
  return JSON.parse(
    JSON.stringify(spec, (key, value: Json) => {
      if (key === 'nodePort' || key === 'healthCheckNodePort') return port(value)
      return typeof value === 'string' ? address(value) : value
    }),
  )
}
