import { OperatingError } from '@weir/kernel'
import type { z } from 'zod'
import type { Budget } from '../budget.ts'
import { failed, retryAfterMs, type Answer, type Method } from './http.ts'
import type { Access, Keystone } from './keystone.ts'
import * as objects from './objects.ts'

export type Service = 'balancing' | 'network'

/** One call that changes something: all of it but the address of the cloud. */
export interface Change {
  readonly service: Service
  readonly method: Exclude<Method, 'GET'>
  /** Below the service's endpoint, such as `/v2/lbaas/pools/ID/members`. */
  readonly path: string
  readonly body?: unknown
}

type Query = Readonly<Record<string, string | readonly string[]>>

/**
 * The reads of one operation, each let through by `createReadGate`. Every list is complete or fails.
 */
export interface Reads {
  access(): Promise<Access>
  versions(): Promise<readonly { readonly id: string; readonly status: string }[]>
  balancers(query: Query): Promise<readonly objects.Balancer[]>
  /** One page in the provider's own order, and the marker of the next. */
  balancerPage(marker: string | null, limit: number): Promise<Page<objects.Balancer>>
  balancer(id: string): Promise<objects.Balancer | null>
  listeners(balancer: string): Promise<readonly objects.Listener[]>
  pools(balancer: string): Promise<readonly objects.Pool[]>
  members(pool: string): Promise<readonly objects.Member[]>
  monitors(query: Query): Promise<readonly objects.Monitor[]>
  monitor(id: string): Promise<objects.Monitor | null>
  floatingIps(query: Query): Promise<readonly objects.FloatingIp[]>
  floatingIpPage(marker: string | null, limit: number): Promise<Page<objects.FloatingIp>>
  floatingIp(id: string): Promise<objects.FloatingIp | null>
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | null
}

interface Lister {
  readonly service: Service
  readonly path: string
  /** The field of the answer that holds the list; its links are in `FIELD_links`. */
  readonly field: string
}

interface ReadPorts {
  readonly budget: Pick<Budget, 'hold'>
  /** Called before each read; see `createReadGate`. */
  readonly pass: () => void
}

/** More pages than any listing has that is not going in circles. */
const mostPages = 10_000
const listLimit = 1000

export const createReads = (keystone: Keystone, { budget, pass }: ReadPorts): Reads => {
  const get = async (service: Service, path: string): Promise<Answer> => {
    pass()
    const answer = await keystone.send((access) => ({
      method: 'GET',
      url: `${endpointOf(access, service)}${path}`,
    }))
    if (answer.status === 429) budget.hold('read', retryAfterMs(answer) ?? 1000)
    return answer
  }
  const one = async <T>(at: Lister, id: string, schema: z.ZodType<T>): Promise<T | null> => {
    const answer = await get(at.service, `${at.path}/${encodeURIComponent(id)}`)
    if (answer.status === 404) return null
    if (answer.status !== 200) throw failed(`read ${at.field} ${id}`, answer)
    return understand(schema, fieldOf(answer.body, at.field), `${at.field} ${id}`)
  }
  const page = async <T extends { readonly id: string }>(
    at: Lister,
    query: Query,
    schema: z.ZodType<T>,
  ): Promise<Page<T>> => {
    const plural = `${at.field}s`
    const answer = await get(at.service, `${at.path}?${queryText(query)}`)
    if (answer.status !== 200) throw failed(`list ${plural}`, answer)
    const rows = understand(schema.array(), fieldOf(answer.body, plural), plural)
    const last = rows.at(-1)
    const goesOn = hasNext(fieldOf(answer.body, `${plural}_links`))
    return { items: rows, next: goesOn && last !== undefined ? last.id : null }
  }
  const all = async <T extends { readonly id: string }>(
    at: Lister,
    query: Query,
    schema: z.ZodType<T>,
  ): Promise<readonly T[]> => {
    const items: T[] = []
    let marker: string | null = null
    for (let pages = 0; pages < mostPages; pages += 1) {
      const where: Query = marker === null ? query : { ...query, marker }
      const found: Page<T> = await page(at, { ...where, limit: String(listLimit) }, schema)
      items.push(...found.items)
      if (found.next === null) return items
      marker = found.next
    }
    throw new OperatingError(`cannot list ${at.field}s: the listing has no end`)
  }
  return {
    access: () => keystone.access(),
    versions: async () => {
      const answer = await get('balancing', '/')
      // Version lists are answered with 300 by some front ends.
      if (answer.status !== 200 && answer.status !== 300) throw failed('read versions', answer)
      return understand(objects.versionList, answer.body, 'versions').versions
    },
    balancers: (query) => all(balancers, query, objects.balancer),
    balancerPage: async (marker, limit) => {
      const { project } = await keystone.access()
      const query = { project_id: project, limit: String(limit) }
      return page(balancers, marker === null ? query : { ...query, marker }, objects.balancer)
    },
    balancer: (id) => one(balancers, id, objects.balancer),
    listeners: (of) => all(listeners, { loadbalancer_id: of }, objects.listener),
    pools: (of) => all(pools, { loadbalancer_id: of }, objects.pool),
    members: (of) =>
      all(
        { service: 'balancing', path: `/v2/lbaas/pools/${of}/members`, field: 'member' },
        {},
        objects.member,
      ),
    monitors: (query) => all(monitors, query, objects.monitor),
    monitor: (id) => one(monitors, id, objects.monitor),
    floatingIps: (query) => all(floatingIps, query, objects.floatingIp),
    floatingIpPage: async (marker, limit) => {
      const { project } = await keystone.access()
      const query = { project_id: project, limit: String(limit), sort_key: 'id', sort_dir: 'asc' }
      return page(floatingIps, marker === null ? query : { ...query, marker }, objects.floatingIp)
    },
    floatingIp: (id) => one(floatingIps, id, objects.floatingIp),
  }
}

const balancers: Lister = {
  service: 'balancing',
  path: '/v2/lbaas/loadbalancers',
  field: 'loadbalancer',
}
const listeners: Lister = { service: 'balancing', path: '/v2/lbaas/listeners', field: 'listener' }
const pools: Lister = { service: 'balancing', path: '/v2/lbaas/pools', field: 'pool' }
const monitors: Lister = {
  service: 'balancing',
  path: '/v2/lbaas/healthmonitors',
  field: 'healthmonitor',
}
const floatingIps: Lister = {
  service: 'network',
  path: '/v2.0/floatingips',
  field: 'floatingip',
}

/** Where a service is. @throws OperatingError when the cloud has none such */
export const endpointOf = (access: Access, service: Service): string => {
  const endpoint = access[service]
  if (endpoint !== null) return endpoint
  throw new OperatingError(`the cloud's catalog has no endpoint for ${service}`, {
    retry: { afterMs: 60_000 },
  })
}

const queryText = (query: Query): string =>
  Object.entries(query)
    .flatMap(([name, value]) =>
      (typeof value === 'string' ? [value] : value).map(
        (each) => `${name}=${encodeURIComponent(each)}`,
      ),
    )
    .join('&')

const fieldOf = (body: unknown, field: string): unknown =>
  typeof body === 'object' && body !== null
    ? Object.entries(body).find(([name]) => name === field)?.[1]
    : undefined

const understand = <T>(schema: z.ZodType<T>, value: unknown, what: string): T => {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const at = issue?.path.join('.') ?? ''
  throw new OperatingError(`cannot understand the cloud's ${what}: ${at} ${issue?.message ?? ''}`)
}

const hasNext = (links: unknown): boolean =>
  Array.isArray(links) &&
  links.some(
    (link: unknown) =>
      typeof link === 'object' && link !== null && 'rel' in link && link.rel === 'next',
  )
