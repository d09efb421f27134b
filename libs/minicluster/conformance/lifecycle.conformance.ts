import { describe, expect, test } from 'vitest'
import type { Minicluster } from '../minicluster.ts'
import { at, core, deployment, eventually, get, service, type Rig } from './rig.conformance.ts'

interface Listed {
  readonly items: readonly unknown[]
}

const readiness = (rig: Rig): void => {
  test('the API server is ready and every node is registered Ready with its address', async () => {
    expect(await rig.ask('GET', '/readyz')).toEqual({ status: 200, body: 'ok' })
    for (const { name, address } of rig.cluster().nodes) {
      const { body } = await rig.ask('GET', `/api/v1/nodes/${name}`)
      expect(body).toMatchObject({
        metadata: { labels: { 'kubernetes.io/hostname': name } },
        status: {
          addresses: expect.arrayContaining([{ type: 'InternalIP', address }]),
          conditions: expect.arrayContaining([
            expect.objectContaining({ type: 'Ready', status: 'True' }),
          ]),
        },
      })
      const lease = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${name}`
      expect(at((await rig.ask('GET', lease)).body, 'spec.holderIdentity')).toBe(name)
    }
  })

  test('labels asked for beside the usual one are on the node', async () => {
    const [first] = rig.cluster().nodes
    const { body } = await rig.ask('GET', `/api/v1/nodes/${first?.name}`)
    expect(at(body, 'metadata.labels')).toMatchObject({ zone: 'z1' })
  })

  test('the cluster has an identity: the uid of kube-system', async () => {
    const { body } = await rig.ask('GET', '/api/v1/namespaces/kube-system')
    expect(at(body, 'metadata.uid')).toMatch(/^[0-9a-f-]{36}$/)
  })
}

/** All that must be the same after a stop and a start. */
const remembered = async (rig: Rig, path: string): Promise<unknown> => {
  const { server, kubeconfig } = rig.cluster()
  const read = async (what: string): Promise<unknown> => (await rig.ask('GET', what)).body
  const system = await read('/api/v1/namespaces/kube-system')
  return {
    server,
    kubeconfig,
    cluster: at(system, 'metadata.uid'),
    service: await read(path),
    // Not the whole list: its version moves with every change anywhere.
    nodes: ((await read('/api/v1/nodes')) as Listed).items.map((node) => at(node, 'metadata.uid')),
  }
}

const restarts = (rig: Rig): void => {
  test('starting again on the same folder finds everything as it was, and traffic flows', async () => {
    const namespace = await rig.namespace()
    const workload = deployment('web', 2)
    await rig.ask('POST', `/apis/apps/v1/namespaces/${namespace}/deployments`, { body: workload })
    const made = await rig.ask('POST', core(namespace, 'services'), { body: service('web') })
    const nodePort = at(made.body, 'spec.ports.0.nodePort') as number
    const answers = () =>
      eventually(async () => {
        for (const { address } of rig.cluster().nodes) {
          expect((await get(`http://${address}:${nodePort}/`)).text).toMatch(/^pod=web-/)
        }
      })
    await answers()
    const podsOf = async (): Promise<unknown[]> => {
      const { body } = await rig.ask('GET', core(namespace, 'pods'))
      return (body as Listed).items
        .map((pod) => [at(pod, 'metadata.uid'), at(pod, 'status.podIP'), at(pod, 'spec.nodeName')])
        .sort((a, b) => String(a).localeCompare(String(b)))
    }
    const path = core(namespace, 'services', 'web')
    const before = { pods: await podsOf(), ...((await remembered(rig, path)) as object) }
    await rig.restart()
    const after = { pods: await podsOf(), ...((await remembered(rig, path)) as object) }
    expect(after).toEqual(before)
    await answers()
  }, 90_000)

  test('a watch from before a restart misses nothing: it tells all, or says that it cannot', async () => {
    const path = core(await rig.namespace(), 'configmaps')
    const { body } = await rig.ask('GET', path)
    const version = at(body, 'metadata.resourceVersion') as string
    const one = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' } }
    await rig.ask('POST', path, { body: one })
    await rig.restart()
    const query = `watch=true&timeoutSeconds=5&resourceVersion=${version}`
    const events = await rig.watch(`${path}?${query}`, (seen) => seen.length > 0)
    const [first] = events.map(({ type, object }) =>
      type === 'ERROR' ? at(object, 'code') : at(object, 'metadata.name'),
    )
    expect([410, 'one']).toContain(first)
  }, 90_000)

  test('nothing listens any more after a stop', async () => {
    const { server, nodes }: Minicluster = rig.cluster()
    await rig.cluster().stop()
    await expect(get(server.replace('https', 'http'))).rejects.toThrow('ECONNREFUSED')
    for (const { address } of nodes) {
      await expect(get(`http://${address}:10256/healthz`)).rejects.toThrow('ECONNREFUSED')
    }
    await rig.start()
  }, 60_000)
}

export const lifecycleRules = (rig: Rig): void => {
  describe('readiness', () => {
    readiness(rig)
  })
  describe('stop and start', () => {
    restarts(rig)
  })
}
