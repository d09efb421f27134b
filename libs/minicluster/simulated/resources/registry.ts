import type { Subject } from '../api-error.ts'
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from './access.ts'
import { deployments } from './deployment.ts'
import { endpoints, endpointSlices } from './endpoints.ts'
import { events, newEvents } from './event.ts'
import { configMaps, leases, namespaces, nodes, secrets, serviceAccounts } from './plain.ts'
import { pods } from './pod.ts'
import type { ResourceType } from './resource.ts'
import type { ServiceAllocations } from './service/allocate.ts'
import { defineServices } from './service/resource.ts'

/** A kind that is only ever posted and answered: a review. */
export interface ReviewType extends Subject {
  readonly version: string
  readonly namespaced: boolean
  readonly definition: string
}

const review = (group: string, kind: string, namespaced: boolean): ReviewType => ({
  group,
  version: 'v1',
  kind,
  plural: `${kind.toLowerCase()}s`,
  namespaced,
  definition: `io.k8s.api.${group.split('.')[0] ?? ''}.v1.${kind}`,
})

const reviews: readonly ReviewType[] = [
  review('authentication.k8s.io', 'SelfSubjectReview', false),
  review('authentication.k8s.io', 'TokenReview', false),
  review('authorization.k8s.io', 'LocalSubjectAccessReview', true),
  review('authorization.k8s.io', 'SelfSubjectAccessReview', false),
  review('authorization.k8s.io', 'SelfSubjectRulesReview', false),
  review('authorization.k8s.io', 'SubjectAccessReview', false),
]

/** Every resource of one cluster; found by group, version and plural. */
export interface Registry {
  readonly all: readonly ResourceType[]
  readonly reviews: readonly ReviewType[]
  find(group: string, version: string, plural: string): ResourceType | undefined
  findReview(group: string, version: string, plural: string): ReviewType | undefined
  /** The versions that are served, core first, then by name. */
  readonly groupVersions: readonly { readonly group: string; readonly version: string }[]
}

export const createRegistry = (allocations: ServiceAllocations): Registry => {
  const all = [
    configMaps,
    endpoints,
    events,
    namespaces,
    nodes,
    pods,
    secrets,
    serviceAccounts,
    defineServices(allocations),
    deployments,
    leases,
    endpointSlices,
    newEvents,
    clusterRoleBindings,
    clusterRoles,
    roleBindings,
    roles,
  ]
  const keyed = <T extends Subject & { version: string }>(list: readonly T[]) =>
    new Map(list.map((one) => [`${one.group}/${one.version}/${one.plural}`, one]))
  const byPath = keyed(all)
  const reviewsByPath = keyed(reviews)
  const groups = new Set([...all, ...reviews].map((one) => one.group))
  return {
    all,
    reviews,
    find: (group, version, plural) => byPath.get(`${group}/${version}/${plural}`),
    findReview: (group, version, plural) => reviewsByPath.get(`${group}/${version}/${plural}`),
    groupVersions: [...groups].sort().map((group) => ({ group, version: 'v1' })),
  }
}
