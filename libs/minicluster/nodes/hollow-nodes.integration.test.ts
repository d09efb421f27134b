import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deployment, eventually, get, service } from '../conformance/rig.conformance.ts'
import { startSimulatedMinicluster, type SimulatedMinicluster } from '../start.ts'
import { createApi, credentialsOf, type Api } from './api.ts'
import type { Service } from './objects.ts'

const address = '127.68.1.1'
let stateDir: string
let cluster: SimulatedMinicluster
let api: Api

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'weir-hollow-'))
  const nodes = [{ name: 'node-1', address }]
  cluster = await startSimulatedMinicluster({ stateDir, port: 0, nodes })
  api = createApi(credentialsOf(cluster.kubeconfig))
  const path = '/apis/apps/v1/namespaces/default/deployments'
  await api.call({ method: 'POST', path, body: deployment('web', 1) })
})
afterAll(async () => {
  await api.close()
  await cluster.stop()
  await rm(stateDir, { recursive: true, force: true })
})

const expose = async (name: string): Promise<number> => {
  const path = '/api/v1/namespaces/default/services'
  const made = await api.call<Service>({ method: 'POST', path, body: service(name) })
  return made.spec.ports?.[0]?.nodePort ?? 0
}
const answers = (port: number) =>
  eventually(async () => expect((await get(`http://${address}:${port}/`)).text).toMatch(/^pod=web/))

test('a Service made while watches drop and history is lost is served', async () => {
  await answers(await expose('before'))
  cluster.faults.dropWatches()
  const port = await expose('meanwhile')
  cluster.faults.expireHistory()
  await answers(port)
})

test('failed lists are asked again, and what was served goes on meanwhile', async () => {
  const port = await expose('steady')
  await answers(port)
  cluster.faults.failNext({ method: 'GET', path: /\/services/, count: 2 }, { status: 500 })
  cluster.faults.failNext({ method: 'GET', path: /\/endpointslices/, count: 2 }, { status: 429 })
  cluster.faults.expireHistory()
  cluster.faults.dropWatches()
  expect((await get(`http://${address}:${port}/`)).status).toBe(200)
  await answers(await expose('after'))
})

test('a write whose answer is lost is not done twice', async () => {
  const path = '/apis/apps/v1/namespaces/default/deployments/web'
  cluster.faults.loseAnswerOfNext({ method: 'POST', path: /\/binding$/ })
  cluster.faults.loseAnswerOfNext({ method: 'PATCH', path: /\/pods\/[^/]+\/status$/ })
  await api.call({ method: 'PATCH', path, body: { spec: { replicas: 2 } } })
  await eventually(async () => {
    const { status } = await api.call<{ status: object }>({ method: 'GET', path })
    expect(status).toMatchObject({ readyReplicas: 2 })
  })
})

test('a connection goes on when its endpoint is taken out, and ends with its pod', async () => {
  const port = await expose('long')
  await answers(port)
  const socket = connect({ host: address, port })
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
  const reset = new Promise<string>((resolve) =>
    socket.once('error', ({ message }) => resolve(message)),
  )
  socket.write('first\n')
  await expect.poll(() => heard).toContain('echo=first')
  const path = '/apis/apps/v1/namespaces/default/deployments/web'
  await api.call({ method: 'PATCH', path, body: { spec: { replicas: 0 } } })
  // Its last endpoint is leaving by now; the pod itself lives on until its grace is over.
  socket.write('second\n')
  await expect.poll(() => heard).toContain('echo=second')
  await eventually(async () => expect(get(`http://${address}:${port}/`)).rejects.toThrow('ECONNRE'))
  expect(await reset).toContain('ECONNRESET')
})
