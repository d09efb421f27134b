import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { at, type Json, listAt, textAt } from './object.ts'
import { type SimulatedApiServer, startSimulatedApiServer } from './simulated.ts'
import { ask, type Asked, reach, type Reach } from './upstream/reach.ts'

const services = '/api/v1/namespaces/default/services'

let folder: string
let server: SimulatedApiServer
let to: Reach

const start = async (): Promise<void> => {
  server = await startSimulatedApiServer({ stateDir: folder, port: 0, bookmarkEveryMs: 50 })
  to = reach(server.kubeconfig)
}

const stop = async (): Promise<void> => {
  await server.stop()
  await to.agent.destroy()
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weir-simulated-'))
  await start()
})

afterEach(async () => {
  await stop()
  rmSync(folder, { recursive: true })
})

const get = (path: string) => ask(to, { method: 'GET', path })

const create = async (name: string): Promise<Json> => {
  const body = { metadata: { name }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } }
  const answer = await ask(to, { method: 'POST', path: services, body })
  expect(answer.code).toBe(201)
  return answer.body
}

const names = (list: Json): string[] =>
  listAt(list, 'items').map((one) => textAt(one, 'metadata', 'name'))

/** Reads a watch's events until one satisfies `last`, or the stream ends. */
const watch = async (path: string, last: (event: Json) => boolean): Promise<Json[]> => {
  const response = await request(`${server.server}${path}`, { dispatcher: to.agent })
  const events: Json[] = []
  let text = ''
  try {
    for await (const chunk of response.body) {
      text += String(chunk)
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) events.push(JSON.parse(line))
      const newest = events.at(-1)
      if (newest !== undefined && last(newest)) break
    }
  } finally {
    response.body.destroy()
  }
  return events
}

const ofType = (type: string) => (event: Json) => textAt(event, 'type') === type

describe('what was acknowledged is never lost', () => {
  test('starting again finds every object, revision and the same address', async () => {
    const before = await create('web')
    const { server: address, kubeconfig } = server
    await stop()
    await start()
    expect(server.server).toBe(address)
    expect(server.kubeconfig).toBe(kubeconfig)
    expect((await get(`${services}/web`)).body).toEqual(before)
    const after = await create('next')
    expect(Number(textAt(after, 'metadata', 'resourceVersion'))).toBeGreaterThan(
      Number(textAt(before, 'metadata', 'resourceVersion')),
    )
  })

  test('a line that a killed process left half written is dropped', async () => {
    await create('web')
    await stop()
    appendFileSync(join(folder, 'objects.journal'), '99\tservices\tdefault/half\t{"kind":"Serv')
    await start()
    expect(names((await get(services)).body)).toEqual(['kubernetes', 'web'])
    await create('after')
    await stop()
    await start()
    expect(names((await get(services)).body)).toEqual(['after', 'kubernetes', 'web'])
  })

  test('a killed process keeps every answered write', async () => {
    await stop()
    const module = new URL('simulated.ts', import.meta.url).href
    const code =
      `const { startSimulatedApiServer } = await import(${JSON.stringify(module)});` +
      `const s = await startSimulatedApiServer({ stateDir: ${JSON.stringify(folder)}, port: 0 });` +
      "process.stdout.write('ready')"
    const child = spawn(process.execPath, ['--input-type=module', '-e', code])
    await once(child.stdout, 'data')
    // The port and certificates are those of the folder, whoever serves it.
    to = reach(server.kubeconfig)
    const made = [1, 2, 3, 4, 5].map((n) => `web-${n}`)
    for (const name of made) await create(name)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await to.agent.destroy()
    await start()
    expect(names((await get(services)).body)).toEqual(['kubernetes', ...made])
  })
})

describe('only who may, can', () => {
  const bare = (path: string, token?: string) =>
    request(`${server.server}${path}`, {
      dispatcher: reach(server.kubeconfig.replaceAll(/client-(certificate|key)-data/g, 'x$1'))
        .agent,
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    })

  test('nobody is 401, but for health and version', async () => {
    expect((await bare(services)).statusCode).toBe(401)
    expect((await bare('/readyz')).statusCode).toBe(200)
    expect((await bare('/version')).statusCode).toBe(200)
    expect((await bare(services, 'not.a.token')).statusCode).toBe(401)
  })

  test('a service account may what its roles grant, until it is deleted', async () => {
    const base = '/api/v1/namespaces/default'
    const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default'
    const post = (path: string, body: NonNullable<Asked['body']>) =>
      ask(to, { method: 'POST', path, body })
    await post(`${base}/serviceaccounts`, { metadata: { name: 'robot' } })
    const issued = await post(`${base}/serviceaccounts/robot/token`, { spec: {} })
    const token = textAt(issued.body, 'status', 'token')
    expect((await bare(services, token)).statusCode).toBe(403)
    await post(`${rbac}/roles`, {
      metadata: { name: 'reader' },
      rules: [
        { apiGroups: [''], resources: ['services'], verbs: ['get', 'list'] },
        { apiGroups: [''], resources: ['services/status'], verbs: ['patch'] },
      ],
    })
    await post(`${rbac}/rolebindings`, {
      metadata: { name: 'reader' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'robot', namespace: 'default' }],
    })
    expect((await bare(services, token)).statusCode).toBe(200)
    expect((await bare(`${services}?watch=true`, token)).statusCode).toBe(403)
    expect((await bare('/api/v1/services', token)).statusCode).toBe(403)
    await ask(to, { method: 'DELETE', path: `${base}/serviceaccounts/robot` })
    expect((await bare(services, token)).statusCode).toBe(401)
  })
})

describe('lists and watches', () => {
  test('pages are of one revision, and a forgotten one is 410', async () => {
    for (const name of ['a', 'b', 'c']) await create(name)
    const first = (await get(`${services}?limit=2`)).body
    await create('aa')
    const token = textAt(first, 'metadata', 'continue')
    const second = (await get(`${services}?limit=2&continue=${token}`)).body
    expect([...names(first), ...names(second)]).toEqual(['a', 'b', 'c', 'kubernetes'])
    expect(textAt(second, 'metadata', 'continue')).toBe('')
    server.faults.expireHistory()
    expect((await get(`${services}?limit=2&continue=${token}`)).code).toBe(410)
  })

  test('a streamed list ends with its mark, and goes on', async () => {
    await create('web')
    const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan'
    const events = await watch(`${services}?${query}&allowWatchBookmarks=true`, ofType('BOOKMARK'))
    expect(events.map((event) => textAt(event, 'type'))).toEqual(['ADDED', 'ADDED', 'BOOKMARK'])
    const annotations = at(events[2], 'object', 'metadata', 'annotations')
    expect(annotations).toEqual({ 'k8s.io/initial-events-end': 'true' })
  })

  test('an object that comes to match is added, and one that no longer does is deleted', async () => {
    const made = await create('web')
    const from = textAt(made, 'metadata', 'resourceVersion')
    const label = (value: string | null) =>
      ask(to, {
        method: 'PATCH',
        path: `${services}/web`,
        patch: 'merge',
        body: { metadata: { labels: { watched: value } } },
      })
    await label('yes')
    await label(null)
    const path = `${services}?watch=true&resourceVersion=${from}&labelSelector=watched`
    const events = await watch(path, ofType('DELETED'))
    expect(events.map((event) => textAt(event, 'type'))).toEqual(['ADDED', 'DELETED'])
  })

  test('bookmarks come to those who allow them', async () => {
    const events = await watch(
      `${services}?watch=true&resourceVersion=0&allowWatchBookmarks=true`,
      ofType('BOOKMARK'),
    )
    expect(textAt(events.at(-1), 'object', 'kind')).toBe('Service')
  })

  test('a revision that is forgotten is 410 inside the stream', async () => {
    const made = await create('web')
    server.faults.expireHistory()
    const from = textAt(made, 'metadata', 'resourceVersion')
    const [event] = await watch(`${services}?watch=true&resourceVersion=${from}`, ofType('ERROR'))
    expect(event).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } })
  })

  test('a revision that is not yet is refused', async () => {
    const { code, body } = await get(`${services}?resourceVersion=99999`)
    expect(code).toBe(504)
    expect(textAt(body, 'message')).toContain('Too large resource version')
  })
})
