// Keystone's tokens by application credential and Neutron's floating IPs, on plain HTTP: strict about what they
// are sent, as the real ones are documented. What only this fake shows is said in ../README.md.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'
import type { OctaviaCredentials } from '../settings.ts'

export interface FloatingIp {
  readonly id: string
  readonly floating_ip_address: string
  readonly floating_network_id: string
  readonly port_id: string | null
  readonly description: string
  readonly project_id: string
  readonly status: string
}

export interface FakeOpenstack {
  readonly endpoint: string
  readonly credentials: NonNullable<OctaviaCredentials>
  readonly network: string
  /** Tokens given out so far. */
  readonly issued: readonly string[]
  /** Whether a token is good now. */
  admits(token: string | undefined): boolean
  /** Makes every token given out so far worthless. */
  revokeAll(): void
  /** Seconds that tokens of later live. */
  setTokenLife(seconds: number): void
  /** Where the catalog says that Octavia is. */
  setOctavia(endpoint: string): void
  readonly floatingIps: Map<string, FloatingIp>
  /** The next change of a floating IP breaks off, before its effect or after it. */
  failNext(when: 'before' | 'after'): void
  stop(): Promise<void>
}

interface Reply {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export const startFakeOpenstack = async (project: string): Promise<FakeOpenstack> => {
  const credentials = {
    applicationCredentialId: randomUUID().replaceAll('-', ''),
    applicationCredentialSecret: `secret-${randomUUID()}`,
  }
  const network = randomUUID()
  const issued: string[] = []
  const good = new Set<string>()
  const floatingIps = new Map<string, FloatingIp>()
  let lifeSeconds = 3600
  let octavia = ''
  let failing: 'before' | 'after' | undefined
  let endpoint = ''

  const keystone = (body: unknown): Reply => {
    const asked = tokenRequest.safeParse(body)
    if (!asked.success) return refuse(400, 'Expecting to find application_credential in identity')
    const { id, secret } = asked.data.auth.identity.application_credential
    const { applicationCredentialId, applicationCredentialSecret } = credentials
    if (id !== applicationCredentialId || secret !== applicationCredentialSecret) {
      return refuse(401, 'The request you have made requires authentication.')
    }
    const token = `token-${randomUUID()}`
    issued.push(token)
    good.add(token)
    const expires = new Date(new Date().getTime() + lifeSeconds * 1000).toISOString()
    const catalog = [
      serviceOf('identity', `${endpoint}/v3`),
      serviceOf('network', endpoint),
      serviceOf('load-balancer', octavia),
    ]
    const said = { expires_at: expires, project: { id: project, name: 'p' }, catalog, methods: [] }
    return { status: 201, headers: { 'x-subject-token': token }, body: { token: said } }
  }
  const neutron = (call: Call): Reply => {
    if (!good.has(call.token ?? '')) return refuse(401, 'Authentication required')
    return answerNeutron({ floatingIps, network, project }, call)
  }
  const server = createServer((incoming, outgoing) => {
    void read(incoming).then((call) => {
      const isChange = call.method !== 'GET' && call.path.startsWith('/v2.0')
      const fails = isChange ? failing : undefined
      if (isChange) failing = undefined
      if (fails === 'before') return outgoing.destroy()
      const isToken = call.method === 'POST' && call.path === '/v3/auth/tokens'
      const reply = isToken ? keystone(call.body) : neutron(call)
      if (fails === 'after') return outgoing.destroy()
      outgoing.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers })
      return outgoing.end(reply.body === undefined ? '' : JSON.stringify(reply.body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    endpoint,
    credentials,
    network,
    issued,
    floatingIps,
    admits: (token) => good.has(token ?? ''),
    revokeAll: () => good.clear(),
    setTokenLife: (seconds) => (lifeSeconds = seconds),
    setOctavia: (at) => (octavia = at),
    failNext: (when) => (failing = when),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const tokenRequest = z.strictObject({
  auth: z.strictObject({
    identity: z.strictObject({
      methods: z.tuple([z.literal('application_credential')]),
      application_credential: z.strictObject({ id: z.string(), secret: z.string() }),
    }),
  }),
})

/** One service of the catalog, with an endpoint of each kind; only the public one leads anywhere. */
const serviceOf = (type: string, url: string) => ({
  id: randomUUID(),
  name: type,
  type,
  endpoints: (['admin', 'internal', 'public'] as const).map((face) => ({
    id: randomUUID(),
    interface: face,
    region: 'RegionOne',
    region_id: 'RegionOne',
    url: face === 'public' ? url : 'http://127.0.0.1:9/wrong',
  })),
})

interface Call {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly token: string | undefined
  readonly body: unknown
}

const read = async (incoming: IncomingMessage): Promise<Call> => {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://here')
  const token = incoming.headers['x-auth-token']
  return {
    method: incoming.method ?? '',
    path: pathname,
    query: searchParams,
    token: typeof token === 'string' ? token : undefined,
    body: text === '' ? undefined : JSON.parse(text),
  }
}

const refuse = (status: number, message: string): Reply => ({
  status,
  body: { error: { code: status, message }, NeutronError: { type: 'E', message, detail: '' } },
})

interface Neutron {
  readonly floatingIps: Map<string, FloatingIp>
  readonly network: string
  readonly project: string
}

const createRequest = z.strictObject({
  floatingip: z.strictObject({
    floating_network_id: z.uuid(),
    project_id: z.string(),
    port_id: z.uuid().optional(),
    // As the attribute is declared: 255 characters. Tags are no part of this call.
    description: z.string().max(255).optional(),
    floating_ip_address: z.ipv4().optional(),
  }),
})
const changeRequest = z.strictObject({
  floatingip: z.strictObject({ port_id: z.uuid().nullable() }),
})

const answerNeutron = (neutron: Neutron, call: Call): Reply => {
  const id = /^\/v2\.0\/floatingips\/([^/]+)$/.exec(call.path)?.[1]
  if (id === undefined) {
    if (call.path !== '/v2.0/floatingips') return refuse(404, 'The resource could not be found.')
    return call.method === 'POST' ? create(neutron, call.body) : list(neutron, call)
  }
  const there = neutron.floatingIps.get(id)
  if (there === undefined) return refuse(404, `Floating IP ${id} could not be found`)
  switch (call.method) {
    case 'GET':
      return { status: 200, body: { floatingip: there } }
    case 'DELETE':
      neutron.floatingIps.delete(id)
      return { status: 204 }
    case 'PUT':
      return change(neutron, there, call.body)
    default:
      return refuse(405, 'not allowed')
  }
}

const create = (neutron: Neutron, body: unknown): Reply => {
  const asked = createRequest.safeParse(body)
  if (!asked.success) return refuse(400, `Invalid input: ${asked.error.message}`)
  const wish = asked.data.floatingip
  if (wish.floating_network_id !== neutron.network) return refuse(404, 'Network not found')
  if (wish.project_id !== neutron.project) return refuse(403, 'Policy does not allow it')
  const used = [...neutron.floatingIps.values()]
  if (isTaken(used, wish.port_id)) return refuse(409, 'The fixed IP already has a floating IP')
  const free = Array.from({ length: 254 }, (_, index) => `203.0.113.${index + 1}`).find(
    (ip) => !used.some((each) => each.floating_ip_address === ip),
  )
  const ip = wish.floating_ip_address ?? free
  if (ip === undefined) return refuse(409, 'No more IP addresses available on network')
  if (used.some((each) => each.floating_ip_address === ip)) return refuse(409, 'IP in use')
  const made: FloatingIp = {
    id: randomUUID(),
    floating_ip_address: ip,
    floating_network_id: wish.floating_network_id,
    port_id: wish.port_id ?? null,
    description: wish.description ?? '',
    project_id: wish.project_id,
    status: 'ACTIVE',
  }
  neutron.floatingIps.set(made.id, made)
  return { status: 201, body: { floatingip: made } }
}

const isTaken = (used: readonly FloatingIp[], port: string | null | undefined): boolean =>
  port !== null && port !== undefined && used.some((each) => each.port_id === port)

const change = (neutron: Neutron, there: FloatingIp, body: unknown): Reply => {
  const asked = changeRequest.safeParse(body)
  if (!asked.success) return refuse(400, `Invalid input: ${asked.error.message}`)
  const others = [...neutron.floatingIps.values()].filter(({ id }) => id !== there.id)
  const { port_id } = asked.data.floatingip
  if (isTaken(others, port_id)) return refuse(409, 'The fixed IP already has a floating IP')
  const changed = { ...there, port_id }
  neutron.floatingIps.set(there.id, changed)
  return { status: 200, body: { floatingip: changed } }
}

const filters = ['project_id', 'description', 'port_id'] as const
const paging = ['limit', 'marker', 'sort_key', 'sort_dir']

const list = ({ floatingIps }: Neutron, { query }: Call): Reply => {
  const unknown = [...query.keys()].find(
    (name) => !paging.includes(name) && !filters.some((each) => each === name),
  )
  if (unknown !== undefined) return refuse(400, `${unknown} is invalid attribute for filtering`)
  const all = [...floatingIps.values()]
    .filter((each) => filters.every((name) => !query.has(name) || each[name] === query.get(name)))
    .toSorted((one, other) => (one.id < other.id ? -1 : 1))
  const after = all.findIndex(({ id }) => id === query.get('marker')) + 1
  const limit = Number(query.get('limit') ?? all.length)
  const page = all.slice(after, after + limit)
  const links = page.length === limit && limit > 0 ? [{ rel: 'next', href: 'http://next' }] : []
  return { status: 200, body: { floatingips: page, floatingips_links: links } }
}
