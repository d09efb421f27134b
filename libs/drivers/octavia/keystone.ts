import { OperatingError, type Clock } from '@weir/kernel'
import { z } from 'zod'
import { faultOf, type Answer, type HttpCall, type Send } from './http.ts'
import type { OctaviaCredentials, OctaviaSettings } from './settings.ts'

/** Where calls go and in whose name. */
export interface Access {
  /** The value of `X-Auth-Token`; null where none is asked for. */
  readonly token: string | null
  /** The project that the credentials belong to. */
  readonly project: string
  /** Octavia's endpoint without `/v2` and without a slash at its end. */
  readonly balancing: string
  /** Neutron's, without `/v2.0`; null when the cloud has none. */
  readonly network: string | null
}

export interface Keystone {
  /** Access that is good for some minutes; callers at the same time share one question. */
  access(): Promise<Access>
  /** Sends a call, and once more with fresh access when a token was no good any more. */
  send(make: (access: Access) => HttpCall): Promise<Answer>
}

/** The credentials are no good, and asking again changes nothing. */
export class AccessRefused extends OperatingError {
  constructor(message: string) {
    super(message, { retry: { afterMs: 60_000 } })
    this.name = 'AccessRefused'
  }
}

interface Options {
  readonly settings: OctaviaSettings
  readonly credentials: OctaviaCredentials
  readonly clock: Pick<Clock, 'now'>
  readonly send: Send
}

/** A token is replaced this long before it ends, so that no call meets its end. */
const aheadMs = 300_000

const tokenAnswer = z.object({
  token: z.object({
    expires_at: z.iso.datetime({ offset: true }),
    project: z.object({ id: z.string().min(1) }).optional(),
    catalog: z.array(
      z.object({
        type: z.string(),
        endpoints: z.array(
          z.object({
            interface: z.string(),
            region_id: z.string().nullish(),
            region: z.string().nullish(),
            url: z.string(),
          }),
        ),
      }),
    ),
  }),
})
type Catalog = z.infer<typeof tokenAnswer>['token']['catalog']

/** Tokens from Keystone by application credential, or none at all where `authUrl` is null. */
export const createKeystone = (options: Options): Keystone => {
  const { clock, send } = options
  let current: { readonly access: Access; readonly goodUntil: number } | undefined
  let asking: Promise<Access> | undefined

  const ask = async (): Promise<Access> => {
    const fresh = await authenticate(options)
    // A token that lives shorter than we look ahead is used for half of its life.
    const lifeMs = fresh.expiresAt - clock.now()
    const goodUntil = fresh.expiresAt - Math.min(aheadMs, lifeMs / 2)
    current = { access: fresh.access, goodUntil }
    return fresh.access
  }
  const access = (): Promise<Access> => {
    if (current !== undefined && clock.now() < current.goodUntil) {
      return Promise.resolve(current.access)
    }
    asking ??= ask().finally(() => (asking = undefined))
    return asking
  }
  const withToken = (make: (access: Access) => HttpCall, by: Access): Promise<Answer> => {
    const call = make(by)
    const headers = by.token === null ? call.headers : { ...call.headers, 'x-auth-token': by.token }
    return send({ ...call, ...(headers === undefined ? {} : { headers }) })
  }
  return {
    access,
    send: async (make) => {
      const first = await access()
      const answer = await withToken(make, first)
      if (answer.status !== 401 || first.token === null) return answer
      // Another caller may have replaced it already.
      if (current?.access.token === first.token) current = undefined
      return withToken(make, await access())
    },
  }
}

const authenticate = async (options: Options): Promise<{ access: Access; expiresAt: number }> => {
  const { settings, credentials, send } = options
  if (settings.authUrl === null) return { access: openAccess(settings), expiresAt: Infinity }
  if (credentials === null) {
    throw new AccessRefused(`Keystone at ${settings.authUrl} wants an application credential`)
  }
  const answer = await send({
    method: 'POST',
    url: `${trimUrl(settings.authUrl).replace(/\/v3$/, '')}/v3/auth/tokens`,
    body: {
      auth: {
        identity: {
          methods: ['application_credential'],
          application_credential: {
            id: credentials.applicationCredentialId,
            secret: credentials.applicationCredentialSecret,
          },
        },
      },
    },
  })
  if ([401, 403, 404].includes(answer.status)) {
    throw new AccessRefused(`Keystone refuses the application credential: ${faultOf(answer)}`)
  }
  const token = answer.headers['x-subject-token']
  const parsed = tokenAnswer.safeParse(answer.body)
  if (answer.status !== 201 || token === undefined || !parsed.success) {
    throw new OperatingError(`cannot get a token from Keystone: ${faultOf(answer)}`, {
      retry: { afterMs: 5000 },
    })
  }
  return grantedBy(settings, token, parsed.data.token)
}

const grantedBy = (
  settings: OctaviaSettings,
  token: string,
  { expires_at, project, catalog }: z.infer<typeof tokenAnswer>['token'],
) => {
  if (project === undefined) throw new AccessRefused('the application credential has no project')
  const balancing = settings.endpoint ?? endpointOf(catalog, 'load-balancer', settings)
  if (balancing === undefined) {
    throw new AccessRefused(
      `Keystone's catalog has no ${settings.interface} endpoint of type load-balancer` +
        (settings.region === undefined ? '' : ` in region ${settings.region}`),
    )
  }
  const network = settings.networkEndpoint ?? endpointOf(catalog, 'network', settings)
  const access: Access = {
    token,
    project: project.id,
    balancing: trimUrl(balancing).replace(/\/v2(\.0)?$/, ''),
    network: network === undefined ? null : trimUrl(network).replace(/\/v2\.0$/, ''),
  }
  return { access, expiresAt: Date.parse(expires_at) }
}

/** The first endpoint that fits: its service type, interface and region. */
const endpointOf = (
  catalog: Catalog,
  type: string,
  { interface: face, region }: OctaviaSettings,
): string | undefined =>
  catalog
    .filter((service) => service.type === type)
    .flatMap(({ endpoints }) => endpoints)
    .find((at) => {
      const here = at.region_id ?? at.region
      return at.interface === face && (region === undefined || here === region)
    })?.url

const openAccess = (settings: OctaviaSettings): Access => {
  if (settings.endpoint === undefined) throw new AccessRefused('no endpoint is set')
  return {
    token: null,
    project: settings.projectId,
    balancing: trimUrl(settings.endpoint).replace(/\/v2(\.0)?$/, ''),
    network:
      settings.networkEndpoint === undefined
        ? null
        : trimUrl(settings.networkEndpoint).replace(/\/v2\.0$/, ''),
  }
}

const trimUrl = (url: string): string => url.replace(/\/+$/, '')
