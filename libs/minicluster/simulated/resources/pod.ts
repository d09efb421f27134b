import { type Cause, forbiddenField, required } from '../api-error.ts'
import {
  at,
  copyOf,
  isObject,
  type JsonObject,
  type KubeObject,
  listAt,
  sameJson,
  textAt,
} from '../object.ts'
import { podColumns } from '../print/pod-columns.ts'
import { defineResource, type ResourceType, statusOf } from './resource.ts'
import { causes, labelProblems, portProblems } from './names.ts'

/** Sets a field that is not there. */
const fill = (object: JsonObject, defaults: JsonObject): void => {
  for (const [key, value] of Object.entries(defaults))
    if (value !== undefined) object[key] ??= value
}

const initialiseContainer = (container: JsonObject): void => {
  const image = textAt(container, 'image')
  const tag = image.split('/').at(-1)?.split('@')[0]?.split(':')[1]
  const always = !image.includes('@') && (tag === undefined || tag === 'latest')
  fill(container, {
    imagePullPolicy: always ? 'Always' : 'IfNotPresent',
    resources: {},
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  })
  for (const port of listAt(container, 'ports')) if (isObject(port)) fill(port, { protocol: 'TCP' })
}

/** What the API's version defaults in any pod spec, a Deployment's template too. */
export const initialisePodSpec = (spec: JsonObject): void => {
  fill(spec, {
    dnsPolicy: 'ClusterFirst',
    restartPolicy: 'Always',
    schedulerName: 'default-scheduler',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
  })
  for (const field of ['containers', 'initContainers'])
    for (const container of listAt(spec, field))
      if (isObject(container)) initialiseContainer(container)
}

const initialise = (draft: KubeObject): void => {
  const spec = isObject(draft['spec']) ? draft['spec'] : {}
  draft['spec'] = spec
  initialisePodSpec(spec)
  fill(spec, { enableServiceLinks: true })
}

/** Admission's part: the service account, and no status but Pending. */
const prepareForCreate = (draft: KubeObject): void => {
  const { spec } = draft
  if (isObject(spec)) {
    const account = textAt(spec, 'serviceAccountName') || 'default'
    fill(spec, {
      serviceAccount: account,
      serviceAccountName: account,
      preemptionPolicy: 'PreemptLowerPriority',
      priority: 0,
      tolerations: ['not-ready', 'unreachable'].map((name) => ({
        effect: 'NoExecute',
        key: `node.kubernetes.io/${name}`,
        operator: 'Exists',
        tolerationSeconds: 300,
      })),
    })
  }
  draft['status'] = { phase: 'Pending', qosClass: 'BestEffort' }
}

const prepareForUpdate = (draft: KubeObject, old: KubeObject): void => {
  draft['status'] = copyOf(old['status'] ?? {})
}

export const validatePodSpec = (spec: JsonObject | undefined, field: string): Cause[] => {
  const containers = listAt(spec, 'containers')
  if (containers.length === 0) return [required(`${field}.containers`)]
  return containers.flatMap((container, index) => {
    const place = `${field}.containers[${index}]`
    const name = textAt(container, 'name')
    const named =
      name === '' ? [required(`${place}.name`)] : causes(`${place}.name`, name, labelProblems(name))
    const image = textAt(container, 'image') === '' ? [required(`${place}.image`)] : []
    const ports = listAt(container, 'ports').flatMap((port, at_) => {
      const number = Number(at(port, 'containerPort') ?? 0)
      return causes(`${place}.ports[${at_}].containerPort`, number, portProblems(number))
    })
    return [...named, ...image, ...ports]
  })
}

/** The fields of a pod's spec that may change once it exists, made equal before comparing. */
const withoutMutable = (spec: JsonObject): JsonObject => {
  const { tolerations: _tolerations, activeDeadlineSeconds: _deadline, ...rest } = spec
  const containers = listAt(rest, 'containers').map((container) =>
    isObject(container) ? { ...container, image: '' } : container,
  )
  return { ...rest, containers }
}

const validate = (draft: KubeObject, old: KubeObject | undefined): Cause[] => {
  const spec = isObject(draft['spec']) ? draft['spec'] : undefined
  const found = validatePodSpec(spec, 'spec')
  const before = old?.['spec']
  if (!isObject(before) || spec === undefined) return found
  if (sameJson(withoutMutable(spec), withoutMutable(before))) return found
  const text =
    'pod updates may not change fields other than `spec.containers[*].image`,' +
    '`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions ' +
    'to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it ' +
    'was previously negative)'
  return [...found, forbiddenField('spec', text)]
}

export const pods: ResourceType = defineResource({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  definition: 'io.k8s.api.core.v1.Pod',
  columns: podColumns,
  returnsDeleted: true,
  subresources: [statusOf('Pod'), { name: 'binding', kind: 'Binding', verbs: ['create'] }],
  selectable: {
    'spec.nodeName': (pod) => textAt(pod, 'spec', 'nodeName'),
    'spec.restartPolicy': (pod) => textAt(pod, 'spec', 'restartPolicy'),
    'spec.schedulerName': (pod) => textAt(pod, 'spec', 'schedulerName'),
    'spec.serviceAccountName': (pod) => textAt(pod, 'spec', 'serviceAccountName'),
    'status.phase': (pod) => textAt(pod, 'status', 'phase'),
    'status.podIP': (pod) => textAt(pod, 'status', 'podIP'),
  },
  counted: true,
  strategy: { initialise, prepareForCreate, prepareForUpdate, validate },
})

/** Whether anyone will see this pod's containers end: it is on a node and not over. */
export const isRunningSomewhere = (pod: KubeObject): boolean =>
  textAt(pod, 'spec', 'nodeName') !== '' &&
  textAt(pod, 'status', 'phase') !== 'Succeeded' &&
  textAt(pod, 'status', 'phase') !== 'Failed'
