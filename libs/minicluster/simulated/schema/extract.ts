/**
 * Makes `kubernetes.json` from Kubernetes' own OpenAPI files, for a person who moves to a new version:
 * `node extract.ts FOLDER > kubernetes.json`, where FOLDER is `api/openapi-spec/v3` of a checkout. It
 * keeps what the kinds below reach, without descriptions.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stdout } from 'node:process'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** The definitions wanted of each file, without `io.k8s.api.` or `io.k8s.apimachinery.pkg.apis.`. */
const wanted: Readonly<Record<string, string>> = {
  api__v1:
    'core.v1.Namespace core.v1.Service core.v1.Node core.v1.Pod core.v1.Endpoints core.v1.Event ' +
    'core.v1.ServiceAccount core.v1.ConfigMap core.v1.Secret core.v1.Binding ' +
    'authentication.v1.TokenRequest meta.v1.Status meta.v1.DeleteOptions',
  apis__apps__v1: 'apps.v1.Deployment autoscaling.v1.Scale',
  'apis__authentication.k8s.io__v1':
    'authentication.v1.TokenReview authentication.v1.SelfSubjectReview',
  'apis__authorization.k8s.io__v1':
    'authorization.v1.SelfSubjectAccessReview authorization.v1.SelfSubjectRulesReview ' +
    'authorization.v1.SubjectAccessReview authorization.v1.LocalSubjectAccessReview',
  'apis__coordination.k8s.io__v1': 'coordination.v1.Lease',
  'apis__discovery.k8s.io__v1': 'discovery.v1.EndpointSlice',
  'apis__events.k8s.io__v1': 'events.v1.Event',
  'apis__rbac.authorization.k8s.io__v1':
    'rbac.v1.Role rbac.v1.RoleBinding rbac.v1.ClusterRole rbac.v1.ClusterRoleBinding',
}

const isRecord = (value: unknown): value is Record<string, Json> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

const bare = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(bare)
  if (!isRecord(value)) return value
  const kept = Object.entries(value).filter(([key, v]) => key !== 'description' || isRecord(v))
  return Object.fromEntries(kept.map(([key, v]) => [key, bare(v)]))
}

const referencesIn = (value: Json): string[] => {
  if (Array.isArray(value)) return value.flatMap(referencesIn)
  if (!isRecord(value)) return []
  const own = typeof value['$ref'] === 'string' ? [value['$ref'].split('/').at(-1) ?? ''] : []
  return [...own, ...Object.values(value).flatMap(referencesIn)]
}

const fullName = (name: string): string =>
  name.startsWith('meta.') ? `io.k8s.apimachinery.pkg.apis.${name}` : `io.k8s.api.${name}`

const readSchemas = (folder: string, name: string): Record<string, Json> => {
  const parsed: unknown = JSON.parse(readFileSync(join(folder, `${name}_openapi.json`), 'utf8'))
  const components = isRecord(parsed) ? parsed['components'] : undefined
  const schemas = isRecord(components) ? components['schemas'] : undefined
  return isRecord(schemas) ? schemas : {}
}

const extract = (folder: string): Record<string, Json> => {
  const kept: Record<string, Json> = {}
  for (const [file, names] of Object.entries(wanted)) {
    const schemas = readSchemas(folder, file)
    const queue = names.split(' ').map(fullName)
    for (const name of queue) if (!(name in schemas)) throw new Error(`${file} has no ${name}`)
    for (let key = queue.pop(); key !== undefined; key = queue.pop()) {
      const schema = schemas[key]
      if (schema === undefined || key in kept) continue
      kept[key] = bare(schema)
      queue.push(...referencesIn(kept[key] ?? null))
    }
  }
  return Object.fromEntries(Object.entries(kept).sort(([a], [b]) => (a < b ? -1 : 1)))
}

const folder = process.argv[2]
if (folder === undefined) throw new Error('the folder api/openapi-spec/v3 is missing')
stdout.write(`${JSON.stringify(extract(folder), null, 1)}\n`)
