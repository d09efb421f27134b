import { systemClock, systemIds } from '@weir/kernel'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createEchoPod } from './echo-pod.ts'
import { createNodeProxy, type NodeProxy } from './node-proxy.ts'
import { createPodPlaces, type PodPlaces } from './pod-places.ts'
import type { NodePortRule, NodeRules } from './rules.ts'

const address = '127.41.7.1'
const nodePort = 30_180
let eligible = true
let troubles: string[] = []
let pods: PodPlaces
let proxy: NodeProxy

beforeEach(() => {
  eligible = true
  troubles = []
  pods = createPodPlaces()
  for (const n of [1, 2]) {
    const place = { namespace: 'default', node: `node-${n}`, address: `10.244.${n}.2` }
    pods.add({ ...place, uid: `uid-${n}`, name: `web-${n}` })
  }
  proxy = createNodeProxy({
    node: { name: 'node-1', address },
    pods,
    echo: createEchoPod(),
    eligible: () => eligible,
    clock: systemClock,
    ids: systemIds,
    onTrouble: (line) => troubles.push(line),
  })
})
afterEach(async () => {
  await proxy.close()
  pods.clear()
})

const rule = (more: Partial<NodePortRule> = {}): NodePortRule => ({
  service: 'default/web',
  protocol: 'TCP',
  address: undefined,
  port: nodePort,
  keepsClient: false,
  affinityMs: undefined,
  endpoints: [
    { address: '10.244.1.2', port: 80 },
    { address: '10.244.2.2', port: 80 },
  ],
  ...more,
})
const first = { endpoints: [{ address: '10.244.1.2', port: 80 }] }
const apply = async (ports: NodePortRule[], health?: NodeRules['health']): Promise<void> => {
  proxy.apply('default/web', { ports, health })
  await proxy.settled()
}
const dial = async (localAddress = '127.0.0.7'): Promise<Socket> => {
  const socket = connect({ port: nodePort, host: address, localAddress })
  await once(socket, 'connect')
  return socket
}
const say = async (socket: Socket, line: string): Promise<string> => {
  socket.write(`${line}\n`)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return chunk.toString()
}
const hear = async (localAddress?: string): Promise<string> => {
  const socket = await dial(localAddress)
  const answer = await say(socket, 'x')
  socket.destroy()
  return answer
}
const refused = () => expect(dial()).rejects.toThrow('ECONNREFUSED')
const get = async (port: number, path = '/'): Promise<[number, string, string | null]> => {
  const answer = await fetch(`http://${address}:${port}${path}`)
  const weight = answer.headers.get('x-load-balancing-endpoint-weight')
  return [answer.status, await answer.text(), weight]
}

test('policy Cluster shows the pod the node, Local the client', async () => {
  await apply([rule(first)])
  expect(await hear()).toMatch(/^pod=web-1 node=node-1 client=127\.41\.7\.1:\d+ protocol=tcp /)
  await apply([rule({ ...first, keepsClient: true })])
  expect(await hear()).toMatch(/^pod=web-1 node=node-1 client=127\.0\.0\.7:\d+ protocol=tcp /)
})

test('connections spread over the endpoints, and stay with one under ClientIP affinity', async () => {
  const podsOf = async (clients: string[]): Promise<Set<string | undefined>> => {
    const answers = await Promise.all(clients.map((client) => hear(client)))
    return new Set(answers.map((answer) => answer.split(' ')[0]))
  }
  await apply([rule()])
  const sixty = Array.from({ length: 60 }, () => '127.0.0.7')
  expect(await podsOf(sixty)).toEqual(new Set(['pod=web-1', 'pod=web-2']))
  await apply([rule({ affinityMs: 60_000 })])
  expect((await podsOf(sixty)).size).toBe(1)
})

test('a port without rule refuses, before, between and after', async () => {
  await refused()
  await apply([rule()])
  await hear()
  await apply([])
  await refused()
  await apply([rule()])
  await hear()
  proxy.apply('default/web', undefined)
  await proxy.settled()
  await refused()
})

test('an open connection outlives its rule and a pause, and ends with its pod', async () => {
  await apply([rule(first)])
  const socket = await dial()
  const reset = once(socket, 'error')
  await apply([])
  expect(await say(socket, 'still')).toContain('echo=still')
  await proxy.pause()
  expect(await say(socket, 'there')).toContain('echo=there')
  pods.remove('uid-1')
  expect(await reset).toEqual([expect.objectContaining({ code: 'ECONNRESET' })])
})

test('a paused proxy answers on no port until it is resumed, with what was applied meanwhile', async () => {
  await apply([rule()], { port: 31_180, service: 'default/web', localEndpoints: 1 })
  await proxy.pause()
  await refused()
  await expect(get(10_256, '/healthz')).rejects.toThrow('fetch failed')
  await expect(get(31_180)).rejects.toThrow('fetch failed')
  proxy.apply('default/web', { ports: [rule({ port: nodePort + 1 })], health: undefined })
  await proxy.resume()
  await refused()
  expect((await get(10_256, '/healthz'))[0]).toBe(200)
  const answer = await fetch(`http://${address}:${nodePort + 1}/`)
  expect(await answer.text()).toMatch(/^pod=web/)
})

test('an endpoint without a pod resets the connection', async () => {
  await apply([rule({ endpoints: [{ address: '10.244.9.9', port: 80 }] })])
  // The reset may overtake the moment in which the client learns that it is connected.
  await expect(hear()).rejects.toThrow('ECONNRESET')
})

test('UDP is answered from the node port, a flow by one pod, with the right source', async () => {
  const ask = async (udp: ReturnType<typeof createSocket>): Promise<string> => {
    udp.send('ping', nodePort, address)
    const [answer, from] = (await once(udp, 'message')) as [Buffer, { port: number }]
    expect(from.port).toBe(nodePort)
    return answer.toString()
  }
  await apply([rule({ protocol: 'UDP' })])
  const udp = createSocket('udp4')
  udp.bind(0, '127.0.0.8')
  await once(udp, 'listening')
  const before = await ask(udp)
  expect(before).toMatch(/client=127\.41\.7\.1:\d+ protocol=udp port=80 echo=ping$/)
  for (let at = 0; at < 10; at += 1) expect(await ask(udp)).toBe(before)
  await apply([rule({ protocol: 'UDP', keepsClient: true })])
  expect(await ask(udp)).toContain(`client=127.0.0.8:${udp.address().port} `)
  udp.close()
})

test('the health port of a Service tells its weight, and fails without ready local endpoints', async () => {
  const health = { port: 31_181, service: 'default/web' }
  await apply([], { ...health, localEndpoints: 3 })
  const [status, body, weight] = await get(31_181, '/any/path')
  expect([status, weight]).toEqual([200, '3'])
  expect(JSON.parse(body)).toEqual({
    service: { namespace: 'default', name: 'web' },
    localEndpoints: 3,
    serviceProxyHealthy: true,
  })
  await apply([], { ...health, localEndpoints: 0 })
  expect(await get(31_181)).toEqual([503, expect.stringContaining('"localEndpoints": 0'), '0'])
  await apply([])
  await expect(get(31_181)).rejects.toThrow('fetch failed')
})

test("the node's health follows its eligibility, its liveness does not", async () => {
  await proxy.settled()
  const [status, body] = await get(10_256, '/healthz')
  expect(status).toBe(200)
  expect(JSON.parse(body)).toEqual({
    lastUpdated: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \+0000 UTC$/),
    currentTime: expect.any(String),
    nodeEligible: true,
  })
  eligible = false
  expect(await get(10_256, '/healthz')).toEqual([
    503,
    expect.stringContaining('"nodeEligible": false'),
    null,
  ])
  expect((await get(10_256, '/livez'))[0]).toBe(200)
  expect((await get(10_256, '/metrics'))[0]).toBe(404)
})

test('a port that somebody else holds is told once and taken when it comes free', async () => {
  const holder = createServer().listen(nodePort, address)
  await once(holder, 'listening')
  await apply([rule(first)])
  await expect.poll(() => troubles.length).toBe(1)
  expect(troubles[0]).toContain(`cannot open tcp/${nodePort}`)
  holder.close()
  await expect.poll(async () => hear().catch(() => ''), { timeout: 5_000 }).toContain('pod=web-1')
  expect(troubles).toHaveLength(1)
})
