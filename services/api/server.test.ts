import type { InjectOptions } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { adminToken, openApi, type Api } from './rig/api.ts'

let api: Api
beforeAll(async () => (api = await openApi()))
afterAll(() => api.close())

const json = { 'content-type': 'application/json' }

describe('whatever goes wrong is a problem (RFC 9457)', () => {
  test.each<[string, InjectOptions, number, string]>([
    ['no route', { url: '/v1/nothing' }, 404, 'not-found'],
    ['no route outside the API', { url: '/favicon.ico' }, 404, 'not-found'],
    ['another method', { method: 'PATCH', url: '/v1/pools/x' }, 404, 'not-found'],
    [
      'a rule broken in the path',
      { method: 'PUT', url: '/v1/pools/P_', payload: {} },
      400,
      'invalid-request',
    ],
    [
      'no JSON',
      { method: 'PUT', url: '/v1/pools/x', payload: '{', headers: json },
      400,
      'invalid-request',
    ],
    [
      'another media type',
      {
        method: 'PUT',
        url: '/v1/pools/x',
        payload: '<x/>',
        headers: { 'content-type': 'text/xml' },
      },
      415,
      'invalid-request',
    ],
    [
      'too much',
      { method: 'PUT', url: '/v1/pools/x', payload: `"${'x'.repeat(300_000)}"`, headers: json },
      413,
      'invalid-request',
    ],
    ['a URL that cannot be read', { url: '/v1/tenants/%zz/events' }, 400, 'invalid-request'],
  ])('%s', async (_what, request, status, code) => {
    const answer = await api.ask(adminToken, request)
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    const problem = answer.json<Record<string, string>>()
    expect(problem).toMatchObject({ status, code, type: `urn:weir:problem:${code}` })
    expect(problem['title']).not.toBe('Error')
    expect(problem['detail']?.length).toBeGreaterThan(5)
    expect(problem['requestId']).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('a failure of ours keeps its cause to the log', async () => {
    api.fleet.current = {
      ...api.fleet.current,
      report: async () => {
        throw new TypeError('x is not a function, password=hunter2')
      },
    }
    const answer = await api.ask(adminToken, { url: '/v1/gc/report' })
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([500, 'internal'])
    expect(answer.body).not.toContain('hunter2')
    expect(api.failures.at(-1)).toMatchObject({ url: '/v1/gc/report' })
  })
})

describe('the description', () => {
  interface Description {
    readonly openapi: string
    readonly paths: Record<string, Record<string, { parameters?: { in: string; name: string }[] }>>
  }

  test('is OpenAPI 3.1 and needs no token', async () => {
    const answer = await api.ask(null, { url: '/openapi.json' })
    expect(answer.statusCode).toBe(200)
    expect(answer.json<Description>().openapi).toBe('3.1.0')
  })

  test('names every parameter of every path', async () => {
    const { paths } = (await api.ask(null, { url: '/openapi.json' })).json<Description>()
    for (const [path, methods] of Object.entries(paths)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name))
      for (const { parameters = [] } of Object.values(methods)) {
        const inPath = parameters.filter((each) => each.in === 'path').map(({ name }) => name)
        expect(inPath.toSorted()).toEqual(named.toSorted())
      }
    }
  })

  test('refers to nothing that is not in it', async () => {
    const { body } = await api.ask(null, { url: '/openapi.json' })
    const description = JSON.parse(body) as object
    for (const [, pointer = ''] of body.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const found = pointer
        .split('/')
        .reduce<unknown>(
          (at, key) => (at as Record<string, unknown> | undefined)?.[key],
          description,
        )
      expect(found, pointer).toBeDefined()
    }
  })

  test('can be read in a browser', async () => {
    const page = await api.ask(null, { url: '/docs/' })
    expect([page.statusCode, page.headers['content-type']]).toEqual([
      200,
      expect.stringContaining('text/html'),
    ])
  })
})
