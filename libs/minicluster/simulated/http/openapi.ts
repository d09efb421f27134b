import type { JsonObject } from '../object.ts'
import type { Registry } from '../resources/registry.ts'
import type { ResourceType } from '../resources/resource.ts'
import { definitions } from '../schema/shape.ts'
import { patchTypes } from './mutate.ts'

const pathOf = (group: string, version: string): string =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`

/** `/openapi/v3`: where each group's document is. */
export const openApiIndex = (registry: Registry): JsonObject => ({
  paths: Object.fromEntries(
    registry.groupVersions.map(({ group, version }) => {
      const path = pathOf(group, version)
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=1` }]
    }),
  ),
})

const parameter = (name: string): JsonObject => ({
  name,
  in: 'query',
  schema: { type: 'string', uniqueItems: true },
})

const reference = (definition: string): JsonObject => ({
  $ref: `#/components/schemas/${definition}`,
})

const operation = (
  resource: ResourceType,
  action: string,
  types: readonly string[],
): JsonObject => {
  const { group, version, kind, definition } = resource
  const schema = action === 'patch' ? { type: 'object' } : reference(definition)
  return {
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, version, kind },
    parameters: ['dryRun', 'fieldManager', 'fieldValidation'].map(parameter),
    requestBody: {
      content: Object.fromEntries(types.map((type) => [type, { schema }])),
      required: true,
    },
    responses: {
      200: {
        description: 'OK',
        content: { 'application/json': { schema: reference(definition) } },
      },
    },
  }
}

const pathsOf = (resource: ResourceType): JsonObject => {
  const base = `/${pathOf(resource.group, resource.version)}`
  const scope = resource.namespaced ? `${base}/namespaces/{namespace}` : base
  const collection = `${scope}/${resource.plural}`
  const json = ['application/json', 'application/yaml']
  return {
    [collection]: { post: operation(resource, 'post', json) },
    [`${collection}/{name}`]: {
      put: operation(resource, 'put', json),
      patch: operation(resource, 'patch', patchTypes),
    },
  }
}

/** The document of one group: the paths kubectl looks for and every definition they reach. */
export const openApiDocument = (
  registry: Registry,
  group: string,
  version: string,
): JsonObject | undefined => {
  const known = registry.groupVersions.some((one) => one.group === group && one.version === version)
  if (!known) return undefined
  const resources = registry.all.filter((one) => one.group === group && one.version === version)
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.36.3' },
    paths: Object.assign({}, ...resources.map(pathsOf)),
    components: { schemas: reached(resources.map((one) => one.definition)) },
  }
}

/** The named definitions and all they refer to. */
const reached = (names: readonly string[]): JsonObject => {
  const all = definitions()
  const found: JsonObject = {}
  const queue = [...names]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const schema = all[name]
    if (schema === undefined || name in found) continue
    found[name] = schema
    const text = JSON.stringify(schema)
    for (const match of text.matchAll(/#\/components\/schemas\/([^"]+)/g))
      queue.push(match[1] ?? '')
  }
  return found
}
