// The API on a store in memory, with one tenant, its tokens and whatever story a test tells.
import {
  event,
  resourceKeyOf,
  driverName,
  serviceUid,
  streamOf,
  tenantId,
  type DomainEvent,
  type EventType,
  type ServiceUid,
  type StreamCategory,
  type TenantId,
} from '@weir/contract'
import { createMemoryStore, type Store } from '@weir/eventlog'
import { systemClock, systemIds } from '@weir/kernel'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import type { FleetReader } from '../routes/fleet.ts'
import { createApi } from '../server.ts'
import { memoryDrivers } from './drivers.ts'

export const adminToken = 'operator-token-of-this-test'
export const masterKey = new Uint8Array(32).fill(7)
export const acme = tenantId.parse('acme')

export interface Api {
  readonly app: FastifyInstance
  readonly store: Store
  /** What failed on our side, told to the log and not to the caller. */
  readonly failures: Readonly<Record<string, unknown>>[]
  /** What the edges and the audit say; a test may replace it. */
  readonly fleet: { current: FleetReader }
  /** Tells live tails that a tenant has news. */
  news(tenant: string): void
  /** Sends a request as the holder of `token`; null sends none. */
  ask(token: string | null, request: InjectOptions): Promise<LightMyRequestResponse>
  /** A token of a tenant, which is made if need be. */
  tokenOf(tenant: string, role: 'admin' | 'viewer'): Promise<string>
  /** Records events of one Service's story, each on the stream it belongs to. */
  tell(service: string, ...events: readonly DomainEvent[]): Promise<void>
  close(): Promise<void>
}

export const openApi = async (): Promise<Api> => {
  const clock = systemClock
  const store = createMemoryStore({ clock, ids: systemIds })
  const listeners = new Set<(tenant: string) => void>()
  const failures: Readonly<Record<string, unknown>>[] = []
  const stopped = new AbortController()
  const fleet: Api['fleet'] = {
    current: {
      edges: async () => [],
      inspect: async () => [],
      report: async () => ({ mode: 'apply', examined: 0, findings: [] }),
      explain: async () => undefined,
      suspects: async () => [],
    },
  }
  const app = await createApi({
    store,
    clock,
    ids: systemIds,
    adminToken,
    masterKey,
    drivers: memoryDrivers(store, masterKey),
    fleet: {
      edges: () => fleet.current.edges(),
      inspect: (compare) => fleet.current.inspect(compare),
      report: () => fleet.current.report(),
      explain: (resource) => fleet.current.explain(resource),
      suspects: () => fleet.current.suspects(),
    },
    onNews: (handle, signal) => {
      listeners.add(handle)
      signal.addEventListener('abort', () => listeners.delete(handle), { once: true })
    },
    onFailure: (fields) => failures.push(fields),
    signal: stopped.signal,
  })
  const ask: Api['ask'] = (token, request) =>
    app.inject({
      ...request,
      headers: {
        ...request.headers,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
    })
  return {
    app,
    store,
    failures,
    fleet,
    ask,
    news: (tenant) => listeners.forEach((handle) => handle(tenant)),
    tokenOf: async (tenant, role) => {
      await ask(adminToken, { method: 'POST', url: '/v1/tenants', payload: { tenant } })
      const url = `/v1/tenants/${tenant}/tokens`
      const made = await ask(adminToken, { method: 'POST', url, payload: { role } })
      return made.json<{ token: string }>().token
    },
    tell: (service, ...events) => tellStory(store, acme, serviceUid.parse(service), events),
    close: async () => {
      stopped.abort()
      await app.close()
    },
  }
}

const streamOfType = (type: EventType): StreamCategory => {
  if (['FinalizerAdded', 'StatusPublished', 'ReasonPublished', 'FinalizerRemoved'].includes(type))
    return 'status'
  return /^(Resource|Targets|Reconcile)/.test(type) ? 'resource' : 'lb'
}

const tellStory = async (
  store: Store,
  tenant: TenantId,
  service: ServiceUid,
  events: readonly DomainEvent[],
): Promise<void> => {
  for (const each of events) {
    const category = streamOfType(each.type)
    const id = category === 'resource' ? resourceKeyOf(driverName.parse('edge'), service) : service
    const stream = streamOf(category, id)
    const before = (await store.log.story(tenant, service)).filter((at) => at.subject === stream)
    await store.log.append({
      tenant,
      commandId: systemIds.uuid(),
      events: [{ stream, expectedVersion: before.length, event: each }],
      actor: 'test',
      correlationId: service,
      causationId: 'test',
    })
  }
}

/** An event from plain values. */
export const said = (type: EventType, data: unknown): DomainEvent => event(type, data as never)

/** A Service that asks for a load balancer, by name. */
export const requested = (service: string, name: string): DomainEvent =>
  said('LoadBalancerRequested', {
    cluster: '5a8f7a52-0c1e-4a7b-9d1c-3a1f7c2b9e10',
    serviceUid: service,
    namespace: 'shop',
    name,
    driver: 'edge',
    intent: intentOf(),
    intentHash: 'a'.repeat(32),
  })

export const intentOf = (changes: object = {}) => ({
  ports: [{ name: 'https', protocol: 'TCP', port: 443, nodePort: 30_443 }],
  externalTrafficPolicy: 'Cluster',
  healthCheckNodePort: null,
  sourceRanges: [],
  sessionAffinity: { kind: 'None' },
  ipFamilies: ['IPv4'],
  requestedAddress: null,
  requestedPool: null,
  proxyProtocol: 'none',
  invalid: [],
  ...changes,
})
