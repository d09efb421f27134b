import { connectBus, type Bus } from '@weir/bus'
import {
  edgeId,
  edgeOrderSubject,
  edgeReport,
  edgeReportSubject,
  type EdgeOrder,
} from '@weir/contract'
import { findBinary } from '@weir/embedded'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { eventually, testNats, type TestNats } from '@weir/testing'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createEnvoyAdmin } from './data-plane/envoy/envoy-admin.ts'
import { marksOf } from './domain/decide.ts'
import { createAddresses, desiredOf, fleet, removeOrder, serveOrder } from './rig/orders.ts'
import { askTcp, listenTcp, type Opened } from './rig/sockets.ts'

const program = findBinary('envoy', { env: process.env })
const edge = edgeId.parse('edge-1')
const address = createAddresses()
const [vip, nodeIp] = [address(), address()]
const at = { host: vip, port: 8080 }
const desired = desiredOf({
  frontends: [{ ip: vip, protocol: 'TCP', port: 8080, nodePort: 30_080 }],
  targets: [{ node: 'n1', ip: nodeIp, weight: 1 }],
})

describe.skipIf(program === undefined)('Envoy, by "npm run binaries -- envoy"', () => {
  let folder: string
  let nats: TestNats
  let bus: Bus
  let node: Opened
  let agent: ChildProcess | undefined

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-edge-'))
    nats = await testNats()
    const ports = { clock: systemClock, ids: systemIds, logger: silentLogger }
    bus = await connectBus({ ...ports, url: nats.url, name: 'test' })
    node = await listenTcp(nodeIp, 30_080, (socket) => void socket.pipe(socket))
  })
  afterAll(async () => {
    agent?.kill('SIGKILL')
    const admin = createEnvoyAdmin(join(folder, 'envoy/admin.sock'))
    // It may still be on its way up.
    if (existsSync(join(folder, 'envoy/envoy.json'))) {
      await eventually(() => admin.quit().then(() => true))
      await eventually(async () => !(await admin.isLive()))
    }
    await bus.close()
    await nats.stop()
    await node.close()
    await rm(folder, { recursive: true, force: true })
  })
  const start = (): void => {
    const env = {
      ...process.env,
      NATS_URL: nats.url,
      WEIR_FLEET: fleet,
      WEIR_FLEET_DATA_PLANE: 'envoy',
      WEIR_ENVOY: program,
      WEIR_EDGE_ID: edge,
      WEIR_EDGE_STATE_DIR: folder,
    }
    const main = join(import.meta.dirname, 'main.ts')
    agent = spawn(process.execPath, [main], { stdio: ['ignore', 'ignore', 'inherit'], env })
  }
  const order = async (message: EdgeOrder): Promise<void> => {
    const subject = edgeOrderSubject(fleet, marksOf(message).key)
    await bus.publish([{ subject, body: JSON.stringify(message) }])
  }
  const reported = (state: string): Promise<unknown> =>
    eventually(
      async () => {
        const last = await bus.last('EDGE', edgeReportSubject(fleet, edge, desired.marks.key))
        return last && edgeReport.parse(JSON.parse(last.body)).state === state
      },
      // Two programs start before it.
      { deadlineMs: 40_000 },
    )
  const say = async (socket: Socket, text: string): Promise<string> => {
    const answer = once(socket, 'data', { signal: AbortSignal.timeout(5_000) })
    socket.write(text)
    return String((await answer)[0])
  }

  test('with agent and bus dead traffic goes on; the next agent goes on with it, and removes', async () => {
    start()
    await order(serveOrder(desired))
    await reported('serving')
    const old = connect(at)
    expect(await say(old, 'one')).toBe('one')

    agent?.kill('SIGKILL')
    await nats.kill()
    expect(await say(old, 'two')).toBe('two')
    expect(await askTcp(at, 'new')).toBe('new')

    await nats.restart()
    start()
    expect(await say(old, 'three')).toBe('three')
    await order(removeOrder(desired))
    await reported('absent')
    await expect(askTcp(at)).rejects.toThrow('ECONNREFUSED')
    old.destroy()
  }, 120_000)
})
