import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { HollowNode } from '../minicluster.ts'
import { at, core, deployment, eventually, get, service, type Rig } from './rig.conformance.ts'

const merge = 'application/merge-patch+json'
const client = '127.0.0.7'

interface Item {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string }
  readonly spec: { readonly nodeName?: string }
}

const threeOf = (rig: Rig): [HollowNode, HollowNode, HollowNode] => {
  const [a, b, c] = rig.cluster().nodes
  if (!a || !b || !c) throw new Error('the suite needs three nodes')
  return [a, b, c]
}

/** A namespace and what the tests do in it. */
const site = async (rig: Rig) => {
  const namespace = await rig.namespace()
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`
  const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`
  const items = async (path: string): Promise<Item[]> =>
    at((await rig.ask('GET', path)).body, 'items') as Item[]
  const patch = (path: string, body: object, contentType = merge) =>
    rig.ask('PATCH', path, { body, contentType })
  return {
    deploy: async (name: string, replicas: number, node?: HollowNode): Promise<void> => {
      const made = await rig.ask('POST', deployments, { body: deployment(name, replicas, node) })
      expect(made).toMatchObject({ status: 201 })
    },
    scale: (name: string, replicas: number) =>
      patch(`${deployments}/${name}`, { spec: { replicas } }),
    pods: () => items(core(namespace, 'pods')),
    pod: (name: string) => core(namespace, 'pods', name),
    patch,
    expose: async (name: string, spec: object = {}): Promise<unknown> => {
      const made = await rig.ask('POST', core(namespace, 'services'), { body: service(name, spec) })
      expect(made).toMatchObject({ status: 201 })
      return made.body
    },
    change: async (name: string, spec: object): Promise<unknown> =>
      (await patch(core(namespace, 'services', name), { spec })).body,
    remove: (name: string) => rig.ask('DELETE', core(namespace, 'services', name)),
    /** Endpoints of the Service by condition, such as `{ ready: 3 }`. */
    endpoints: async (name: string): Promise<Record<'ready' | 'leaving' | 'down', number>> => {
      const count = { ready: 0, leaving: 0, down: 0 }
      const path = `${slices}?labelSelector=kubernetes.io%2Fservice-name%3D${name}`
      for (const slice of await items(path)) {
        for (const endpoint of (at(slice, 'endpoints') as object[] | null) ?? []) {
          if (at(endpoint, 'conditions.ready') === true) count.ready += 1
          else if (at(endpoint, 'conditions.serving') === true) count.leaving += 1
          else count.down += 1
        }
      }
      return count
    },
  }
}

const url = (node: HollowNode, port: unknown, path = '/'): string =>
  `http://${node.address}:${String(port)}${path}`
const portOf = (body: unknown, index = 0): number =>
  at(body, `spec.ports.${index}.nodePort`) as number
const refused = (node: HollowNode, port: unknown): Promise<void> =>
  eventually(() => expect(get(url(node, port), client)).rejects.toThrow('ECONNREFUSED'))

const workloads = (rig: Rig): void => {
  test('a Deployment becomes running pods, spread over the nodes, and ready endpoints', async () => {
    const { deploy, pods, expose, endpoints } = await site(rig)
    await deploy('web', 3)
    await expose('web')
    await eventually(async () => expect(await endpoints('web')).toMatchObject({ ready: 3 }))
    const found = await pods()
    const nodes = new Set(found.map(({ spec }) => spec.nodeName))
    expect(nodes).toEqual(new Set(threeOf(rig).map(({ name }) => name)))
    for (const pod of found) {
      expect(pod).toMatchObject({
        status: { phase: 'Running', podIP: expect.stringMatching(/^10\.244\./) },
      })
    }
  })

  test('a pod that says it is not ready is no ready endpoint until it says it is', async () => {
    const { deploy, pods, pod, patch, expose, endpoints } = await site(rig)
    await deploy('web', 2)
    await expose('web')
    await eventually(async () => expect(await endpoints('web')).toMatchObject({ ready: 2 }))
    const name = (await pods())[0]?.metadata.name ?? ''
    const say = (ready: string | null) =>
      patch(pod(name), { metadata: { annotations: { 'hollow.weir.dev/ready': ready } } })
    await say('false')
    await eventually(async () =>
      expect(await endpoints('web')).toMatchObject({ ready: 1, down: 1 }),
    )
    await say(null)
    await eventually(async () => expect(await endpoints('web')).toMatchObject({ ready: 2 }))
  })

  test('a deleted pod is terminating for its grace period, then gone and replaced', async () => {
    const { deploy, pods, pod, expose, endpoints } = await site(rig)
    await deploy('web', 1)
    await expose('web')
    await eventually(async () => expect(await endpoints('web')).toMatchObject({ ready: 1 }))
    const name = (await pods())[0]?.metadata.name ?? ''
    await rig.ask('DELETE', pod(name))
    await eventually(async () => expect(await endpoints('web')).toMatchObject({ leaving: 1 }))
    await eventually(async () => {
      expect((await pods()).map((one) => one.metadata.name)).not.toContain(name)
      expect(await endpoints('web')).toEqual({ ready: 1, leaving: 0, down: 0 })
    })
  })

  test('a cordoned node gets no new pod, and one again when it is uncordoned', async () => {
    const { deploy, pods, scale, patch } = await site(rig)
    const [first] = threeOf(rig)
    const path = `/api/v1/nodes/${first.name}`
    await patch(path, { spec: { unschedulable: true } })
    await deploy('web', 4)
    const nodes = async () => {
      const names = (await pods()).map(({ spec }) => spec.nodeName ?? 'none')
      return { names: new Set(names), count: names.length, placed: !names.includes('none') }
    }
    try {
      await eventually(async () => expect(await nodes()).toMatchObject({ count: 4, placed: true }))
      expect((await nodes()).names.has(first.name)).toBe(false)
    } finally {
      await patch(path, { spec: { unschedulable: null } })
    }
    await scale('web', 6)
    await eventually(async () => expect((await nodes()).names.has(first.name)).toBe(true))
  })
}

const policies = (rig: Rig): void => {
  const ports = [
    { name: 'web', port: 80, targetPort: 9376 },
    { name: 'dns', port: 53, protocol: 'UDP' },
  ]

  test('policy Cluster: every node answers TCP, HTTP and UDP, and is the source the pod sees', async () => {
    const { deploy, expose, endpoints } = await site(rig)
    const [first, second, third] = threeOf(rig)
    await deploy('web', 2, second)
    const body = await expose('web', { ports })
    await eventually(async () => expect(await endpoints('web')).toMatchObject({ ready: 2 }))
    for (const node of [first, second, third]) {
      const seen = `node=${second.name} client=${node.address}:`
      await eventually(async () => {
        const { status, text } = await get(url(node, portOf(body)), client)
        expect([status, text]).toEqual([200, expect.stringContaining(seen)])
        expect(text).toContain('port=9376')
        expect(await overTcp(node, portOf(body))).toContain(seen)
        expect(await overUdp(node, portOf(body, 1))).toContain(seen)
      })
    }
  })

  test('policy Local: only nodes with pods answer, the pod sees the client, the weights tell all', async () => {
    const { deploy, expose, change, endpoints } = await site(rig)
    const [first, second, third] = threeOf(rig)
    await deploy('three', 3, first)
    await deploy('one', 1, second)
    const body = await expose('web', { ports })
    await eventually(async () => expect(await endpoints('web')).toMatchObject({ ready: 4 }))
    const local = await change('web', { externalTrafficPolicy: 'Local' })
    for (const node of [first, second]) {
      const seen = `node=${node.name} client=${client}:`
      await eventually(async () => {
        expect((await get(url(node, portOf(body)), client)).text).toContain(seen)
        expect(await overTcp(node, portOf(body))).toContain(seen)
        expect(await overUdp(node, portOf(body, 1))).toContain(seen)
      })
    }
    await refused(third, portOf(body))
    const health = at(local, 'spec.healthCheckNodePort') as number
    const weights: [HollowNode, number][] = [
      [first, 3],
      [second, 1],
      [third, 0],
    ]
    for (const [node, weight] of weights) {
      await eventually(async () => {
        const { status, headers, text } = await get(url(node, health, '/healthz'))
        expect(status).toBe(weight > 0 ? 200 : 503)
        expect(headers['x-load-balancing-endpoint-weight']).toBe(`${weight}`)
        expect(JSON.parse(text)).toMatchObject({
          service: { name: 'web' },
          localEndpoints: weight,
          serviceProxyHealthy: true,
        })
      })
    }
  })

  test('terminating pods still serve when they are the last, and fail the health check', async () => {
    const { deploy, scale, pods, expose, endpoints } = await site(rig)
    const [first] = threeOf(rig)
    await deploy('web', 1, first)
    const body = await expose('web', { externalTrafficPolicy: 'Local' })
    const health = at(body, 'spec.healthCheckNodePort') as number
    await eventually(async () => {
      expect(await endpoints('web')).toMatchObject({ ready: 1 })
      expect((await get(url(first, health))).status).toBe(200)
    })
    await scale('web', 0)
    await eventually(async () => {
      expect((await pods())[0]?.metadata.deletionTimestamp).toBeDefined()
      expect((await get(url(first, health))).status).toBe(503)
      expect((await get(url(first, portOf(body)))).text).toMatch(/^pod=web-/)
    })
    await refused(first, portOf(body))
  })

  test('a client with ClientIP affinity stays with its pod', async () => {
    const { deploy, expose, endpoints } = await site(rig)
    const [first] = threeOf(rig)
    await deploy('web', 3)
    const body = await expose('web', { sessionAffinity: 'ClientIP' })
    await eventually(async () => expect(await endpoints('web')).toMatchObject({ ready: 3 }))
    // The three endpoints may reach the node one after the other.
    await eventually(async () => {
      const answers = Array.from({ length: 15 }, () => get(url(first, portOf(body), '/hostname')))
      expect(new Set((await Promise.all(answers)).map(({ text }) => text)).size).toBe(1)
    })
  })

  test('without pods, after deletion and with a paused proxy nothing answers', async () => {
    const { deploy, expose, remove } = await site(rig)
    const [first, second] = threeOf(rig)
    const body = await expose('web')
    await refused(first, portOf(body))
    await deploy('web', 1)
    const answered = (node: HollowNode) =>
      eventually(async () => expect((await get(url(node, portOf(body)))).status).toBe(200))
    await answered(first)
    await first.pauseProxy()
    await refused(first, portOf(body))
    await refused(first, 10_256)
    await answered(second)
    await first.resumeProxy()
    await answered(first)
    await remove('web')
    await refused(first, portOf(body))
  })
}

const health = (rig: Rig): void => {
  test('a node that the autoscaler will delete fails its health, not its liveness', async () => {
    const [first] = threeOf(rig)
    const status = async (path: string) => (await get(url(first, 10_256, path))).status
    const taint = { key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule', value: '1' }
    const node = `/api/v1/nodes/${first.name}`
    expect(await status('/healthz')).toBe(200)
    const set = (taints: object[]) =>
      rig.ask('PATCH', node, { body: { spec: { taints } }, contentType: merge })
    await set([taint])
    await eventually(async () => expect(await status('/healthz')).toBe(503))
    expect(await status('/livez')).toBe(200)
    await set([])
    await eventually(async () => expect(await status('/healthz')).toBe(200))
  })
}

/** One line to a node port and back, from the client's address. */
const overTcp = async (node: HollowNode, port: number): Promise<string> => {
  const socket = connect({ host: node.address, port, localAddress: client })
  socket.end('hello\n')
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await once(socket, 'close')
  expect(text).toContain('echo=hello')
  return text
}

/** One datagram to a node port and back, from the client's address. */
const overUdp = async (node: HollowNode, port: number): Promise<string> => {
  const socket = createSocket('udp4')
  try {
    socket.bind(0, client)
    await once(socket, 'listening')
    socket.send('hello', port, node.address)
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(1_000) })) as [
      Buffer,
    ]
    expect(answer.toString()).toContain('echo=hello')
    return answer.toString()
  } finally {
    socket.close()
  }
}

export const trafficRules = (rig: Rig): void => {
  describe('workloads', () => {
    workloads(rig)
  })
  describe('traffic', () => {
    policies(rig)
  })
  describe('node health', () => {
    health(rig)
  })
}
