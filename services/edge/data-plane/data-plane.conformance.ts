import { port } from '@weir/contract'
import { eventually } from '@weir/testing'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { createAddresses, desiredOf, type Wish } from '../rig/orders.ts'
import { askTcp, askUdp, listenTcp, listenUdp, type Opened } from '../rig/sockets.ts'
import type { DataPlane } from './data-plane.ts'

/** A data plane of this machine that forwards to addresses of the loopback. */
export interface PlaneUnderTest {
  /** Whether it may end a connection to a node whose drain is over. */
  readonly cutsDrained: boolean
  /** Those with one drain limit may share one. */
  open(drainMs: number): Promise<DataPlane>
  close(): Promise<void>
}

/** The promises of every data plane that is a proxy, with traffic. */
export const testDataPlane = (name: string, under: () => PlaneUnderTest): void => {
  describe(`every proxy: ${name}`, () => {
    const rig = createRig(under())
    afterEach(rig.tidy)
    afterAll(rig.end)
    testFrontends(rig)
    testFlows(rig)
    testClients(rig)
  })
}

const createRig = (under: PlaneUnderTest) => {
  const address = createAddresses()
  const opened: Opened[] = []
  const served: (() => Promise<void>)[] = []

  const node = async (onConnection: (socket: Socket) => void, at = 30_080): Promise<string> => {
    const ip = address()
    opened.push(await listenTcp(ip, at, onConnection))
    return ip
  }
  return {
    address,
    node,
    cutsDrained: under.cutsDrained,
    keep: (each: Opened) => void opened.push(each),
    plane: async (drainMs = 300_000): Promise<DataPlane> => {
      const plane = await under.open(drainMs)
      return {
        ...plane,
        serve: (desired, targets) => {
          served.push(() => plane.remove(desired.marks.key))
          return plane.serve(desired, targets)
        },
      }
    },
    web: (ips: readonly string[], more: Partial<Wish> = {}) => {
      const vip = address()
      const targets = ips.map((ip, at) => ({ node: `n${at + 1}`, ip, weight: 1 }))
      const frontends = [{ ip: vip, protocol: 'TCP', port: 8080, nodePort: 30_080 }]
      const desired = desiredOf({ frontends, targets, ...more })
      return { vip, desired, targets: desired.targets, at: { host: vip, port: 8080 } }
    },
    dial: async (at: { host: string; port: number }): Promise<Socket> => {
      const socket = connect({ ...at, allowHalfOpen: true })
      socket.on('error', () => undefined)
      opened.push({ close: async () => void socket.destroy() })
      await once(socket, 'connect')
      return socket
    },
    udpClient: async (): Promise<UdpSocket> => {
      const socket = createSocket('udp4')
      socket.bind(0, '127.0.0.1')
      await once(socket, 'listening')
      opened.push({ close: async () => void socket.close() })
      return socket
    },
    tidy: async () => {
      await Promise.all(served.splice(0).map((remove) => remove()))
      await Promise.all(opened.splice(0).map((each) => each.close()))
    },
    end: () => under.close(),
  }
}
type Rig = ReturnType<typeof createRig>

/** A node that says its name, then ends. */
const naming = (name: string) => (socket: Socket) => void socket.end(name)
const echo = (socket: Socket): void => void socket.pipe(socket)
/** By an end or a reset. */
const ended = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    for (const event of ['end', 'close']) socket.once(event, () => resolve())
  })
const say = async (socket: Socket, text: string): Promise<string> => {
  const answer = once(socket, 'data', { signal: AbortSignal.timeout(5_000) })
  socket.write(text)
  return String((await answer)[0])
}
/** Cut before a byte of a node came, whether by an end or a reset. */
const expectCut = async (asked: Promise<string>): Promise<void> => {
  expect(await asked.catch(() => '')).toBe('')
}

const testFrontends = (rig: Rig): void => {
  test('TCP and UDP share an address and a port', async () => {
    const ip = await rig.node(naming('tcp'))
    rig.keep(await listenUdp(ip, 30_053, (text) => `udp ${text}`))
    const { vip, at } = rig.web([ip])
    const both = desiredOf({
      frontends: [
        { ip: vip, protocol: 'TCP', port: 8080, nodePort: 30_080 },
        { ip: vip, protocol: 'UDP', port: 8080, nodePort: 30_053 },
      ],
      targets: [{ node: 'n1', ip, weight: 1 }],
    })
    const plane = await rig.plane()
    expect(await plane.serve(both, both.targets)).toEqual({ status: 'serving' })
    expect(await askTcp(at)).toBe('tcp')
    expect(await askUdp(at, 'hi')).toBe('udp hi')
  })

  test('the same order again changes nothing, and flows go on', async () => {
    const { desired, targets, at } = rig.web([await rig.node(echo)])
    const plane = await rig.plane()
    expect(await plane.serve(desired, targets)).toEqual({ status: 'serving' })
    const socket = await rig.dial(at)
    expect(await say(socket, 'one')).toBe('one')
    for (let each = 0; each < 3; each += 1) {
      expect(await plane.serve(desired, targets)).toEqual({ status: 'serving' })
    }
    expect(await say(socket, 'two')).toBe('two')
  })

  test('without a usable node the frontend refuses, and answers again when there is one', async () => {
    const { desired, targets, at } = rig.web([await rig.node(naming('n1'))])
    const plane = await rig.plane()
    await plane.serve(desired, [])
    await expect(askTcp(at)).rejects.toThrow('ECONNREFUSED')
    await plane.serve(desired, targets)
    expect(await askTcp(at)).toBe('n1')
    await plane.serve(desired, [])
    await expect(askTcp(at)).rejects.toThrow('ECONNREFUSED')
    await plane.serve(desired, targets)
    expect(await askTcp(at)).toBe('n1')
  })

  test('removal closes the frontend and cuts what goes through it; again is harmless', async () => {
    const { desired, targets, at } = rig.web([await rig.node(echo)])
    const plane = await rig.plane()
    await plane.serve(desired, targets)
    const old = await rig.dial(at)
    await say(old, 'x')
    const closed = ended(old)
    await plane.remove(desired.marks.key)
    await closed
    await expect(askTcp(at)).rejects.toThrow('ECONNREFUSED')
    await plane.remove(desired.marks.key)
  })

  test('a frontend that left the order frees its port for another resource', async () => {
    const first = rig.web([await rig.node(naming('first'))])
    const plane = await rig.plane()
    await plane.serve(first.desired, first.targets)
    const [frontend] = first.desired.frontends
    const moved = { ...first.desired, frontends: [{ ...frontend!, port: port.parse(8081) }] }
    const second = rig.web([await rig.node(naming('second'))])
    const heir = { ...second.desired, frontends: first.desired.frontends }
    expect(await plane.serve(heir, second.targets)).toMatchObject({ status: 'refused' })
    expect(await plane.serve(moved, first.targets)).toEqual({ status: 'serving' })
    expect(await plane.serve(heir, second.targets)).toEqual({ status: 'serving' })
    expect(await askTcp(first.at)).toBe('second')
    expect(await askTcp({ ...first.at, port: 8081 })).toBe('first')
  })

  test('a port that another program holds is refused in words, and served when it is free', async () => {
    const { vip, desired, targets, at } = rig.web([await rig.node(naming('n1'))])
    const other = await listenTcp(vip, 8080, () => undefined)
    const plane = await rig.plane()
    const outcome = await plane.serve(desired, targets)
    await other.close()
    expect(outcome).toMatchObject({ status: 'refused' })
    expect(JSON.stringify(outcome)).toContain(`${vip}:8080/TCP is in use by another program`)
    expect(await plane.serve(desired, targets)).toEqual({ status: 'serving' })
    expect(await askTcp(at)).toBe('n1')
  })

  test('an address of another machine is refused in words, and the rest is served', async () => {
    const { desired, targets, at } = rig.web([await rig.node(naming('n1'))])
    const far = { ip: '198.51.100.7', protocol: 'TCP', port: 8080, nodePort: 30_080 }
    const wish = desiredOf({ frontends: [...desired.frontends, far], targets: desired.targets })
    const plane = await rig.plane()
    const outcome = await plane.serve(wish, targets)
    expect(outcome).toMatchObject({
      status: 'refused',
      served: { addresses: [at.host], nodes: 1 },
    })
    expect(JSON.stringify(outcome)).toContain('is not an address of this edge')
    expect(await askTcp(at)).toBe('n1')
  })
}

const testFlows = (rig: Rig): void => {
  test('weights 3 to 1 give 75 and 25 of 100 over 400 connections', async () => {
    const ips = [await rig.node(naming('n1')), await rig.node(naming('n2'))]
    const { desired, targets, at } = rig.web(ips)
    const plane = await rig.plane()
    const weighted = targets.map((each, index) => ({ ...each, weight: index === 0 ? 3 : 1 }))
    await plane.serve(desired, weighted)
    const answers: string[] = []
    for (let round = 0; round < 20; round += 1) {
      answers.push(...(await Promise.all(Array.from({ length: 20 }, () => askTcp(at)))))
    }
    const first = answers.filter((name) => name === 'n1').length
    expect(answers).toHaveLength(400)
    expect(first).toBeGreaterThanOrEqual(280)
    expect(first).toBeLessThanOrEqual(320)
  })

  test('a node that refuses costs the client nothing while another answers', async () => {
    const { desired, targets, at } = rig.web([rig.address(), await rig.node(naming('n2'))])
    const plane = await rig.plane()
    await plane.serve(desired, targets)
    for (let each = 0; each < 6; each += 1) expect(await askTcp(at)).toBe('n2')
  })

  test('a removed node keeps its connections until the drain limit; new ones go elsewhere', async () => {
    const both = rig.web([await rig.node(echo), await rig.node(naming('n2'))])
    const plane = await rig.plane(1_500)
    await plane.serve(both.desired, both.targets.slice(0, 1))
    const old = await rig.dial(both.at)
    expect(await say(old, 'one')).toBe('one')
    const shrunk = { ...both.desired, generation: 2, targets: both.desired.targets.slice(1) }
    await plane.serve(shrunk, both.targets.slice(1))
    for (let each = 0; each < 3; each += 1) expect(await askTcp(both.at)).toBe('n2')
    expect(await say(old, 'two')).toBe('two')
    if (rig.cutsDrained) await ended(old)
  })

  test('a frontend that left the order keeps its connections until the drain limit', async () => {
    const { desired, targets, at } = rig.web([await rig.node(echo)])
    const plane = await rig.plane(1_500)
    await plane.serve(desired, targets)
    const old = await rig.dial(at)
    expect(await say(old, 'one')).toBe('one')
    const [frontend] = desired.frontends
    const moved = { ...desired, frontends: [{ ...frontend!, port: port.parse(8081) }] }
    await plane.serve(moved, targets)
    expect(await say(old, 'two')).toBe('two')
    await expectCut(askTcp(at, 'new'))
    await ended(old)
    await eventually(async () => {
      await expect(askTcp(at)).rejects.toThrow('ECONNREFUSED')
      return true
    })
  })

  test('health alone cuts nothing, even the health of all', async () => {
    const { desired, targets, at } = rig.web([await rig.node(echo), await rig.node(naming('n2'))])
    const plane = await rig.plane(1)
    await plane.serve(desired, targets.slice(0, 1))
    const old = await rig.dial(at)
    expect(await say(old, 'one')).toBe('one')
    await plane.serve(desired, targets.slice(1))
    for (let each = 0; each < 5; each += 1) expect(await askTcp(at)).toBe('n2')
    await plane.serve(desired, [])
    await expectCut(askTcp(at, 'new'))
    expect(await say(old, 'two')).toBe('two')
    await plane.serve(desired, targets)
    expect(await say(old, 'three')).toBe('three')
  })

  test('hundreds of updates break none of a hundred connections', async () => {
    const { desired, targets, at } = rig.web([await rig.node(echo), await rig.node(echo)])
    const plane = await rig.plane()
    await plane.serve(desired, targets)
    const sockets = await Promise.all(Array.from({ length: 100 }, () => rig.dial(at)))
    for (const socket of sockets) expect(await say(socket, 'one')).toBe('one')
    const ranges = rig.web([], { sourceRanges: ['127.0.0.0/8'] }).desired.sourceRanges
    for (let generation = 2; generation < 302; generation += 1) {
      const sourceRanges = generation % 3 === 0 ? ranges : []
      const weighted = targets.map((each, node) => ({
        ...each,
        weight: 1 + ((generation + node) % 5),
      }))
      await plane.serve({ ...desired, generation, sourceRanges }, weighted.slice(generation % 2))
    }
    for (const socket of sockets) expect(await say(socket, 'two')).toBe('two')
  })

  test('a changed node port is for new connections, and the frontend never closes', async () => {
    const ip = await rig.node(echo)
    rig.keep(await listenTcp(ip, 30_081, naming('moved')))
    const { desired, targets, at } = rig.web([ip])
    const plane = await rig.plane()
    await plane.serve(desired, targets)
    const old = await rig.dial(at)
    expect(await say(old, 'one')).toBe('one')
    const [frontend] = desired.frontends
    const moved = { ...desired, frontends: [{ ...frontend!, nodePort: port.parse(30_081) }] }
    await plane.serve(moved, targets)
    expect(await askTcp(at)).toBe('moved')
    expect(await say(old, 'two')).toBe('two')
  })

  test('a change of affinity or of the PROXY protocol is for new connections', async () => {
    const { desired, targets, at } = rig.web([await rig.node(echo)])
    const plane = await rig.plane(1)
    await plane.serve(desired, targets)
    const old = await rig.dial(at)
    expect(await say(old, 'one')).toBe('one')
    const affinity = { kind: 'ClientIP', timeoutSeconds: 60 } as const
    await plane.serve({ ...desired, affinity, proxyProtocol: 'v2' }, targets)
    expect(await askTcp(at, 'new')).toMatch(/^\r\n\r\n\0\r\nQUIT\n.*new$/s)
    expect(await say(old, 'two')).toBe('two')
  })

  test('a session of UDP stays with its node, sessions are shared among nodes', async () => {
    const ips = [rig.address(), rig.address()]
    for (const ip of ips) rig.keep(await listenUdp(ip, 30_080, (text) => `${ip} ${text}`))
    const { desired, targets, at } = rig.web(ips)
    const wish = { ...desired, frontends: desired.frontends.map(asUdp) }
    const plane = await rig.plane()
    await plane.serve(wish, targets)
    const perClient = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const socket = await rig.udpClient()
        const heard = new Set<string>()
        for (let each = 0; each < 4; each += 1) {
          const answer = once(socket, 'message', { signal: AbortSignal.timeout(3_000) })
          socket.send('x', at.port, at.host)
          heard.add(String((await answer)[0]))
        }
        return [...heard]
      }),
    )
    expect(perClient.map((heard) => heard.length)).toEqual(perClient.map(() => 1))
    expect(new Set(perClient.flat()).size).toBe(2)
  })
}
const asUdp = <T extends { readonly protocol: string }>(at: T) => ({
  ...at,
  protocol: 'UDP' as const,
})

const testClients = (rig: Rig): void => {
  test('a client outside the source ranges hears nothing, inside it is served', async () => {
    const { desired, targets, at } = rig.web([await rig.node(naming('n1'))], {
      sourceRanges: ['127.0.1.0/24', '127.0.3.7/32'],
    })
    const plane = await rig.plane()
    await plane.serve(desired, targets)
    await expectCut(askTcp({ ...at, from: '127.0.2.1' }))
    await expectCut(askTcp({ ...at, from: '127.0.3.8' }))
    expect(await askTcp({ ...at, from: '127.0.1.9' })).toBe('n1')
    expect(await askTcp({ ...at, from: '127.0.3.7' })).toBe('n1')
  })

  test('narrowing the source ranges is for new connections', async () => {
    const { desired, targets, at } = rig.web([await rig.node(echo)])
    const plane = await rig.plane(1)
    await plane.serve(desired, targets)
    const old = await rig.dial(at)
    expect(await say(old, 'one')).toBe('one')
    const narrow = rig.web([], { sourceRanges: ['10.0.0.0/8'] }).desired.sourceRanges
    await plane.serve({ ...desired, sourceRanges: narrow }, targets)
    await expectCut(askTcp(at, 'new'))
    expect(await say(old, 'two')).toBe('two')
  })

  test('UDP is judged by the source ranges, also after they changed', async () => {
    const ip = rig.address()
    rig.keep(await listenUdp(ip, 30_080, (text) => text))
    const { desired, targets, at } = rig.web([ip], { sourceRanges: ['127.0.1.0/24'] })
    const wish = { ...desired, frontends: desired.frontends.map(asUdp) }
    const plane = await rig.plane()
    await plane.serve(wish, targets)
    expect(await askUdp({ ...at, from: '127.0.1.4' }, 'in')).toBe('in')
    expect(await askUdp({ ...at, from: '127.0.2.4' }, 'out', 200)).toBeUndefined()
    const other = rig.web([], { sourceRanges: ['127.0.2.0/24'] }).desired.sourceRanges
    await plane.serve({ ...wish, sourceRanges: other }, targets)
    expect(await askUdp({ ...at, from: '127.0.2.4' }, 'in')).toBe('in')
    expect(await askUdp({ ...at, from: '127.0.1.4' }, 'out', 200)).toBeUndefined()
  })

  test('with ClientIP affinity a client stays with its node, and without it does not', async () => {
    const names = ['n1', 'n2', 'n3']
    const ips = await Promise.all(names.map((name) => rig.node(naming(name))))
    const sticky = { affinity: { kind: 'ClientIP', timeoutSeconds: 60 } } as const
    const { desired, targets, at } = rig.web(ips, sticky)
    const plane = await rig.plane()
    await plane.serve(desired, targets)
    const askFrom = async (from: string): Promise<Set<string>> => {
      const heard = new Set<string>()
      for (let each = 0; each < 12; each += 1) heard.add(await askTcp({ ...at, from }))
      return heard
    }
    const clients = ['127.0.1.1', '127.0.1.2', '127.0.1.3', '127.0.1.4']
    const stuck = await Promise.all(clients.map(askFrom))
    expect(stuck.map((heard) => heard.size)).toEqual([1, 1, 1, 1])
    await plane.serve({ ...desired, affinity: { kind: 'None' } }, targets)
    expect((await askFrom('127.0.1.1')).size).toBe(3)
  })

  test('PROXY protocol v2 tells the node the client and the frontend, byte for byte', async () => {
    let heard = Buffer.alloc(0)
    const ip = await rig.node((socket) => {
      socket.on('data', (chunk: Buffer) => (heard = Buffer.concat([heard, chunk])))
      socket.on('end', () => socket.end())
    })
    const { desired, targets, at, vip } = rig.web([ip], { proxyProtocol: 'v2' })
    const plane = await rig.plane()
    await plane.serve(desired, targets)
    const socket = connect({ ...at, localAddress: '127.0.0.7' })
    await once(socket, 'connect')
    const ports = Buffer.alloc(4)
    ports.writeUInt16BE(socket.localPort ?? 0, 0)
    ports.writeUInt16BE(8080, 2)
    socket.end('hello')
    socket.resume()
    await once(socket, 'close')
    const expected = Buffer.concat([
      Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex'),
      Buffer.from([127, 0, 0, 7, ...vip.split('.').map(Number)]),
      ports,
      Buffer.from('hello'),
    ])
    expect(heard.toString('hex')).toBe(expected.toString('hex'))
  })
}
