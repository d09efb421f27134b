import type { InjectOptions } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { adminToken, openApi, requested, type Api } from './rig/api.ts'

const service = '0b2c7d1e-64f3-4c55-8f2a-91d7e0a4b6c3'
const cluster = '5a8f7a52-0c1e-4a7b-9d1c-3a1f7c2b9e10'

let api: Api
let tokens: Record<Who, string | null>

type Who = 'anonymous' | 'forged' | 'stranger' | 'viewer' | 'admin' | 'operator'

beforeAll(async () => {
  api = await openApi()
  tokens = {
    anonymous: null,
    forged: `weir_${'0'.repeat(16)}_${'x'.repeat(43)}`,
    stranger: await api.tokenOf('globex', 'admin'),
    viewer: await api.tokenOf('acme', 'viewer'),
    admin: await api.tokenOf('acme', 'admin'),
    operator: adminToken,
  }
  await api.tell(service, requested(service, 'web'))
})
afterAll(() => api.close())

const own = '/v1/tenants/acme'
const driver = { name: 'matrix', kind: 'octavia', account: 'x', settings: {}, credentials: null }
const pool = { ranges: ['198.51.100.0/24'] }

// 200 stands for any success. A body that breaks a rule (400, 422) got past the door too.
const matrix: readonly [string, InjectOptions, Record<Who, number>][] = (
  [
    ['GET /v1/whoami', {}, [401, 401, 200, 200, 200, 200]],
    ['GET /v1/tenants', {}, [401, 401, 200, 200, 200, 200]],
    ['POST /v1/tenants', { payload: { tenant: 'acme' } }, [401, 401, 403, 403, 403, 200]],
    [`POST ${own}/tokens`, { payload: {} }, [401, 401, 404, 403, 200, 200]],
    ['GET /v1/pools', {}, [401, 401, 403, 403, 403, 200]],
    ['PUT /v1/pools/matrix', { payload: pool }, [401, 401, 403, 403, 403, 200]],
    ['DELETE /v1/pools/matrix', {}, [401, 401, 403, 403, 403, 200]],
    [`GET ${own}/clusters`, {}, [401, 401, 404, 200, 200, 200]],
    [
      `POST ${own}/clusters`,
      { payload: { id: cluster, name: 'x', kubeconfig: 'none' } },
      [401, 401, 404, 403, 422, 422],
    ],
    [`POST ${own}/clusters/${service}/approve-absence`, {}, [401, 401, 404, 403, 404, 404]],
    [`DELETE ${own}/clusters/${service}`, {}, [401, 401, 404, 403, 404, 404]],
    [
      `PATCH ${own}/clusters/${service}`,
      { payload: { driver: 'edge' } },
      [401, 401, 404, 403, 404, 404],
    ],
    ['GET /v1/drivers', {}, [401, 401, 200, 200, 200, 200]],
    ['POST /v1/drivers', { payload: driver }, [401, 401, 422, 403, 422, 422]],
    ['POST /v1/drivers/none/check', {}, [401, 401, 404, 404, 404, 404]],
    ['DELETE /v1/drivers/none', {}, [401, 401, 404, 404, 404, 404]],
    [`GET ${own}/load-balancers`, {}, [401, 401, 404, 200, 200, 200]],
    [`GET ${own}/load-balancers/${service}`, {}, [401, 401, 404, 200, 200, 200]],
    [`GET ${own}/events`, {}, [401, 401, 404, 200, 200, 200]],
    ['GET /v1/edges', {}, [401, 401, 403, 403, 403, 200]],
    ['POST /v1/edges/inspection', { payload: { compare: true } }, [401, 401, 403, 403, 403, 200]],
    ['GET /v1/gc/report', {}, [401, 401, 403, 403, 403, 200]],
    ['GET /v1/gc/explain?resource=x', {}, [401, 401, 403, 403, 403, 404]],
    ['POST /v1/gc/approve', {}, [401, 401, 403, 403, 403, 200]],
    ['POST /v1/gc/suspend', { payload: { why: 'x' } }, [401, 401, 403, 403, 403, 200]],
    [
      'POST /v1/gc/pause',
      { payload: { tenant: 'acme', why: 'x' } },
      [401, 401, 403, 403, 403, 200],
    ],
    ['POST /v1/gc/resume', { payload: { tenant: 'acme' } }, [401, 401, 403, 403, 403, 200]],
    ['POST /v1/gc/orders', { payload: { condemned: [service] } }, [401, 401, 403, 403, 403, 200]],
    ['GET /v1/check', {}, [401, 401, 403, 403, 403, 200]],
  ] satisfies [string, InjectOptions, number[]][]
).map(([route, options, codes]) => {
  const [method, url] = route.split(' ')
  const whos = ['anonymous', 'forged', 'stranger', 'viewer', 'admin', 'operator'] as const
  const expected = Object.fromEntries(whos.map((who, at) => [who, codes[at] ?? 0]))
  const request = { ...options, method, url } as InjectOptions
  return [route, request, expected as Record<Who, number>]
})

describe('who may do what', () => {
  test.each(matrix)('%s', async (_route, request, expected) => {
    const got: Record<string, number> = {}
    for (const [who, token] of Object.entries(tokens)) {
      const { statusCode } = await api.ask(token, request)
      got[who] = statusCode < 300 ? 200 : statusCode
    }
    expect(got).toEqual(expected)
  })

  test('every route of the description is in the matrix, but the live tail', async () => {
    const { paths } = (await api.ask(null, { url: '/openapi.json' })).json<{
      paths: Record<string, Record<string, unknown>>
    }>()
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    const shapeOf = (route: string): string =>
      route
        .replace('/tenants/acme', '/tenants/{tenant}')
        .replace('/pools/matrix', '/pools/{name}')
        .replace('/drivers/none', '/drivers/{name}')
        .replace(`/clusters/${service}`, '/clusters/{id}')
        .replace(`/load-balancers/${service}`, '/load-balancers/{service}')
        .replace('?resource=x', '')
    const tried = [
      ...matrix.map(([route]) => shapeOf(route)),
      'GET /v1/tenants/{tenant}/events/tail',
    ]
    expect(described.toSorted()).toEqual(tried.toSorted())
  })
})

describe("a tenant learns nothing of another's", () => {
  const without = (body: string, tenant: string): string =>
    body.replaceAll(tenant, 'X').replace(/"requestId":"[^"]*"/, '')

  test.each(matrix.filter(([route]) => route.includes(own)))(
    '%s answers as if the tenant did not exist',
    async (_route, request) => {
      const { url } = request as { url: string }
      const theirs = await api.ask(tokens.stranger, request)
      const nobody = { ...request, url: url.replace('/tenants/acme', '/tenants/nobody') }
      const none = await api.ask(tokens.stranger, nobody)
      expect(theirs.statusCode).toBe(none.statusCode)
      expect(without(theirs.body, 'acme')).toBe(without(none.body, 'nobody'))
    },
  )

  test('its live tail does not open either', async () => {
    const tail = await api.ask(tokens.stranger, { url: `${own}/events/tail` })
    expect(tail.statusCode).toBe(404)
  })

  test('it sees itself in the list of tenants, and nobody else', async () => {
    const { items } = (await api.ask(tokens.stranger, { url: '/v1/tenants' })).json<{
      items: unknown
    }>()
    expect(items).toEqual([{ tenant: 'globex', name: 'globex' }])
  })
})

describe('a token', () => {
  test.each([
    ['of another scheme', 'Basic b3BlcmF0b3I6eA=='],
    ['without a scheme', 'operator-token-of-this-test'],
    ['that is nearly the right one', 'Bearer operator-token-of-this-tesT'],
    ['that would reach into a path', 'Bearer weir_../../../../etc_x'],
  ])('%s is refused, and told how to ask', async (_what, authorization) => {
    const { statusCode, headers } = await api.app.inject({
      url: '/v1/whoami',
      headers: { authorization },
    })
    expect([statusCode, headers['www-authenticate']]).toEqual([401, 'Bearer'])
  })

  test('whose secret is changed by one character is refused', async () => {
    const token = tokens.viewer ?? ''
    const forged = token.slice(0, -2) + (token.endsWith('AA') ? 'BB' : 'AA')
    expect((await api.ask(forged, { url: '/v1/whoami' })).statusCode).toBe(401)
  })

  test('is not kept: the store has a hash of its secret', async () => {
    const secret = (tokens.viewer ?? '').split('_').slice(2).join('_')
    const kept = await api.store.vault.list('token/')
    expect(kept.length).toBeGreaterThan(0)
    for (const { tenant, name } of kept) {
      const text = Buffer.from((await api.store.vault.get(tenant, name)) ?? []).toString()
      expect(text).not.toContain(secret)
    }
  })

  test('is in the audit of its tenant before it works, without its secret', async () => {
    const token = await api.tokenOf('acme', 'viewer')
    const url = `${own}/events?type=TokenIssued`
    const { items } = (await api.ask(tokens.admin, { url })).json<{
      items: { data: { tokenId: string; role: string }; actor: string }[]
    }>()
    const last = items.at(-1)
    expect(token).toContain(last?.data.tokenId)
    expect(last).toMatchObject({ actor: 'user:operator', data: { role: 'viewer' } })
    expect(JSON.stringify(items)).not.toContain(token.split('_').slice(2).join('_'))
  })
})
