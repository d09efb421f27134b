// What tenants do: their clusters, their load balancers, their audit.
import { rootCertificates } from 'node:tls'
import { clusterId, event, streamOf, type DomainEvent } from '@weir/contract'
import { openSecret } from '@weir/runtime'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { acme, adminToken, masterKey, openApi, requested, said, type Api } from '../rig/api.ts'

const uid = (last: string): string => `0b2c7d1e-64f3-4c55-8f2a-${last.padStart(12, '0')}`
const [web, mail, gone] = [uid('a'), uid('b'), uid('c')]
const cluster = '5a8f7a52-0c1e-4a7b-9d1c-3a1f7c2b9e10'

let api: Api
let token: string
beforeEach(async () => {
  api = await openApi()
  token = await api.tokenOf('acme', 'admin')
})
afterEach(() => api.close())

const get = async <T>(url: string): Promise<T> => {
  const answer = await api.ask(token, { url: `/v1/tenants/acme${url}` })
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return answer.json<T>()
}

describe('a cluster', () => {
  const secret = 'a-token-that-nobody-may-read'
  const here = {
    server: 'https://k8s.acme.example:6443',
    'certificate-authority-data': Buffer.from(rootCertificates[0] ?? '').toString('base64'),
  }
  const kubeconfig = (user: object, server: object = {}): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
      clusters: [{ name: 'k', cluster: { ...here, ...server } }],
      users: [{ name: 'u', user }],
    })
  const connect = (text: string, more: object = {}, by = token) =>
    api.ask(by, {
      method: 'POST',
      url: '/v1/tenants/acme/clusters',
      payload: { id: cluster, name: 'production', kubeconfig: text, ...more },
    })

  test.for(['169.254.169.254/32', '127.0.0.0/8', '0.0.0.0/0', '::/0', 'fe80::/64'])(
    'of a tenant has no nodes in %s, where our own machines answer',
    async (block) => {
      const text = kubeconfig({ token: secret })
      const nodeCidrs = ['10.1.0.0/16', block]
      const refused = await connect(text, { nodeCidrs })
      expect(refused.statusCode).toBe(403)
      expect(refused.json()).toMatchObject({ code: 'reserved-network' })
      expect(await get('/clusters')).toEqual({ items: [] })
      expect((await connect(text, { nodeCidrs }, adminToken)).statusCode).toBe(200)
    },
  )

  test('is connected, and its credentials are sealed', async () => {
    const made = await connect(kubeconfig({ token: secret }))
    expect(made.statusCode).toBe(200)
    expect(made.body).not.toContain(secret)

    const name = `cluster-credentials/${cluster}`
    const kept = await api.store.vault.get(acme, name)
    if (!kept) throw new Error('nothing is kept')
    expect(Buffer.from(kept).toString()).not.toContain(secret)
    const context = { tenant: 'acme', cluster, field: 'credentials' }
    expect(await openSecret(masterKey, context, kept)).toContain(secret)

    const log = JSON.stringify(await api.store.log.after(acme, 0, 100))
    expect(log).toContain('ClusterConnected')
    expect(log).not.toContain(secret)
  })

  test('is listed until it is let go', async () => {
    await connect(kubeconfig({ token: secret }))
    const { items } = await get<{ items: object[] }>('/clusters')
    expect(items).toMatchObject([
      { id: cluster, tenant: 'acme', server: 'https://k8s.acme.example:6443', driver: 'edge' },
    ])
    const url = `/v1/tenants/acme/clusters/${cluster}`
    expect((await api.ask(token, { method: 'DELETE', url })).statusCode).toBe(204)
    expect((await get<{ items: object[] }>('/clusters')).items).toEqual([])
  })

  test('shows what is missing there, until it is back or approved', async () => {
    await connect(kubeconfig({ token: secret }))
    const shown = async () =>
      (await get<{ items: { missing: unknown }[] }>('/clusters')).items[0]?.missing
    const id = clusterId.parse(cluster)
    const stream = streamOf('cluster', id)
    let expectedVersion = 1
    const say = async (said: DomainEvent) => {
      await api.store.log.append({
        tenant: acme,
        commandId: `say/${expectedVersion}`,
        events: [{ stream, expectedVersion, event: said }],
        actor: 'watcher',
        correlationId: id,
        causationId: 'test',
      })
      expectedVersion += 1
    }
    expect(await shown()).toBeNull()
    for (const end of ['ServicesReturned', 'AbsenceApproved'] as const) {
      await say(event('ServicesMissing', { id, missing: 6, of: 10 }))
      expect(await shown()).toEqual({ missing: 6, of: 10 })
      await say(event(end, { id }))
      expect(await shown()).toBeNull()
    }
  })

  test('shows nodes that cannot answer clients, until somebody says anew who serves it', async () => {
    await connect(kubeconfig({ token: secret }))
    const shown = async () =>
      (await get<{ items: { failing: unknown }[] }>('/clusters')).items[0]?.failing
    const id = clusterId.parse(cluster)
    const failed = { driver: 'edge', pool: null, nodes: ['n1'], service: web, frontend: 'x' }
    await api.store.log.append({
      tenant: acme,
      commandId: 'say',
      events: [
        {
          stream: streamOf('cluster', id),
          expectedVersion: 1,
          event: said('DirectReturnFailed', { id, ...failed }),
        },
      ],
      actor: 'gc',
      correlationId: id,
      causationId: 'test',
    })
    expect(await shown()).toEqual([{ pool: null, nodes: ['n1'] }])
    const url = `/v1/tenants/acme/clusters/${cluster}`
    const patch = (payload: object) => api.ask(token, { method: 'PATCH', url, payload })
    await patch({ defaultClass: true })
    expect(await shown(), 'what changes nothing says nothing').toHaveLength(1)
    await patch({ driver: 'edge' })
    expect(await shown()).toEqual([])
  })

  test.each<[string, object, object]>([
    ['exec', { exec: { command: 'sh' } }, {}],
    ['auth-provider', { 'auth-provider': { name: 'gcp' } }, {}],
    ['client-key', { 'client-key': '/etc/passwd', 'client-certificate': '/etc/passwd' }, {}],
    ['tokenFile', { tokenFile: '/etc/passwd' }, {}],
    ['proxy-url', { token: secret }, { 'proxy-url': 'http://10.0.0.1' }],
    ['insecure-skip-tls-verify', { token: secret }, { 'insecure-skip-tls-verify': true }],
    ['certificate-authority', { token: secret }, { 'certificate-authority': '/etc/passwd' }],
    ['server', { token: secret }, { server: 'http://k8s.acme.example' }],
  ])('with %s is refused by that name, and nothing is kept', async (field, user, server) => {
    const refused = await connect(kubeconfig(user, server))
    expect(refused.statusCode).toBe(422)
    const { code, detail } = refused.json<{ code: string; detail: string }>()
    expect(code).toBe('invalid-input')
    expect(detail).toContain(field)
    expect(detail).not.toContain(secret)
    expect(await api.store.vault.list('cluster-credentials/')).toEqual([])
    expect((await get<{ items: object[] }>('/clusters')).items).toEqual([])
  })
})

describe('load balancers', () => {
  const refused = said('AddressTaken', {
    intentHash: 'a'.repeat(32),
    address: '198.51.100.7',
    holder: null,
  })
  const leases = [{ ip: '198.51.100.7', pool: 'public' }]
  const released = said('FrontendsReleased', { leases, frontends: [], quarantineUntil: null })

  interface Listed {
    readonly items: { name: string; status: string; statusText: string; reason: object | null }[]
    readonly nextCursor: string | null
  }
  const list = (query = ''): Promise<Listed> => get<Listed>(`/load-balancers${query}`)
  const names = async (query = ''): Promise<string[]> =>
    (await list(query)).items.map(({ name }) => name)

  beforeEach(async () => {
    await api.tell(web, requested(web, 'web'))
    await api.tell(mail, requested(mail, 'mail'), refused)
    await api.tell(
      gone,
      requested(gone, 'old'),
      said('ReleaseRequested', { reason: 'service-gone' }),
    )
    await api.tell(gone, released)
  })

  test('are listed without those that are gone, unless asked for', async () => {
    expect(await names()).toEqual(['web', 'mail'])
    expect(await names('?all=true')).toEqual(['web', 'mail', 'old'])
    expect(await names('?status=Released')).toEqual(['old'])
  })

  test('are found by name, namespace and status', async () => {
    expect(await names('?name=mail')).toEqual(['mail'])
    expect(await names('?namespace=shop&name=web')).toEqual(['web'])
    expect(await names('?namespace=other')).toEqual([])
    expect(await names('?status=Pending')).toEqual(['web', 'mail'])
  })

  test('are paged without loss or doubling', async () => {
    const seen: string[] = []
    let query = '?limit=1&all=true'
    for (let page = 0; page < 5; page += 1) {
      const { items, nextCursor } = await list(query)
      seen.push(...items.map(({ name }) => name))
      if (nextCursor === null) break
      query = `?limit=1&all=true&cursor=${nextCursor}`
    }
    expect(seen).toEqual(['web', 'mail', 'old'])
  })

  test('say why they are not as asked for, and what to do', async () => {
    const { items } = await list('?name=mail')
    expect(items).toMatchObject([
      {
        status: 'Pending',
        statusText: 'waits for an address',
        reason: { code: 'AddressTaken', fix: expect.stringContaining('ask for another') },
      },
    ])
  })

  test('show what has just been recorded', async () => {
    await api.tell(web, said('ReleaseRequested', { reason: 'service-deleted' }))
    expect((await list('?name=web')).items).toMatchObject([{ status: 'Releasing' }])
  })

  test('tell their whole story, also when they are gone', async () => {
    const told = await get<{ summary: string; story: { type: string; gist: string }[] }>(
      `/load-balancers/${gone}`,
    )
    expect(told.summary).toBe('shop/old is gone; nothing is held')
    expect(told.story.map(({ type, gist }) => [type, gist])).toEqual([
      ['LoadBalancerRequested', 'shop/old wants a load balancer'],
      ['ReleaseRequested', 'service-gone'],
      ['FrontendsReleased', '198.51.100.7'],
    ])
  })

  test('that never were are not found', async () => {
    const url = `/v1/tenants/acme/load-balancers/${uid('f')}`
    expect((await api.ask(token, { url })).statusCode).toBe(404)
  })
})

describe('the audit', () => {
  interface Page {
    readonly items: { sequence: number; type: string; correlationid: string }[]
    readonly nextAfter: number | null
  }
  const events = (query = ''): Promise<Page> => get<Page>(`/events${query}`)

  beforeEach(async () => {
    await api.tell(web, requested(web, 'web'))
    await api.tell(mail, requested(mail, 'mail'))
    await api.tell(web, said('ReleaseRequested', { reason: 'service-deleted' }))
  })

  test('is in the order of the log, from where one asks', async () => {
    const all = (await events()).items.map(({ sequence }) => sequence)
    expect(all).toEqual([1, 2, 3, 4]) // the token that asks is the first event
    expect((await events('?after=2')).items.map(({ sequence }) => sequence)).toEqual([3, 4])
  })

  test('is paged without loss or doubling', async () => {
    const seen: number[] = []
    for (let after: number | null = 0; after !== null;) {
      const page: Page = await events(`?limit=3&after=${after}`)
      seen.push(...page.items.map(({ sequence }) => sequence))
      after = page.nextAfter
    }
    expect(seen).toEqual([1, 2, 3, 4])
  })

  test("can be one Service's story", async () => {
    const { items } = await events(`?story=${web}`)
    expect(items.map(({ type }) => type)).toEqual(['LoadBalancerRequested', 'ReleaseRequested'])
    const second = await events(`?story=${web}&limit=1&after=${items[0]?.sequence}`)
    expect(second.items.map(({ type }) => type)).toEqual(['ReleaseRequested'])
  })

  test('can be of one type', async () => {
    const { items } = await events('?type=LoadBalancerRequested')
    expect(items.map(({ correlationid }) => correlationid)).toEqual([web, mail])
  })

  test.each(['?type=Nothing', '?after=-1', '?limit=0', '?limit=1001', '?after=x'])(
    '%s is refused by name',
    async (query) => {
      const answer = await api.ask(token, { url: `/v1/tenants/acme/events${query}` })
      const field = query.slice(1).split('=')[0]
      expect(answer.statusCode).toBe(400)
      expect(answer.json<{ detail: string }>().detail).toContain(`${field}: `)
    },
  )
})
