import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isObject, type Json, listAt, textAt } from './object.ts'
import { type SimulatedApiServer, startSimulatedApiServer } from './simulated.ts'
import { ask, reach, type Reach } from './upstream/reach.ts'

const services = '/api/v1/namespaces/default/services'

// What undici says of a connection that ended too early.
const cut = /other side closed|terminated|aborted|socket|ECONNRESET/

let folder: string
let server: SimulatedApiServer
let to: Reach

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weir-faulty-'))
  server = await startSimulatedApiServer({ stateDir: folder, port: 0 })
  to = reach(server.kubeconfig)
})

afterEach(async () => {
  await server.stop()
  await to.agent.destroy()
  rmSync(folder, { recursive: true })
})

const get = (path: string) => ask(to, { method: 'GET', path })

const create = (name: string) => {
  const body = { metadata: { name }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } }
  return ask(to, { method: 'POST', path: services, body })
}

const names = (list: Json): string[] =>
  listAt(list, 'items').map((one) => textAt(one, 'metadata', 'name'))

describe('it misbehaves when told to', () => {
  test('requests fail, count by count', async () => {
    server.faults.failNext(
      { method: 'GET', path: /services/, count: 2 },
      { status: 429, retryAfterSeconds: 3 },
    )
    expect((await get('/api/v1/nodes')).code).toBe(200)
    const failed = await request(`${server.server}${services}`, { dispatcher: to.agent })
    expect(failed.statusCode).toBe(429)
    expect(failed.headers['retry-after']).toBe('3')
    await failed.body.dump()
    expect((await get(services)).code).toBe(429)
    expect((await get(services)).code).toBe(200)
  })

  test('a request hangs until the faults are taken back', async () => {
    server.faults.hangNext({ path: /services/ })
    let settled = false
    const hanging = get(services).finally(() => (settled = true))
    await get('/api/v1/nodes')
    expect(settled).toBe(false)
    server.faults.clear()
    await expect(hanging).rejects.toThrow(cut)
  })

  test('a write is done though its answer is lost', async () => {
    server.faults.loseAnswerOfNext({ method: 'POST' })
    await expect(create('web')).rejects.toThrow(cut)
    expect((await get(`${services}/web`)).code).toBe(200)
  })

  test('lists lie', async () => {
    for (const name of ['a', 'b', 'c']) await create(name)
    server.faults.lieNext({ path: /services/ }, 'without-items')
    server.faults.lieNext({ path: /services/ }, 'empty')
    server.faults.lieNext({ path: /services/ }, 'partial')
    server.faults.lieNext({ path: /services/ }, 'truncated')
    const bodies = [await get(services), await get(services), await get(services)]
    expect(bodies.map(({ body }) => isObject(body) && body['items'] !== undefined)).toEqual([
      false,
      true,
      true,
    ])
    expect(bodies.map(({ body }) => names(body).length)).toEqual([0, 0, 2])
    await expect(get(services)).rejects.toThrow(cut)
    expect(names((await get(services)).body)).toHaveLength(4)
  })

  test('old state is served', async () => {
    server.faults.serveStale({ path: /services/ })
    await create('web')
    expect(names((await get(services)).body)).toEqual(['kubernetes'])
    expect((await get(`${services}/web`)).code).toBe(404)
    server.faults.clear()
    expect(names((await get(services)).body)).toEqual(['kubernetes', 'web'])
  })

  test('watches are dropped, torn and silenced', async () => {
    const path = `${services}?watch=true`
    const open = async (end: () => number): Promise<string> => {
      const response = await request(`${server.server}${path}`, { dispatcher: to.agent })
      const text = response.body.text()
      await expect.poll(end).toBe(1)
      return text
    }
    expect((await open(() => server.faults.dropWatches(/services/))).endsWith('\n')).toBe(true)
    expect((await open(() => server.faults.truncateWatches())).endsWith('"Ser')).toBe(true)
    const silent = open(() => server.faults.muteWatches())
    await expect.poll(() => server.faults.muteWatches()).toBe(1)
    await create('unseen')
    server.faults.clear()
    expect(await silent).not.toContain('unseen')
  })
})
