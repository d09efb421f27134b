import { type Cause, invalidValue, required } from '../api-error.ts'
import {
  asText,
  at,
  copyOf,
  isObject,
  type KubeObject,
  type JsonObject,
  sameJson,
} from '../object.ts'
import { deploymentColumns } from '../print/other-columns.ts'
import { initialisePodSpec, validatePodSpec } from './pod.ts'
import { defineResource, type ResourceType, statusOf } from './resource.ts'
import { readLabelSelector } from './selector.ts'

const initialise = (draft: KubeObject): void => {
  const spec = isObject(draft['spec']) ? draft['spec'] : {}
  draft['spec'] = spec
  spec['replicas'] ??= 1
  spec['revisionHistoryLimit'] ??= 10
  spec['progressDeadlineSeconds'] ??= 600
  const strategy = isObject(spec['strategy']) ? spec['strategy'] : {}
  spec['strategy'] = strategy
  strategy['type'] ??= 'RollingUpdate'
  if (strategy['type'] === 'RollingUpdate')
    strategy['rollingUpdate'] = {
      maxSurge: at(strategy, 'rollingUpdate', 'maxSurge') ?? '25%',
      maxUnavailable: at(strategy, 'rollingUpdate', 'maxUnavailable') ?? '25%',
    }
  const template = isObject(spec['template']) ? spec['template'] : {}
  spec['template'] = template
  template['metadata'] ??= {}
  const podSpec = isObject(template['spec']) ? template['spec'] : {}
  template['spec'] = podSpec
  initialisePodSpec(podSpec)
  draft['status'] ??= {}
}

/** The template's labels as a map of texts; the schema has checked them. */
const templateLabels = (spec: JsonObject): Record<string, string> => {
  const labels = at(spec, 'template', 'metadata', 'labels')
  if (!isObject(labels)) return {}
  return Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, asText(value)]))
}

const validate = (draft: KubeObject, old: KubeObject | undefined): Cause[] => {
  const spec = isObject(draft['spec']) ? draft['spec'] : {}
  const found: Cause[] = []
  const replicas = Number(spec['replicas'])
  if (replicas < 0)
    found.push(invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0'))
  const { selector } = spec
  const isSet = isObject(selector) && Object.keys(selector).length > 0
  const labels = templateLabels(spec)
  if (!isSet) found.push(required('spec.selector'))
  if (!isSet || !readLabelSelector(selector)(labels)) {
    const text = '`selector` does not match template `labels`'
    found.push(invalidValue('spec.template.metadata.labels', labels, text))
  }
  const template = at(spec, 'template', 'spec')
  found.push(...validatePodSpec(isObject(template) ? template : undefined, 'spec.template.spec'))
  const before = at(old, 'spec', 'selector')
  if (before !== undefined && !sameJson(before, selector))
    found.push(invalidValue('spec.selector', selector ?? null, 'field is immutable'))
  return found
}

export const deployments: ResourceType = defineResource({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  shortNames: ['deploy'],
  categories: ['all'],
  definition: 'io.k8s.api.apps.v1.Deployment',
  columns: deploymentColumns,
  counted: true,
  subresources: [
    {
      name: 'scale',
      kind: 'Scale',
      group: 'autoscaling',
      version: 'v1',
      verbs: ['get', 'patch', 'update'],
    },
    statusOf('Deployment'),
  ],
  strategy: {
    initialise,
    prepareForCreate: (draft) => {
      draft['status'] = {}
    },
    prepareForUpdate: (draft, old) => {
      draft['status'] = copyOf(old['status'] ?? {})
    },
    validate,
  },
})
