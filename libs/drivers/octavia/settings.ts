import { z } from 'zod'

const openstackId = z
  .string()
  .regex(/^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/, {
    error: 'must be an OpenStack id: 32 hexadecimal digits, with or without dashes',
  })
const httpUrl = z.url({ protocol: /^https?$/ })

/** What an operator says about an OpenStack project, for `driverAccount.settings`; never a secret. */
export const octaviaSettings = z
  .strictObject({
    /** Keystone, with or without `/v3`; null for an Octavia that asks for no token (`noauth`). */
    authUrl: httpUrl.nullable(),
    /** Which region's endpoints are taken from Keystone's catalog; missing when there is only one. */
    region: z.string().min(1).max(255).optional(),
    /** Which of an endpoint's addresses is used. */
    interface: z.enum(['public', 'internal', 'admin']).default('public'),
    /** Replaces the catalog's Octavia endpoint, without `/v2`; required when `authUrl` is null. */
    endpoint: httpUrl.optional(),
    /** Replaces the catalog's Neutron endpoint, without `/v2.0`. */
    networkEndpoint: httpUrl.optional(),
    /** Certificates (PEM) of the authority that signed the cloud's own, where it is a private one. */
    caCertificate: z.string().startsWith('-----BEGIN CERTIFICATE-----').max(100_000).optional(),
    /** The project that the credentials must turn out to belong to. */
    projectId: z.string().regex(/^[0-9A-Za-z_-]{1,64}$/, { error: 'must be a project id' }),
    /** The subnet that load balancers take their addresses from. */
    vipSubnetId: openstackId,
    /** The family of that subnet. */
    ipFamily: z.enum(['IPv4', 'IPv6']).default('IPv4'),
    /** The subnet of the nodes, where it cannot be reached by way of the first one's router. */
    memberSubnetId: openstackId.optional(),
    /** The external network to take a floating IP from; missing for addresses of the subnet itself. */
    floatingNetworkId: openstackId.optional(),
    /** Octavia's provider, such as `amphora`; missing for the cloud's default. */
    provider: z.string().min(1).max(64).optional(),
    flavorId: openstackId.optional(),
    availabilityZone: z.string().min(1).max(255).optional(),
    /** Seconds a silent TCP connection stays open; missing for the cloud's default, usually 50. */
    idleTimeoutSeconds: z.int().min(1).max(86_400).optional(),
    /** Seconds between two health checks of a node. */
    healthCheckIntervalSeconds: z.int().min(1).max(300).default(5),
    /** Load balancers in one page of a listing. */
    pageSize: z.int().min(1).max(1000).default(100),
  })
  .superRefine((settings, context) => {
    const refuse = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message })
    if (settings.authUrl === null && settings.endpoint === undefined) {
      refuse('endpoint', 'must be given when authUrl is null: there is no catalog to find it in')
    }
    const nowhere = settings.authUrl === null && settings.networkEndpoint === undefined
    if (settings.floatingNetworkId !== undefined && nowhere) {
      refuse('networkEndpoint', 'must be given for floating IPs when authUrl is null')
    }
    if (settings.floatingNetworkId !== undefined && settings.ipFamily === 'IPv6') {
      refuse('floatingNetworkId', 'must be missing for IPv6: floating IPs are IPv4')
    }
  })
export type OctaviaSettings = z.infer<typeof octaviaSettings>

/** A Keystone application credential; null where Octavia asks for no token. */
export const octaviaCredentials = z
  .strictObject({
    applicationCredentialId: z.string().min(1).max(255),
    applicationCredentialSecret: z.string().min(1).max(1000),
  })
  .nullable()
export type OctaviaCredentials = z.infer<typeof octaviaCredentials>
