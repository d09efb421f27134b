// What tenants really want, moment by moment: the oracle that no process can ask.
import {
  clusterId,
  driverName,
  sharingGroupOf,
  sharingKey,
  type SharingGroup,
} from '@weir/contract'
import type { Service } from '../kube/object.ts'
import type { Entry } from './ledger.ts'

/** One Service by its UID, as it truly is and was. */
export interface TrueService {
  readonly uid: string
  readonly tenant: string
  readonly cluster: string
  /** As it is now; undefined once it is gone. */
  object: Service | undefined
  /** It is there, asks for a load balancer, is not on its way out, and its cluster is served. */
  wanted: boolean
  /** How often it stopped being wanted. */
  ends: number
  /** Our finalizer was on it at some time. */
  everHeld: boolean
  /** Addresses that its users asked for at some time. */
  readonly asked: Set<string>
  /** Groups that it shared an address with by its users' wish, at some time. */
  readonly groups: Set<SharingGroup>
}

export interface TrueServices {
  take(entry: Entry): void
  get(uid: string): TrueService | undefined
  all(): Iterable<TrueService>
  served(cluster: string): boolean
}

/** The annotation by which Services of a namespace ask to share an address. */
export const sharingAnnotation = 'weir.dev/sharing-key'

/** The group that a Service asks to be in as it is now. */
export const groupOf = (cluster: string, { metadata, spec }: Service): SharingGroup | undefined => {
  const key = metadata.annotations?.[sharingAnnotation]
  const at = { cluster: clusterId.parse(cluster), namespace: metadata.namespace ?? 'default' }
  if (key === undefined) return undefined
  const driver = driverName.safeParse(spec.loadBalancerClass?.replace('weir.dev/', '')).data
  return sharingGroupOf({ ...at, key: sharingKey.parse(key), driver })
}

const cleanupFinalizer = 'weir.dev/load-balancer-cleanup'

export const holdsOurs = (service: Service | undefined): boolean =>
  service?.metadata.finalizers?.includes(cleanupFinalizer) === true

export const createTrueServices = (): TrueServices => {
  const services = new Map<string, TrueService>()
  const left = new Set<string>()

  const judge = (service: TrueService): void => {
    const { object } = service
    const wanted =
      object !== undefined &&
      object.spec.type === 'LoadBalancer' &&
      object.metadata.deletionTimestamp === undefined &&
      !left.has(service.cluster)
    if (service.wanted && !wanted) service.ends += 1
    service.wanted = wanted
  }

  return {
    served: (cluster) => !left.has(cluster),
    get: (uid) => services.get(uid),
    all: () => services.values(),
    take: (entry) => {
      if (entry.kind === 'event' && entry.event.type === 'ClusterDeregistered') {
        left.add(entry.event.data.id)
        for (const service of services.values()) judge(service)
      }
      if (entry.kind !== 'kube-change' || entry.change.resource !== 'services') return
      const object = entry.change.object as Service
      const { uid } = object.metadata
      const { tenant, cluster } = entry
      const known = services.get(uid) ?? {
        uid,
        tenant,
        cluster,
        object: undefined,
        wanted: false,
        ends: 0,
        everHeld: false,
        asked: new Set(),
        groups: new Set(),
      }
      services.set(uid, known)
      known.object = entry.change.type === 'DELETED' ? undefined : object
      known.everHeld ||= holdsOurs(object)
      known.asked.add(object.spec.loadBalancerIP ?? '')
      const group = groupOf(cluster, object)
      if (group !== undefined) known.groups.add(group)
      judge(known)
    },
  }
}
