// What operators do: tenants, pools, reports and the check.
import { platformTenant, streamOf, tenantId } from '@weir/contract'
import { OperatingError } from '@weir/kernel'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { adminToken, openApi, type Api } from '../rig/api.ts'

let api: Api
beforeEach(async () => (api = await openApi()))
afterEach(() => api.close())

const ask = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object) =>
  api.ask(adminToken, { method, url, ...(payload ? { payload } : {}) })
const types = async (tenant = platformTenant): Promise<string[]> =>
  (await api.store.log.after(tenant, 0, 100)).map(({ type }) => type)

describe('a tenant', () => {
  test('is made once; asking again finds it as it is', async () => {
    const made = await ask('POST', '/v1/tenants', { tenant: 'acme', name: 'Acme Corporation' })
    expect([made.statusCode, made.json()]).toEqual([
      201,
      { tenant: 'acme', name: 'Acme Corporation' },
    ])
    const again = await ask('POST', '/v1/tenants', { tenant: 'acme', name: 'Other' })
    expect([again.statusCode, again.json()]).toEqual([200, made.json()])
    expect(await types()).toEqual(['TenantCreated'])
  })

  test.each(['Acme', 'a.b', '-a', '', 'a'.repeat(41)])('cannot be called %j', async (tenant) => {
    const refused = await ask('POST', '/v1/tenants', { tenant })
    expect(refused.statusCode).toBe(400)
    expect(refused.json()).toMatchObject({ code: 'invalid-request' })
    expect(refused.json<{ detail: string }>().detail).toContain('1-40 characters')
  })

  test('cannot be the platform', async () => {
    const refused = await ask('POST', '/v1/tenants', { tenant: 'platform' })
    expect([refused.statusCode, refused.json<{ code: string }>().code]).toEqual([409, 'reserved'])
  })

  test('that does not exist is not found by the operator either', async () => {
    expect((await ask('GET', '/v1/tenants/nobody/load-balancers')).statusCode).toBe(404)
    expect((await ask('POST', '/v1/tenants/nobody/tokens', {})).statusCode).toBe(404)
  })
})

describe('a pool', () => {
  const ranges = ['198.51.100.0/30', { first: '203.0.113.1', last: '203.0.113.9' }]

  test('has defaults, and every spelling of a range becomes one', async () => {
    const made = await ask('PUT', '/v1/pools/public', { ranges })
    expect(made.json()).toEqual({
      name: 'public',
      ranges: [{ block: '198.51.100.0/30' }, { first: '203.0.113.1', last: '203.0.113.9' }],
      priority: 100,
      tenants: null,
      quarantineSeconds: 60,
    })
  })

  test('is changed, and left alone when nothing changes', async () => {
    await ask('PUT', '/v1/pools/public', { ranges })
    await ask('PUT', '/v1/pools/public', { ranges })
    await ask('PUT', '/v1/pools/public', { ranges, priority: 10 })
    await ask('PUT', '/v1/pools/public', { quarantineSeconds: 60, priority: 10, ranges })
    expect(await types()).toEqual(['PoolCreated', 'PoolChanged'])
  })

  test('can be removed and made again', async () => {
    await ask('PUT', '/v1/pools/public', { ranges })
    expect((await ask('DELETE', '/v1/pools/public')).statusCode).toBe(204)
    expect((await ask('DELETE', '/v1/pools/public')).statusCode).toBe(404)
    await ask('PUT', '/v1/pools/public', { ranges })
    expect(await types()).toEqual(['PoolCreated', 'PoolRemoved', 'PoolCreated'])
  })

  test('tells how full it is', async () => {
    await ask('PUT', '/v1/pools/public', { ranges })
    const take = (key: string, holder: string) =>
      ({ change: 'take', scope: 'address', key, holder }) as const
    const append = (commandId: string, claims: readonly object[]) =>
      api.store.log.append({
        tenant: tenantId.parse('acme'),
        commandId,
        events: [],
        claims: claims as never,
        actor: 'test',
        correlationId: 'test',
        causationId: 'test',
      })
    await append('1', [take('198.51.100.1', 'a'), take('203.0.113.9', 'b'), take('192.0.2.1', 'c')])
    const rest = { change: 'release', scope: 'address', key: '203.0.113.9', restMs: 60_000 }
    await append('2', [{ ...rest, holder: 'b' }])
    const { items } = (await ask('GET', '/v1/pools')).json<{ items: unknown[] }>()
    expect(items).toMatchObject([{ name: 'public', size: '13', held: 1, resting: 1 }])
  })

  test.each<[unknown, string]>([
    ['198.51.100.7/24', 'ranges.0: "198.51.100.7/24" has bits set after the prefix; write'],
    ['198.51.100.0', 'ranges.0: "198.51.100.0" is not a CIDR such as 10.0.0.0/8'],
    [{ first: '198.51.100.9', last: '198.51.100.1' }, 'comes after 198.51.100.1'],
    [{ first: '198.51.100.9', last: '2001:db8::1' }, 'are of different families'],
    [{ first: '198.51.100.300', last: '198.51.101.1' }, '"198.51.100.300" is not an IPv4 or IPv6'],
    [7, 'ranges.0: Invalid input: expected string, received number'],
  ])('is refused with a range of %j, by the rule it breaks', async (range, rule) => {
    const refused = await ask('PUT', '/v1/pools/public', { ranges: [range] })
    expect(refused.statusCode).toBe(400)
    expect(refused.json<{ detail: string }>().detail).toContain(rule)
    expect(await types()).toEqual([])
  })

  test('of two operators who change it at once, none is answered without being recorded', async () => {
    await ask('PUT', '/v1/pools/public', { ranges })
    const codes = await Promise.all(
      [10, 20].map(async (priority) => {
        return (await ask('PUT', '/v1/pools/public', { ranges, priority })).statusCode
      }),
    )
    const changes = (await types()).filter((type) => type === 'PoolChanged')
    expect(changes).toHaveLength(codes.filter((code) => code === 200).length)
    expect(codes.filter((code) => code !== 200 && code !== 409)).toEqual([])
  })
})

describe('the report of what exists without a reason', () => {
  test('is as the audit gives it', async () => {
    const finding = { kind: 'foreign', ref: 'x', problem: 'never touched' }
    api.fleet.current = {
      ...api.fleet.current,
      report: async () => ({ examined: 1, findings: [finding] }),
    }
    const report = await ask('GET', '/v1/gc/report')
    expect(report.json()).toEqual({ examined: 1, findings: [finding] })
  })

  test('says when it cannot be made, and keeps the cause for the log', async () => {
    api.fleet.current = {
      ...api.fleet.current,
      report: async () => {
        const cause = new Error('connect ECONNREFUSED 10.1.2.3:4222')
        throw new OperatingError('cannot list fleet local', { cause })
      },
    }
    const failed = await ask('GET', '/v1/gc/report')
    expect(failed.statusCode).toBe(503)
    expect(failed.json()).toMatchObject({ code: 'unavailable', detail: 'cannot list fleet local' })
    expect(failed.body).not.toContain('ECONNREFUSED')
    expect(api.failures).toHaveLength(1)
  })
})

describe('the check', () => {
  interface Outcome {
    readonly part: string
    readonly level: string
    readonly hint: string | null
  }
  const check = async (): Promise<Record<string, Outcome>> => {
    const { items } = (await ask('GET', '/v1/check')).json<{ items: Outcome[] }>()
    return Object.fromEntries(items.map((item) => [item.part, item]))
  }
  const edge = (at: string) => ({
    fleet: 'local',
    edge: 'edge-1',
    dataPlane: 'userspace',
    startedAt: at,
    at,
    resources: [],
  })

  test('of an empty platform says what to do', async () => {
    const found = await check()
    expect(found['log']?.level).toBe('ok')
    expect(found['pools']).toMatchObject({
      level: 'failed',
      hint: expect.stringMatching(/^weir pool/),
    })
    expect(found['edges']?.level).toBe('failed')
  })

  test('of a healthy one has nothing to say', async () => {
    await ask('PUT', '/v1/pools/public', { ranges: ['198.51.100.0/30'] })
    const now = new Date(Date.now()).toISOString()
    api.fleet.current = { ...api.fleet.current, edges: async () => [edge(now)] }
    // Every consumer has seen what there is.
    const head = await api.store.log.head(platformTenant)
    for (const consumer of ['allocator', 'provisioner', 'relay']) {
      const batch = { consumer, tenant: platformTenant, from: 0, to: head, keys: [] }
      await api.store.work.ingest(batch)
    }
    const levels = Object.values(await check()).map(({ level }) => level)
    expect(new Set(levels)).toEqual(new Set(['ok']))
  })

  test('names an edge that fell silent, and a key that keeps failing', async () => {
    const [now, long] = [Date.now(), Date.now() - 60_000].map((at) => new Date(at).toISOString())
    api.fleet.current = {
      ...api.fleet.current,
      edges: async () => [edge(now ?? ''), { ...edge(long ?? ''), edge: 'edge-2' }],
    }
    const tenant = tenantId.parse('acme')
    const key = streamOf('lb', '0b2c7d1e-64f3-4c55-8f2a-91d7e0a4b6c3')
    await api.store.work.mark('allocator', tenant, [key])
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const claim = { consumer: 'allocator', worker: 'test', limit: 1, leaseMs: 1000 }
      const [item] = await api.store.work.claim(claim)
      if (item) await api.store.work.failed(item, { problem: 'no answer', afterMs: 0 })
    }
    const { items } = (await ask('GET', '/v1/check')).json<{
      items: (Outcome & { detail: string })[]
    }>()
    const warnings = items.filter(({ level }) => level === 'warning').map(({ detail }) => detail)
    expect(warnings.find((each) => each.startsWith('edge-2 was last heard of'))).toBeDefined()
    expect(
      warnings.find((each) => each.includes(`1 keys fail, such as ${key}: no answer`)),
    ).toBeDefined()
  })

  test('of a part that does not answer fails that part alone', async () => {
    api.fleet.current = {
      edges: async () => {
        throw new OperatingError('cannot read EDGE')
      },
      inspect: async () => [],
      report: async () => ({ mode: 'apply', findings: [], examined: 0 }),
      explain: async () => undefined,
      suspects: async () => [],
    }
    const found = await check()
    expect(found['edges']).toMatchObject({ level: 'failed', detail: 'cannot read EDGE' })
    expect(found['gc']?.level).toBe('ok')
  })

  test('says that cleanup only observes, and what to do about what it finds', async () => {
    const findings = ['orphan', 'unmarked', 'foreign'].map((kind) => ({ kind, ref: 'weir-1' }))
    const report = async () => ({ mode: 'observe', findings, examined: 3 })
    api.fleet.current = { ...api.fleet.current, report }
    const { items } = (await ask('GET', '/v1/check')).json<{ items: { part: string }[] }>()
    expect(items.find(({ part }) => part === 'gc')).toEqual({
      part: 'gc',
      level: 'warning',
      detail: '1 resources without a reason; cleanup only observes',
      hint: 'weir gc report, then weir gc approve',
    })
  })

  test('names what keeps resources that may have no reason any more', async () => {
    const held = [
      { driver: null, name: 'observing', why: 'nobody has approved cleanup yet' },
      { driver: 'aws', name: 'inventory-incomplete', why: 'cannot list aws' },
      { driver: null, name: 'services-missing', why: 'tenant acme: 6 of 10 Services' },
    ]
    const report = async () => ({ mode: 'observe', findings: [], examined: 0, held })
    api.fleet.current = { ...api.fleet.current, report }
    const { items } = (await ask('GET', '/v1/check')).json<{ items: { detail: string }[] }>()
    expect(items.map(({ detail }) => detail).slice(-3)).toEqual([
      'nothing exists without a reason; cleanup only observes',
      'driver aws: inventory-incomplete: cannot list aws',
      'services-missing: tenant acme: 6 of 10 Services',
    ])
  })
})
