// Drivers as accounts: made, checked, hidden from others, taken away; and clusters that choose one.
import { rootCertificates } from 'node:tls'
import { platformTenant, tenantId } from '@weir/contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { adminToken, openApi, type Api } from '../rig/api.ts'

let api: Api
let acme: string
beforeEach(async () => {
  api = await openApi()
  acme = await api.tokenOf('acme', 'admin')
})
afterEach(() => api.close())

const canary = 'of-1234'
const wish = (over: object = {}) => ({
  name: 'cloud',
  kind: 'octavia',
  account: '1234',
  settings: { region: 'here' },
  credentials: { secret: canary },
  ...over,
})
const ask = (
  token: string,
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  url: string,
  body?: object,
) => api.ask(token, { method, url: `/v1${url}`, ...(body ? { payload: body } : {}) })
const make = (over?: object, token = adminToken) => ask(token, 'POST', '/drivers', wish(over))
const names = async (token: string): Promise<string[]> =>
  (await ask(token, 'GET', '/drivers'))
    .json<{ items: { name: string; removed: boolean }[] }>()
    .items.filter(({ removed }) => !removed)
    .map(({ name }) => name)
const acts = async (): Promise<string[]> =>
  (await api.store.log.after(platformTenant, 0, 100))
    .map(({ type }) => type)
    .filter((type) => type.startsWith('Driver'))

describe('a driver', () => {
  test('is made when its credentials are those of its account', async () => {
    const made = await make()
    expect(made.statusCode).toBe(200)
    expect(made.json()).toMatchObject({
      name: 'cloud',
      account: '1234',
      tenant: null,
      problem: null,
    })
    expect(await names(adminToken)).toEqual(['edge', 'cloud'])
    expect(await acts()).toEqual(['DriverConfigured'])
  })

  test.each<[string, object, number, string, string]>([
    ['of another account', { account: '99' }, 422, 'credentials-refused', 'not of 99'],
    ['that are refused', { credentials: { secret: 'x' } }, 422, 'credentials-refused', '401'],
    [
      'of another shape',
      { credentials: { token: 'x' } },
      422,
      'invalid-input',
      'credentials.secret',
    ],
    [
      'of a provider that is away',
      { credentials: { secret: 'of-nobody-there' } },
      503,
      'unavailable',
      'no answer',
    ],
    [
      'with settings unknown',
      { settings: { regoin: 'x' } },
      422,
      'invalid-input',
      'settings.region',
    ],
    ['of an unknown kind', { kind: 'azure' }, 400, 'invalid-request', 'kind'],
    ['for nobody', { tenant: 'ghost' }, 404, 'not-found', 'ghost'],
    ['called as our own', { name: 'edge' }, 409, 'reserved', 'edge'],
  ])(
    'with credentials %s is refused, and nothing is stored',
    async (_, over, status, code, says) => {
      const refused = await make(over)
      expect([refused.statusCode, refused.json<{ code: string }>().code]).toEqual([status, code])
      expect(refused.json<{ detail: string }>().detail).toContain(says)
      expect(await names(adminToken)).toEqual(['edge'])
      expect(await api.store.vault.list('driver-credentials/')).toEqual([])
      expect(await acts()).toEqual([])
    },
  )

  test('is given new credentials and settings, and keeps its account for ever', async () => {
    await make()
    expect((await make({ settings: { region: 'there' } })).statusCode).toBe(200)
    const moved = await make({ account: '99', credentials: { secret: 'of-99' } })
    expect([moved.statusCode, moved.json<{ code: string }>().code]).toEqual([409, 'other-account'])
    expect(await acts()).toEqual(['DriverConfigured', 'DriverConfigured'])
  })

  test('that is taken away makes nothing new, is still there to clean up, and can come back', async () => {
    await make()
    expect((await ask(adminToken, 'DELETE', '/drivers/cloud')).statusCode).toBe(204)
    expect((await ask(adminToken, 'DELETE', '/drivers/cloud')).statusCode).toBe(404)
    const { items } = (await ask(adminToken, 'GET', '/drivers')).json<{ items: object[] }>()
    expect(items).toContainEqual(expect.objectContaining({ name: 'cloud', removed: true }))
    expect((await ask(adminToken, 'POST', '/drivers/cloud/check')).json()).toMatchObject({
      status: 'ready',
    })
    await make()
    expect(await names(adminToken)).toEqual(['edge', 'cloud'])
  })

  test('of the platform itself stays', async () => {
    expect((await ask(adminToken, 'DELETE', '/drivers/edge')).statusCode).toBe(409)
  })

  test('is a fleet of edges that no other driver has, and has no credentials', async () => {
    const proxies = { name: 'proxies', kind: 'fleet', account: 'proxies', credentials: null }
    const settings = { dataPlane: 'envoy' }
    expect((await make({ ...proxies, settings })).json()).toMatchObject({ kind: 'fleet' })
    const taken = await make({ ...proxies, settings, name: 'other' })
    expect([taken.statusCode, taken.json<{ code: string }>().code]).toEqual([409, 'fleet-taken'])
    expect((await make({ ...proxies, settings, name: 'x', account: 'local' })).statusCode).toBe(409)
    expect((await make({ ...proxies, settings: { dataPlane: 'magic' } })).statusCode).toBe(422)
    expect((await make({ ...proxies, settings, name: 'y', account: 'z' }, acme)).statusCode).toBe(
      403,
    )
    expect(await names(adminToken)).toEqual(['edge', 'proxies'])
  })

  test('is checked with the credentials it has', async () => {
    await make()
    expect((await ask(adminToken, 'POST', '/drivers/cloud/check')).json()).toMatchObject({
      name: 'cloud',
      status: 'ready',
      account: '1234',
      found: 'Memory v1',
      problem: null,
    })
    expect((await ask(adminToken, 'POST', '/drivers/none/check')).statusCode).toBe(404)
  })
})

describe("a tenant's driver", () => {
  test("is the tenant's alone", async () => {
    const globex = await api.tokenOf('globex', 'admin')
    expect((await make({}, acme)).json()).toMatchObject({ tenant: 'acme' })
    expect(await names(acme)).toEqual(['edge', 'cloud'])
    expect(await names(globex)).toEqual(['edge'])
    for (const [method, url] of [
      ['POST', '/drivers/cloud/check'],
      ['DELETE', '/drivers/cloud'],
    ] as const) {
      expect((await ask(globex, method, url)).statusCode).toBe(404)
    }
    const taken = await make({}, globex)
    expect([taken.statusCode, taken.json<{ code: string }>().code]).toEqual([409, 'name-taken'])
  })

  test('is made by an admin, for no other tenant and for no address of ours', async () => {
    const viewer = await api.tokenOf('acme', 'viewer')
    await api.tokenOf('globex', 'admin')
    const codes = async (over: object, token: string) => (await make(over, token)).statusCode
    expect(await codes({}, viewer)).toBe(403)
    expect(await codes({ tenant: 'globex' }, acme)).toBe(404)
    expect(await codes({ tenant: null }, acme)).toBe(403)
    const inside = { region: 'x', endpoint: 'http://169.254.169.254/' }
    expect(await codes({ settings: inside }, acme)).toBe(403)
    expect(await acts()).toEqual([])
  })

  test("cannot be the platform's, whose account tenants do not see", async () => {
    await make()
    const { items } = (await ask(acme, 'GET', '/drivers')).json<{ items: object[] }>()
    const seen = { name: 'cloud', account: null, settings: null, problem: null }
    expect(items).toContainEqual(expect.objectContaining(seen))
    expect((await ask(acme, 'POST', '/drivers/cloud/check')).statusCode).toBe(403)
    expect((await ask(acme, 'DELETE', '/drivers/cloud')).statusCode).toBe(403)
    expect((await make({}, acme)).statusCode).toBe(409)
  })
})

describe('a cluster', () => {
  const id = '5a8f7a52-0c1e-4a7b-9d1c-3a1f7c2b9e10'
  const ca = {
    'certificate-authority-data': Buffer.from(rootCertificates[0] ?? '').toString('base64'),
  }
  const kubeconfig = JSON.stringify({
    'current-context': 'a',
    contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
    clusters: [{ name: 'a', cluster: { server: 'https://k8s.example:6443', ...ca } }],
    users: [{ name: 'a', user: { token: 'a-token' } }],
  })
  const connect = (driver?: string) =>
    ask(acme, 'POST', '/tenants/acme/clusters', { id, name: 'main', kubeconfig, driver })
  const change = (body: object) => ask(acme, 'PATCH', `/tenants/acme/clusters/${id}`, body)

  test('chooses a driver, and another one later', async () => {
    await make({}, acme)
    expect((await connect('cloud')).json()).toMatchObject({ driver: 'cloud' })
    const moved = await change({ driver: 'edge' })
    expect(moved.json()).toMatchObject({ driver: 'edge', name: 'main', defaultClass: true })
    expect((await change({ driver: 'edge' })).statusCode).toBe(200)
    const story = await api.store.log.after(tenantId.parse('acme'), 0, 100)
    const types = story.map(({ type }) => type).filter((type) => type.startsWith('Cluster'))
    expect(types).toEqual(['ClusterConnected', 'ClusterChanged'])
  })

  test("has no driver that is not there, is another tenant's, or was removed", async () => {
    await api.tokenOf('globex', 'admin')
    await make({ tenant: 'globex' })
    await connect()
    const refused = await change({ driver: 'cloud' })
    const nowhere = await change({ driver: 'ghost' })
    expect([refused.statusCode, nowhere.statusCode]).toEqual([422, 422])
    expect(refused.json<{ detail: string }>().detail.replace('cloud', 'ghost')).toBe(
      nowhere.json<{ detail: string }>().detail,
    )
    await make({ name: 'mine', tenant: 'acme' })
    await ask(acme, 'DELETE', '/drivers/mine')
    expect((await change({ driver: 'mine' })).statusCode).toBe(422)
    expect((await connect('cloud')).statusCode).toBe(422)
  })

  test('that is not connected cannot be changed', async () => {
    expect((await change({ driver: 'edge' })).statusCode).toBe(404)
  })
})

test('credentials are in no answer, event, failure or stored document', async () => {
  const secret = 'of-canary-7f3b9c'
  const over = { account: 'canary-7f3b9c', credentials: { secret } }
  const answers = [
    await make(over),
    await make({ ...over, settings: {} }),
    await make({ ...over, account: 'other' }),
    await make({ ...over, credentials: { secret, more: secret } }),
    await make({ ...over, credentials: { secret: [secret] } }),
    await ask(adminToken, 'GET', '/drivers'),
    await ask(adminToken, 'POST', '/drivers/cloud/check'),
    await ask(adminToken, 'GET', '/tenants/platform/events?limit=1000'),
  ]
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([
    200, 422, 409, 422, 422, 200, 200, 200,
  ])
  for (const { body } of answers) expect(body).not.toContain(secret)
  const log = await api.store.log.after(platformTenant, 0, 1000)
  expect(JSON.stringify([log, api.failures])).not.toContain(secret)
  const kept = await api.store.vault.get(platformTenant, 'driver-credentials/cloud')
  expect(Buffer.from(kept ?? []).toString()).not.toContain(secret)
})
