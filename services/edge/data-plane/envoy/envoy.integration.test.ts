import { edgeId } from '@weir/contract'
import { findBinary } from '@weir/embedded'
import { silentLogger as log, systemClock } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createAddresses, desiredOf } from '../../rig/orders.ts'
import { askTcp, askUdp, listenTcp, listenUdp, type Opened } from '../../rig/sockets.ts'
import { testDataPlane } from '../data-plane.conformance.ts'
import { runProgram } from '../kernel/run-program.ts'
import { createEnvoyPlane, type EnvoyPlane } from './envoy-plane.ts'

const program = findBinary('envoy', { env: process.env })

const openPlane = (folder: string, drainMs = 300_000): Promise<EnvoyPlane> =>
  createEnvoyPlane({
    edge: edgeId.parse('edge-1'),
    program: program ?? 'envoy',
    folder,
    drainMs,
    clock: systemClock,
    log,
    run: runProgram,
    workers: 2,
    lookMs: 200,
  })

const createUnderTest = () => {
  const planes = new Map<number, Promise<EnvoyPlane>>()
  let folder: string | undefined
  return {
    // The kernel ends a connection to a drained node, for root.
    cutsDrained: process.getuid?.() === 0,
    open: (drainMs: number) => {
      folder ??= mkdtempSync(join(tmpdir(), 'weir-envoy-'))
      const plane = planes.get(drainMs) ?? openPlane(join(folder, `${drainMs}`), drainMs)
      planes.set(drainMs, plane)
      return plane
    },
    close: async () => {
      for (const opening of planes.values()) {
        const plane = await opening
        await plane.close()
        await plane.envoy().stop()
      }
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}

describe.skipIf(program === undefined)('Envoy, by "npm run binaries -- envoy"', () => {
  testDataPlane('envoy', createUnderTest)
  describe('a process of its own', () => {
    testProcess()
  })
})

const naming = (name: string) => (socket: Socket) => void socket.end(name)
const echo = (socket: Socket): void => void socket.pipe(socket)
const say = async (socket: Socket, text: string): Promise<string> => {
  const answer = once(socket, 'data', { signal: AbortSignal.timeout(5_000) })
  socket.write(text)
  return String((await answer)[0])
}

function testProcess(): void {
  const address = createAddresses()
  const opened: Opened[] = []
  afterEach(async () => {
    for (const each of opened.splice(0).toReversed()) await each.close()
  })
  const place = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-envoy-'))
    opened.push({ close: async () => rmSync(folder, { recursive: true, force: true }) })
    return folder
  }
  /** Ends with its Envoy, which a later agent of the same place may have taken over. */
  const agentIn = async (folder: string): Promise<EnvoyPlane> => {
    const plane = await openPlane(folder)
    opened.push({ close: () => plane.envoy().stop() }, { close: () => plane.close() })
    return plane
  }
  const web = async (onConnection: (socket: Socket) => void) => {
    const ip = address()
    opened.push(await listenTcp(ip, 30_080, onConnection))
    const vip = address()
    const frontends = [{ ip: vip, protocol: 'TCP', port: 8080, nodePort: 30_080 }]
    const desired = desiredOf({ frontends, targets: [{ node: 'n1', ip, weight: 1 }] })
    return { desired, targets: desired.targets, at: { host: vip, port: 8080 } }
  }
  const dial = async (at: { host: string; port: number }): Promise<Socket> => {
    const socket = connect(at)
    socket.on('error', () => undefined)
    opened.push({ close: async () => void socket.destroy() })
    await once(socket, 'connect')
    return socket
  }

  test('without an agent it serves on; the next one finds it and changes nothing', async () => {
    const folder = place()
    const [kept, unclaimed] = [await web(echo), await web(naming('nobody ordered me'))]
    const before = await agentIn(folder)
    await before.serve(kept.desired, kept.targets)
    await before.serve(unclaimed.desired, unclaimed.targets)
    const old = await dial(kept.at)
    expect(await say(old, 'one')).toBe('one')
    await before.close()
    expect(await say(old, 'two')).toBe('two')
    expect(await askTcp(kept.at, 'new')).toBe('new')

    const after = await agentIn(folder)
    expect(after.envoy().pid).toBe(before.envoy().pid)
    expect(await after.serve(kept.desired, kept.targets)).toEqual({ status: 'serving' })
    expect(await askTcp(unclaimed.at)).toBe('nobody ordered me')
    await after.releaseUnclaimed()
    await eventually(async () => {
      await expect(askTcp(unclaimed.at)).rejects.toThrow('ECONNREFUSED')
      return true
    })
    expect(await say(old, 'three')).toBe('three')
    const stats = await after.envoy().admin.stats('^listener_manager\\.listener_(added|modified)$')
    expect(Object.fromEntries(stats)).toEqual({
      'listener_manager.listener_added': 2,
      'listener_manager.listener_modified': 0,
    })
  })

  test('a removal that an earlier agent did not live to make is made by the next', async () => {
    const folder = place()
    const { desired, targets, at } = await web(naming('n1'))
    const before = await agentIn(folder)
    await before.serve(desired, targets)
    await before.close()
    const after = await agentIn(folder)
    await after.remove(desired.marks.key)
    await eventually(async () => {
      await expect(askTcp(at)).rejects.toThrow('ECONNREFUSED')
      return true
    })
  })

  test('killed, it is started again and serves what it served', async () => {
    const { desired, targets, at } = await web(naming('n1'))
    const plane = await agentIn(place())
    await plane.serve(desired, targets)
    const { pid } = plane.envoy()
    process.kill(pid, 'SIGKILL')
    await eventually(async () => plane.envoy().pid !== pid && (await askTcp(at)) === 'n1')
  })

  test('IPv6 is carried as IPv4 is', async () => {
    const ports = { http: randomInt(20_000, 30_000), dns: randomInt(20_000, 30_000) }
    const target = { node: 'n1', ip: address(), weight: 1 }
    opened.push(await listenTcp(target.ip, 30_080, naming('tcp')))
    opened.push(await listenUdp(target.ip, 30_053, (text) => `udp ${text}`))
    const { http, dns } = ports
    const desired = desiredOf({
      frontends: [
        { ip: '::1', protocol: 'TCP', port: http, nodePort: 30_080 },
        { ip: '::1', protocol: 'UDP', port: dns, nodePort: 30_053 },
      ],
      targets: [target],
      sourceRanges: ['::1/128'],
    })
    const plane = await agentIn(place())
    expect(await plane.serve(desired, desired.targets)).toEqual({ status: 'serving' })
    expect(await askTcp({ host: '::1', port: http })).toBe('tcp')
    const elsewhere = desiredOf({ ...desired, sourceRanges: ['2001:db8::/32'] })
    await plane.serve({ ...desired, sourceRanges: elsewhere.sourceRanges }, desired.targets)
    expect(await askTcp({ host: '::1', port: http }).catch(() => '')).toBe('')
  })

  test('it counts connections, sessions, and who was not let in', async () => {
    const { desired, targets, at } = await web(echo)
    opened.push(await listenUdp(String(targets[0]?.ip), 30_053, (text) => text))
    const [tcp] = desired.frontends
    const udp = { ...tcp, protocol: 'UDP', nodePort: 30_053 }
    const both = desiredOf({
      frontends: [tcp, udp] as never,
      targets,
      sourceRanges: ['127.0.1.0/24'],
    })
    const plane = await agentIn(place())
    await plane.serve(both, targets)
    expect(await askTcp({ ...at, from: '127.0.1.1' }, '12345')).toBe('12345')
    expect(await askUdp({ ...at, from: '127.0.1.1' }, '123')).toBe('123')
    expect(await askTcp({ ...at, from: '127.0.2.1' }).catch(() => '')).toBe('')
    expect(await askUdp({ ...at, from: '127.0.2.1' }, 'x', 100)).toBeUndefined()
    const counted = { connections: 1, udpSessions: 1, bytesToNodes: 8, bytesToClients: 8 }
    await eventually(() => plane.counters().deniedBySource === 2)
    expect(plane.counters()).toMatchObject({ ...counted, connectionsOpen: 0 })
  })

  test('a node at an address that is served here is no way for traffic, which would go in a ring', async () => {
    const vip = address()
    const frontends = [{ ip: vip, protocol: 'TCP', port: 30_080, nodePort: 30_080 }]
    const desired = desiredOf({ frontends, targets: [{ node: 'ring', ip: vip, weight: 1 }] })
    const plane = await agentIn(place())
    await plane.serve(desired, desired.targets)
    const ask = askTcp({ host: vip, port: 30_080 }, 'round and round')
    expect(await ask.catch(() => '')).toBe('')
    await eventually(() => plane.counters().connections > 0)
    expect(plane.counters()).toMatchObject({ connections: 1, unserved: 1 })
  })

  test('a program that is no Envoy is refused with what to do', async () => {
    const folder = place()
    const opening = createEnvoyPlane({
      edge: edgeId.parse('edge-1'),
      program: '/nowhere/envoy',
      folder,
      drainMs: 1,
      clock: systemClock,
      log,
      run: runProgram,
    })
    await expect(opening).rejects.toThrow('cannot forward by Envoy; "npm run binaries -- envoy"')
  })
}
