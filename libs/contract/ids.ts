import { z } from 'zod'
import { hashOf } from './hash.ts'

const token = (what: string) =>
  z.string().regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, {
    error: `${what} must be 1-40 characters of a-z, 0-9 and "-", not at an end`,
  })
const uuid = (what: string) =>
  z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, {
    error: `${what} must be a lower-case UUID`,
  })

/** A customer: owns clusters, quota, tokens and a slice of the log. `platform` is one too. */
export const tenantId = token('tenant').brand('TenantId')
export type TenantId = z.infer<typeof tenantId>

/** A tenant's Kubernetes cluster: the UID of its kube-system namespace, never a name. */
export const clusterId = uuid('cluster').brand('ClusterId')
export type ClusterId = z.infer<typeof clusterId>

/** A Kubernetes Service: its UID, never namespace/name, so that a namesake is somebody else. */
export const serviceUid = uuid('service UID').brand('ServiceUid')
export type ServiceUid = z.infer<typeof serviceUid>

/** One installation of weir; part of every ownership mark. */
export const installationId = token('installation').brand('InstallationId')
export type InstallationId = z.infer<typeof installationId>

/** A pool of addresses; unique in the platform. */
export const poolName = token('pool').brand('PoolName')
export type PoolName = z.infer<typeof poolName>

/** A fleet of edges that serve the same frontends. */
export const fleetName = token('fleet').brand('FleetName')
export type FleetName = z.infer<typeof fleetName>

/** One machine of our own fleet. */
export const edgeId = token('edge').brand('EdgeId')
export type EdgeId = z.infer<typeof edgeId>

/** A driver: who makes the resource. */
export const driverName = token('driver').brand('DriverName')
export type DriverName = z.infer<typeof driverName>

/**
 * One resource of one service, `DRIVER-SERVICEUID`: the same for every incarnation. The external name
 * adds the epoch, so that a late delete of one incarnation cannot hit the next.
 */
export const resourceKey = z
  .string()
  .regex(/^[a-z0-9-]{1,40}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  .brand('ResourceKey')
export type ResourceKey = z.infer<typeof resourceKey>

/** The resource of `service` at `driver`. */
export const resourceKeyOf = (driver: DriverName, service: ServiceUid): ResourceKey =>
  resourceKey.parse(`${driver}-${service}`)

/** What Services of one namespace name to share an address, as other controllers' users know it. */
export const sharingKey = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/, {
    error: 'a sharing key must be 1-63 characters of a-z, A-Z, 0-9, ".", "_", "/" and "-"',
  })
  .brand('SharingKey')
export type SharingKey = z.infer<typeof sharingKey>

/**
 * The Services of one namespace that name one key, and one driver or none: names their stream, and holds their
 * address.
 */
export const sharingGroup = z
  .string()
  .regex(/^share-[0-9a-f]{32}$/)
  .brand('SharingGroup')
export type SharingGroup = z.infer<typeof sharingGroup>

/**
 * The group of Services that name `key` in one namespace of one cluster. Two drivers would announce the address
 * each for its own ports, so those that name another driver are another group.
 */
export const sharingGroupOf = (at: {
  readonly cluster: ClusterId
  readonly namespace: string
  readonly key: SharingKey
  /** The driver that the Service names, if any. */
  readonly driver?: DriverName | undefined
}): SharingGroup =>
  sharingGroup.parse(`share-${hashOf([at.cluster, at.namespace, at.key, at.driver ?? null])}`)

/** The platform's own tenant: pools, drivers and operator acts are in its log. */
export const platformTenant: TenantId = tenantId.parse('platform')
