import type { JsonObject } from '../object.ts'
import type { Registry } from '../resources/registry.ts'
import type { ResourceType } from '../resources/resource.ts'

/** The version the server says it is; kubectl parses it. */
export const serverVersion = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.3',
  gitCommit: 'simulated',
  gitTreeState: 'clean',
  buildDate: '2026-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'simulated/node',
}

const groupVersion = (group: string, version: string): string =>
  group === '' ? version : `${group}/${version}`

const subresourcesOf = (resource: ResourceType): JsonObject[] =>
  resource.subresources.map((sub) => ({
    name: `${resource.plural}/${sub.name}`,
    singularName: '',
    namespaced: resource.namespaced,
    ...(sub.group === undefined ? {} : { group: sub.group, version: sub.version }),
    kind: sub.kind,
    verbs: [...sub.verbs],
  }))

/** `/api/v1`, `/apis/GROUP/VERSION`: the APIResourceList; undefined when there is none. */
export const resourceList = (
  registry: Registry,
  group: string,
  version: string,
): JsonObject | undefined => {
  const known = registry.groupVersions.some((one) => one.group === group && one.version === version)
  if (!known) return undefined
  const resources = registry.all
    .filter((one) => one.group === group && one.version === version)
    .flatMap((one) => [describe(one), ...subresourcesOf(one)])
  const posted = registry.reviews
    .filter((one) => one.group === group && one.version === version)
    .map((one) => ({
      name: one.plural,
      singularName: one.kind.toLowerCase(),
      namespaced: one.namespaced,
      kind: one.kind,
      verbs: ['create'],
    }))
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: groupVersion(group, version),
    resources: [...resources, ...posted],
  }
}

const describe = (resource: ResourceType): JsonObject => ({
  name: resource.plural,
  singularName: resource.singular,
  namespaced: resource.namespaced,
  kind: resource.kind,
  verbs: [...resource.verbs],
  ...(resource.shortNames.length === 0 ? {} : { shortNames: [...resource.shortNames] }),
  ...(resource.categories.length === 0 ? {} : { categories: [...resource.categories] }),
})

const apiGroup = (group: string, version: string): JsonObject => {
  const one = { groupVersion: groupVersion(group, version), version }
  return { name: group, versions: [one], preferredVersion: one }
}

/** `/apis`, and with a name `/apis/GROUP`. */
export const groupList = (registry: Registry): JsonObject => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: registry.groupVersions
    .filter(({ group }) => group !== '')
    .map(({ group, version }) => apiGroup(group, version)),
})

export const oneGroup = (registry: Registry, name: string): JsonObject | undefined => {
  const found = registry.groupVersions.find(({ group }) => group !== '' && group === name)
  if (found === undefined) return undefined
  return { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(found.group, found.version) }
}

export const coreVersions = (server: string): JsonObject => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [
    { clientCIDR: '0.0.0.0/0', serverAddress: server.replace('https://', '') },
  ],
})

export const aggregatedType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

/** Everything in one answer, for clients that ask `/api` or `/apis` for it. */
export const aggregated = (registry: Registry, core: boolean): JsonObject => ({
  kind: 'APIGroupDiscoveryList',
  apiVersion: 'apidiscovery.k8s.io/v2',
  metadata: {},
  items: registry.groupVersions
    .filter(({ group }) => (group === '') === core)
    .map(({ group, version }) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: [
        { version, freshness: 'Current', resources: aggregatedResources(registry, group, version) },
      ],
    })),
})

const aggregatedResources = (registry: Registry, group: string, version: string): JsonObject[] => {
  const resources = registry.all
    .filter((one) => one.group === group && one.version === version)
    .map((one) => ({
      resource: one.plural,
      responseKind: { group, version, kind: one.kind },
      scope: one.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: one.singular,
      verbs: [...one.verbs],
      shortNames: [...one.shortNames],
      categories: [...one.categories],
      subresources: one.subresources.map((sub) => ({
        subresource: sub.name,
        responseKind: {
          group: sub.group ?? group,
          version: sub.version ?? version,
          kind: sub.kind,
        },
        verbs: [...sub.verbs],
      })),
    }))
  const posted = registry.reviews
    .filter((one) => one.group === group && one.version === version)
    .map((one) => ({
      resource: one.plural,
      responseKind: { group, version, kind: one.kind },
      scope: one.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: one.kind.toLowerCase(),
      verbs: ['create'],
    }))
  return [...resources, ...posted]
}
