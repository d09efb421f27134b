import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { identityOf } from '@weir/embedded'
import { eventually } from '@weir/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { obtainKubernetesBinaries } from './binaries.ts'
import type { KubernetesApiServer, KubernetesBinaries } from './kubernetes-api-server.ts'
import { startKubernetesApiServer } from './start.ts'

const stateDir = mkdtempSync(join(tmpdir(), 'weir-kubernetes-'))
let binaries: KubernetesBinaries
let cluster: KubernetesApiServer
const start = (): Promise<KubernetesApiServer> =>
  startKubernetesApiServer({ stateDir, port: 0, binaries, unsafeNoFsync: true })
beforeAll(async () => {
  binaries = await obtainKubernetesBinaries({ env: process.env })
  cluster = await start()
}, 900_000)
afterAll(async () => {
  await cluster?.stop()
  rmSync(stateDir, { recursive: true, force: true })
})

interface Answer {
  readonly status: number
  readonly body: string
}

/** Asks with nothing but what the kubeconfig holds, as kubectl would. */
const ask = (method: string, path: string, body?: unknown): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { clusters, users } = parse(cluster.kubeconfig) as {
      clusters: { cluster: Record<string, string> }[]
      users: { user: Record<string, string> }[]
    }
    const pem = (from: Record<string, string> | undefined, key: string): Buffer =>
      Buffer.from(from?.[key] ?? '', 'base64')
    const asked = request(
      `${clusters[0]?.cluster.server}${path}`,
      {
        method,
        agent: false,
        headers: { 'content-type': 'application/json' },
        ca: pem(clusters[0]?.cluster, 'certificate-authority-data'),
        cert: pem(users[0]?.user, 'client-certificate-data'),
        key: pem(users[0]?.user, 'client-key-data'),
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => (text += part))
        response.once('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
      },
    )
    asked.once('error', reject)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })

const configMap = (name: string): unknown => ({
  kind: 'ConfigMap',
  apiVersion: 'v1',
  metadata: { name },
})
const configMaps = '/api/v1/namespaces/default/configmaps'

test('the server says its version, so that kubectl can tell', async () => {
  const { body } = await ask('GET', '/version')
  expect(JSON.parse(body)).toMatchObject({ major: '1', minor: '36', gitVersion: 'v1.36.3' })
})

test('a pod can be made at once, on a node whose address is in 127.0.0.0/8', async () => {
  const node = { kind: 'Node', apiVersion: 'v1', metadata: { name: 'hollow' } }
  expect((await ask('POST', '/api/v1/nodes', node)).status).toBe(201)
  const status = { addresses: [{ type: 'InternalIP', address: '127.8.0.1' }] }
  expect((await ask('PUT', '/api/v1/nodes/hollow/status', { ...node, status })).status).toBe(200)
  const spec = { nodeName: 'hollow', containers: [{ name: 'echo', image: 'echo' }] }
  const pod = { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'echo' }, spec }
  expect((await ask('POST', '/api/v1/namespaces/default/pods', pod)).status).toBe(201)
})

test('nobody gives load balancers but weir', async () => {
  const spec = { type: 'LoadBalancer', ports: [{ port: 80 }], selector: { app: 'web' } }
  const service = { kind: 'Service', apiVersion: 'v1', metadata: { name: 'web' }, spec }
  const made = await ask('POST', '/api/v1/namespaces/default/services', service)
  expect(JSON.parse(made.body)).toMatchObject({ status: { loadBalancer: {} } })
  const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'
  await eventually(async () => (await ask('GET', slices)).body.includes('web-'))
  const seen = JSON.parse((await ask('GET', '/api/v1/namespaces/default/services/web')).body)
  expect(seen).toMatchObject({ status: { loadBalancer: {} } })
  expect(seen.metadata.finalizers).toBeUndefined()
})

test('objects, address and kubeconfig outlive a stop, and every process ends', async () => {
  expect((await ask('POST', configMaps, configMap('kept'))).status).toBe(201)
  const { server, kubeconfig } = cluster
  const pids = Object.values(cluster.pids())
  expect(pids).toHaveLength(3)
  await cluster.stop()
  await cluster.stop()
  expect(pids.filter((pid) => identityOf(pid) !== undefined)).toEqual([])
  cluster = await start()
  expect(cluster).toMatchObject({ server, kubeconfig })
  expect((await ask('GET', `${configMaps}/kept`)).status).toBe(200)
})

test('objects outlive a SIGKILL of every process', async () => {
  expect((await ask('POST', configMaps, configMap('survivor'))).status).toBe(201)
  for (const pid of Object.values(cluster.pids())) process.kill(pid, 'SIGKILL')
  await eventually(() => Object.keys(cluster.pids()).length === 0)
  cluster = await start()
  expect((await ask('GET', `${configMaps}/survivor`)).status).toBe(200)
})

test('a killed API server refuses connections until it is started again', async () => {
  await cluster.killApiServer()
  await expect(ask('GET', '/version')).rejects.toThrow('ECONNREFUSED')
  await cluster.startApiServer()
  expect((await ask('GET', '/version')).status).toBe(200)
})

test('a second start on a folder in use is refused and harms nothing', async () => {
  await expect(start()).rejects.toThrow(/already runs \(process \d+\)/)
  expect((await ask('GET', '/readyz')).status).toBe(200)
})

test('keys can be read by their owner only', () => {
  for (const path of ['', 'pki', 'pki/admin.key', 'pki/service-account.key']) {
    expect(statSync(join(stateDir, path)).mode & 0o077).toBe(0)
  }
})
