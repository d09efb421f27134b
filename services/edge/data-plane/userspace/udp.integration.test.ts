import { systemClock, systemIds } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { createAddresses, desiredOf, type Wish } from '../../rig/orders.ts'
import { askUdp, listenUdp, type Opened } from '../../rig/sockets.ts'
import { createUserspacePlane, type UserspaceLimits } from './userspace.ts'

const address = createAddresses()
const opened: Opened[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()))
})

const plane = (limits: Partial<UserspaceLimits> = {}) => {
  const made = createUserspacePlane({ clock: systemClock, ids: systemIds, limits })
  opened.push(made)
  return made
}
const node = async (name: string): Promise<string> => {
  const ip = address()
  opened.push(await listenUdp(ip, 30_053, (text, client) => `${name} ${client} ${text}`))
  return ip
}
const dns = (ips: readonly string[], more: Partial<Wish> = {}) => {
  const vip = address()
  const targets = ips.map((ip, at) => ({ node: `n${at + 1}`, ip, weight: 1 }))
  const frontends = [{ ip: vip, protocol: 'UDP', port: 53_053, nodePort: 30_053 }]
  const desired = desiredOf({ frontends, targets, ...more })
  return { vip, desired, targets: desired.targets, at: { host: vip, port: 53_053 } }
}
/** A client that keeps its port, so that its datagrams are one session. */
const client = async (): Promise<Socket> => {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  opened.push({ close: async () => void socket.close() })
  return socket
}
const ask = async (socket: Socket, at: { host: string; port: number }, text: string) => {
  const answer = once(socket, 'message', { signal: AbortSignal.timeout(3_000) })
  socket.send(text, at.port, at.host)
  return String((await answer)[0])
}

test('datagrams go to a node and answers come back from the frontend', async () => {
  const { desired, targets, at, vip } = dns([await node('n1')])
  expect(await plane().serve(desired, targets)).toEqual({ status: 'serving' })
  const socket = await client()
  const answer = once(socket, 'message')
  socket.send('who', at.port, at.host)
  const [payload, from] = await answer
  expect(String(payload)).toBe('n1 127.0.0.1 who')
  expect(from).toMatchObject({ address: vip, port: 53_053 })
})

test('a session stays with its node, sessions are shared among nodes', async () => {
  const { desired, targets, at } = dns([await node('n1'), await node('n2')])
  const edge = plane()
  await edge.serve(desired, targets)
  const one = await client()
  const names = new Set<string>()
  for (let each = 0; each < 6; each += 1) names.add((await ask(one, at, 'x')).slice(0, 2))
  expect(names.size).toBe(1)
  for (let each = 0; each < 6; each += 1) {
    names.add((await ask(await client(), at, 'x')).slice(0, 2))
  }
  expect(names.size).toBe(2)
  expect(edge.counters().udpSessions).toBe(7)
})

test('under Local the node sees the client, under Cluster the edge', async () => {
  const { desired, targets, at } = dns([await node('n1')], { policy: 'Local' })
  const edge = plane()
  await edge.serve(desired, targets)
  expect(await askUdp({ ...at, from: '127.0.0.7' }, 'a')).toBe('n1 127.0.0.7 a')
  await edge.serve({ ...desired, policy: 'Cluster' }, targets)
  expect(await askUdp({ ...at, from: '127.0.0.7' }, 'b')).toBe('n1 127.0.0.1 b')
})

test('every datagram is judged by the source ranges', async () => {
  const { desired, targets, at } = dns([await node('n1')], { sourceRanges: ['127.0.1.0/24'] })
  const edge = plane()
  await edge.serve(desired, targets)
  expect(await askUdp({ ...at, from: '127.0.1.4' }, 'in')).toContain('in')
  expect(await askUdp({ ...at, from: '127.0.2.4' }, 'out', 200)).toBeUndefined()
  expect(edge.counters().deniedBySource).toBe(1)
})

test('an idle session is forgotten, and its socket with it', async () => {
  const { desired, targets, at } = dns([await node('n1')])
  const edge = plane({ udpIdleMs: 80 })
  await edge.serve(desired, targets)
  await ask(await client(), at, 'x')
  expect(edge.counters().udpSessionsOpen).toBe(1)
  await eventually(() => edge.counters().udpSessionsOpen === 0)
})

test('beyond its limit of sessions a frontend takes no new one', async () => {
  const { desired, targets, at } = dns([await node('n1')])
  const edge = plane({ udpSessionsPerFrontend: 1 })
  await edge.serve(desired, targets)
  const first = await client()
  await ask(first, at, 'x')
  expect(await askUdp(at, 'y', 200)).toBeUndefined()
  expect(edge.counters().deniedByLimit).toBe(1)
  expect(await ask(first, at, 'z')).toContain('z')
})

test('a session whose node refuses goes to another node', async () => {
  const { desired, targets, at } = dns([address(), await node('n2')])
  const edge = plane()
  await edge.serve(desired, targets)
  const socket = await client()
  const heard: string[] = []
  socket.on('message', (payload) => heard.push(String(payload)))
  await eventually(() => {
    socket.send('x', at.port, at.host)
    return heard.some((text) => text.startsWith('n2'))
  })
})

test('without a usable node new clients get nothing, old sessions go on until they end', async () => {
  const { desired, targets, at } = dns([await node('n1')])
  const edge = plane({ udpIdleMs: 400 })
  await edge.serve(desired, targets)
  const old = await client()
  await ask(old, at, 'one')
  await edge.serve(desired, [])
  expect(await askUdp(at, 'new', 150)).toBeUndefined()
  expect(await ask(old, at, 'two')).toContain('two')
  // The frontend is free once the last session ended.
  const port = await eventually(() => listenUdp(at.host, at.port, (text) => text))
  await port.close()
  await edge.serve(desired, targets)
  expect(await askUdp(at, 'again')).toContain('again')
})

test('SCTP is refused in words, the other frontends are served', async () => {
  const { desired, targets, at } = dns([await node('n1')])
  const [udp] = desired.frontends
  const mixed = desiredOf({
    frontends: [udp!, { ...udp!, protocol: 'SCTP' }],
    targets: desired.targets,
  })
  const outcome = await plane().serve(mixed, targets)
  expect(outcome).toMatchObject({ status: 'refused' })
  expect(JSON.stringify(outcome)).toContain('not SCTP')
  expect(await askUdp(at, 'still')).toContain('still')
})

test('a frontend without a node port is refused in words, the other frontends are served', async () => {
  const { desired, targets, at } = dns([await node('n1')])
  const [udp] = desired.frontends
  const mixed = desiredOf({
    frontends: [udp!, { ip: udp!.ip, protocol: 'TCP', port: udp!.port }],
    targets: desired.targets,
  })
  const outcome = await plane().serve(mixed, targets)
  expect(outcome).toMatchObject({ status: 'refused' })
  expect(JSON.stringify(outcome)).toContain('it has none; allocate them')
  expect(await askUdp(at, 'still')).toContain('still')
})
