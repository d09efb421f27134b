import { type Cluster, randomSuffix } from '../cluster.ts'
import { copyOf, type JsonObject, type KubeObject, sameJson, timestamp } from '../object.ts'
import { endpointSlices } from '../resources/endpoints.ts'
import { pods } from '../resources/pod.ts'
import { asService, type Service } from '../resources/service/service.ts'
import type { Change } from '../storage/table.ts'
import { decodeObject } from '../write/decode-object.ts'
import { remove } from '../write/remove.ts'
import { create, update } from '../write/write.ts'
import { DirtyKeys } from './dirty-keys.ts'
import { groupEndpoints, type SliceContent } from './endpoints-of.ts'
import type { Owners } from './owners.ts'

const manager = 'endpointslice-controller.k8s.io'
const managedBy = 'endpointslice.kubernetes.io/managed-by'
const serviceName = 'kubernetes.io/service-name'
const changedAt = 'endpoints.kubernetes.io/last-change-trigger-time'

/** Keeps the EndpointSlices of every Service with a selector. */
export const startEndpointSlices = (cluster: Cluster, owners: Owners): (() => void) => {
  const services = cluster.store.table('services')
  const selecting = new Selecting()
  const keys = new DirtyKeys((key) => {
    const stored = services.get(key)
    if (stored !== undefined) reconcile(cluster, owners, asService(stored.object))
  })
  for (const { key, object } of services.values()) {
    selecting.set(key, asService(object))
    keys.mark(key)
  }
  const ends = [
    services.subscribe((change) => {
      const service = change.type === 'DELETED' ? undefined : asService(change.now.object)
      selecting.set(change.now.key, service)
      if (service !== undefined && concernsEndpoints(change)) keys.mark(change.now.key)
    }),
    cluster.table(pods).subscribe((change) => {
      for (const key of selecting.of(change.now.object)) keys.mark(key)
      if (change.before !== undefined)
        for (const key of selecting.of(change.before.object)) keys.mark(key)
    }),
  ]
  return () => {
    for (const end of ends) end()
    keys.stop()
  }
}

/** Status and finalizer writes, which are most, leave the endpoints as they are. */
const concernsEndpoints = ({ before, now }: Change): boolean =>
  before === undefined ||
  !sameJson(before.object['spec'], now.object['spec']) ||
  !sameJson(before.object.metadata.labels, now.object.metadata.labels)

/** Which Services select a pod, without asking each Service of every namespace. */
class Selecting {
  readonly #byNamespace = new Map<string, Map<string, Readonly<Record<string, string>>>>()

  set(key: string, service: Service | undefined): void {
    const namespace = key.split('/', 1)[0] ?? ''
    const known = this.#byNamespace.get(namespace) ?? new Map()
    const selector = service?.spec.selector
    if (selector === undefined) known.delete(key)
    else known.set(key, selector)
    this.#byNamespace.set(namespace, known)
  }

  *of(pod: KubeObject): Generator<string> {
    const labels = pod.metadata.labels ?? {}
    for (const [key, selector] of this.#byNamespace.get(pod.metadata.namespace ?? '') ?? [])
      if (Object.entries(selector).every(([name, value]) => labels[name] === value)) yield key
  }
}

const reconcile = (cluster: Cluster, owners: Owners, service: Service): void => {
  const { uid = '', namespace = '', deletionTimestamp } = service.metadata
  const table = cluster.table(endpointSlices)
  const present = owners
    .in(table, uid)
    .map((stored) => stored.object)
    .filter((slice) => slice.metadata.labels?.[managedBy] === manager)
  const { selector } = service.spec
  if (selector === undefined || service.spec.type === 'ExternalName' || deletionTimestamp) return
  const selected: KubeObject[] = []
  for (const { object } of cluster.table(pods).values()) {
    if (object.metadata.namespace !== namespace) continue
    const labels = object.metadata.labels ?? {}
    if (Object.entries(selector).every(([key, value]) => labels[key] === value))
      selected.push(object)
  }
  const wanted = groupEndpoints(service, selected)
  for (const [index, content] of wanted.entries())
    writeSlice(cluster, service, { content, present: present[index] })
  for (const slice of present.slice(wanted.length)) {
    const { name } = slice.metadata
    remove(cluster, { resource: endpointSlices, namespace, name }, { dryRun: false })
  }
}

interface Slice {
  readonly content: SliceContent
  readonly present: KubeObject | undefined
}

const writeSlice = (cluster: Cluster, service: Service, { content, present }: Slice): void => {
  const { namespace = '', name } = service.metadata
  const labels = {
    ...service.metadata.labels,
    [managedBy]: manager,
    [serviceName]: name,
    ...(service.spec.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {}),
  }
  const trigger = { [changedAt]: timestamp(cluster.clock.now()) }
  if (present === undefined) return createSlice(cluster, service, { content, labels, trigger })
  const body = { endpoints: content.endpoints, ports: content.ports }
  const same =
    sameJson(present['endpoints'], body.endpoints) &&
    sameJson(present['ports'], body.ports) &&
    sameJson(present.metadata.labels, labels)
  if (same) return
  const draft: KubeObject = { ...copyOf(present), ...body }
  draft.metadata.labels = labels
  draft.metadata.annotations = { ...draft.metadata.annotations, ...trigger }
  const place = { resource: endpointSlices, namespace, name: present.metadata.name }
  update(cluster, place, draft, { dryRun: false })
}

interface NewSlice {
  readonly content: SliceContent
  readonly labels: Record<string, string>
  readonly trigger: Record<string, string>
}

const createSlice = (
  cluster: Cluster,
  { metadata }: Service,
  { content, labels, trigger }: NewSlice,
): void => {
  const { namespace = '', name, uid = '' } = metadata
  const owner = { apiVersion: 'v1', kind: 'Service', name, uid }
  const body: JsonObject = {
    addressType: 'IPv4',
    metadata: {
      name: `${name.slice(0, 57)}-${randomSuffix(cluster.ids)}`,
      generateName: `${name}-`,
      namespace,
      labels,
      annotations: trigger,
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
    },
    endpoints: [...content.endpoints],
    ports: [...content.ports],
  }
  const { object } = decodeObject(endpointSlices, body, 'Ignore')
  create(cluster, { resource: endpointSlices, namespace }, object, { dryRun: false })
}
