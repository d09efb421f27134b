import { ipAddress } from '@weir/contract'
import { systemClock, systemIds } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createAddresses, desiredOf, type Wish } from '../../rig/orders.ts'
import { askTcp, listenTcp, type Opened } from '../../rig/sockets.ts'
import { testDataPlane } from '../data-plane.conformance.ts'
import type { DataPlane } from '../data-plane.ts'
import { createUserspacePlane, type UserspaceLimits } from './userspace.ts'

testDataPlane('userspace', () => {
  const planes: DataPlane[] = []
  return {
    cutsDrained: true,
    open: async (drainMs) => {
      const made = createUserspacePlane({ clock: systemClock, ids: systemIds, limits: { drainMs } })
      planes.push(made)
      return made
    },
    close: async () => {
      await Promise.all(planes.map((each) => each.close()))
    },
  }
})

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
const node = async (onConnection: (socket: Socket) => void, port = 30_080): Promise<string> => {
  const ip = address()
  opened.push(await listenTcp(ip, port, onConnection))
  return ip
}
/** A node that says its name and where the connection came from, then ends. */
const naming = (name: string) => (socket: Socket) =>
  void socket.end(`${name} ${socket.remoteAddress}`)

const web = (ips: readonly string[], more: Partial<Wish> = {}) => {
  const vip = address()
  const targets = ips.map((ip, at) => ({ node: `n${at + 1}`, ip, weight: 1 }))
  const frontends = [{ ip: vip, protocol: 'TCP', port: 8080, nodePort: 30_080 }]
  const desired = desiredOf({ frontends, targets, ...more })
  return { vip, desired, targets: desired.targets, at: { host: vip, port: 8080 } }
}
const ended = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.once('close', () => resolve()))
const dialTo = async (at: { host: string; port: number }): Promise<Socket> => {
  const socket = connect({ ...at, allowHalfOpen: true })
  socket.on('error', () => undefined)
  opened.push({ close: async () => void socket.destroy() })
  await once(socket, 'connect')
  return socket
}

test('HTTP goes through, several requests on one connection too', async () => {
  const ip = address()
  const server = createServer((request, response) => response.end(`you asked ${request.url}`))
  server.listen(30_080, ip)
  await once(server, 'listening')
  opened.push({ close: async () => server.close().closeAllConnections() })
  const { desired, targets, vip } = web([ip])
  expect(await plane().serve(desired, targets)).toEqual({ status: 'serving' })
  for (const path of ['/a', '/b']) {
    const [response] = await once(get(`http://${vip}:8080${path}`), 'response')
    const body = await response.setEncoding('utf8').toArray()
    expect(body.join('')).toBe(`you asked ${path}`)
  }
})

test('a node at an address that is served here is no way for traffic, which would go in a ring', async () => {
  const vip = address()
  const targets = [{ node: 'ring', ip: vip, weight: 1 }]
  const frontends = [{ ip: vip, protocol: 'TCP', port: 30_080, nodePort: 30_080 }]
  const desired = desiredOf({ frontends, targets })
  const made = plane({ connectionsPerFrontend: 50 })
  await made.serve(desired, desired.targets)
  await ended(
    connect({ host: vip, port: 30_080 })
      .on('error', () => undefined)
      .resume(),
  )
  expect(made.counters()).toMatchObject({ connections: 1, unserved: 1 })
})

test('a node that shares its address with a frontend, on another port, is a node like any other', async () => {
  const ip = await node(naming('near'))
  const frontends = [{ ip, protocol: 'TCP', port: 8080, nodePort: 30_080 }]
  const desired = desiredOf({ frontends, targets: [{ node: 'near', ip, weight: 1 }] })
  await plane().serve(desired, desired.targets)
  expect(await askTcp({ host: ip, port: 8080 }, '')).toMatch(/^near/)
})

test('a client that ended its side still hears the answer', async () => {
  const ip = await node((socket) => {
    let heard = ''
    socket.on('data', (chunk) => (heard += chunk.toString()))
    socket.on('end', () => socket.end(`heard ${heard}`))
  })
  const { desired, targets, at } = web([ip])
  await plane().serve(desired, targets)
  expect(await askTcp(at, 'all of it')).toBe('heard all of it')
})

test('a node that ended its side still hears the client', async () => {
  let heard = ''
  const ip = await node((socket) => {
    socket.end('go on')
    socket.on('data', (chunk) => (heard += chunk.toString()))
  })
  const { desired, targets, at } = web([ip])
  await plane().serve(desired, targets)
  const socket = await dialTo(at)
  socket.resume()
  await once(socket, 'end')
  socket.end('after your end')
  await eventually(() => heard === 'after your end')
})

test.each(['client', 'node'] as const)(
  'a slow %s slows the sender, nothing is lost',
  async (slow) => {
    // More than all the kernel's buffers on the way hold, so an edge without back-pressure would keep it.
    const sent = Array.from({ length: 48 }, () => randomBytes(1_000_000))
    const expected = createHash('sha256')
    for (const block of sent) expected.update(block)
    const received = createHash('sha256')
    let bytes = 0
    const write = (socket: Socket): Socket => {
      for (const block of sent) socket.write(block)
      return socket.end()
    }
    const read = (socket: Socket): void => {
      socket.on('data', (chunk: Buffer) => {
        received.update(chunk)
        bytes += chunk.length
      })
    }
    const nodeSide: Socket[] = []
    const { desired, targets, at } = web([await node((socket) => void nodeSide.push(socket))])
    await plane().serve(desired, targets)
    const client = await dialTo(at)
    const [far] = await eventually(() => nodeSide.length === 1 && nodeSide)
    const [writer, reader] = slow === 'client' ? [write(far!), client] : [write(client), far!]
    let left = -1
    await eventually(async () => {
      const before = left
      left = writer.writableLength
      await systemClock.sleep(100)
      return left > 0 && left === before
    })
    read(reader)
    await eventually(() => bytes === 48_000_000)
    expect(received.digest('hex')).toBe(expected.digest('hex'))
  },
)

test('a client outside the source ranges is cut, and inside is served', async () => {
  const { desired, targets, at } = web([await node(naming('n1'))], {
    sourceRanges: ['127.0.1.0/24', '127.0.3.7/32'],
  })
  const edge = plane()
  await edge.serve(desired, targets)
  await expect(askTcp({ ...at, from: '127.0.2.1' })).rejects.toThrow('ECONNRESET')
  await expect(askTcp({ ...at, from: '127.0.3.8' })).rejects.toThrow('ECONNRESET')
  expect(await askTcp({ ...at, from: '127.0.1.9' })).toContain('n1')
  expect(await askTcp({ ...at, from: '127.0.3.7' })).toContain('n1')
  expect(edge.counters().deniedBySource).toBe(2)
})

test('a node that refuses costs the client nothing while another answers', async () => {
  const { desired, targets, at } = web([address(), await node(naming('n2'))])
  const edge = plane()
  await edge.serve(desired, targets)
  for (let each = 0; each < 4; each += 1) expect(await askTcp(at)).toContain('n2')
  expect(edge.counters().connectFailures).toBeGreaterThan(0)
})

test('under Local the node sees the client, under Cluster the edge', async () => {
  const { desired, targets, at } = web([await node(naming('n1'))], { policy: 'Local' })
  const edge = plane()
  await edge.serve(desired, targets)
  expect(await askTcp({ ...at, from: '127.0.0.7' })).toBe('n1 127.0.0.7')
  await edge.serve({ ...desired, policy: 'Cluster' }, targets)
  expect(await askTcp({ ...at, from: '127.0.0.7' })).toBe('n1 127.0.0.1')
})

test('beyond its limit of connections a frontend resets, and counts it', async () => {
  const { desired, targets, at } = web([await node((socket) => void socket.pipe(socket))])
  const edge = plane({ connectionsPerFrontend: 2 })
  await edge.serve(desired, targets)
  const [first] = [await dialTo(at), await dialTo(at)]
  await expect(askTcp(at)).rejects.toThrow('ECONNRESET')
  expect(edge.counters().deniedByLimit).toBe(1)
  first.destroy()
  await eventually(() => edge.counters().connectionsOpen === 1)
  expect(await askTcp(at, 'room again')).toBe('room again')
})

test('removal closes the frontend and cuts what goes through it', async () => {
  const { desired, targets, at } = web([await node((socket) => void socket.pipe(socket))])
  const edge = plane()
  await edge.serve(desired, targets)
  const old = await dialTo(at)
  old.write('x')
  await once(old, 'data')
  const closed = ended(old)
  await edge.remove(desired.marks.key)
  await closed
  await expect(askTcp(at)).rejects.toThrow('ECONNREFUSED')
  await eventually(() => edge.counters().connectionsOpen === 0)
})

test.each([
  ['a port that another program holds', 'in use by another program', async (vip: string) => vip],
  ['an address of another machine', 'is not an address of this edge', async () => '198.51.100.7'],
])('%s is refused in words', async (_name, words, ipOf) => {
  const { vip, desired, targets } = web([await node(naming('n1'))])
  const ip = await ipOf(vip)
  opened.push(await listenTcp(vip, 8080, () => undefined))
  const [frontend] = desired.frontends
  const outcome = await plane().serve(
    { ...desired, frontends: [{ ...frontend!, ip: ipAddress.parse(ip) }] },
    targets,
  )
  expect(outcome).toMatchObject({ status: 'refused' })
  expect(JSON.stringify(outcome)).toContain(words)
  expect(JSON.stringify(outcome)).toContain(`${ip}:8080/TCP`)
})

test('a reset of the node reaches the client as a reset', async () => {
  const ip = await node((socket) => void socket.once('data', () => socket.resetAndDestroy()))
  const { desired, targets, at } = web([ip])
  await plane().serve(desired, targets)
  await expect(askTcp(at, 'reset me')).rejects.toThrow('ECONNRESET')
})
