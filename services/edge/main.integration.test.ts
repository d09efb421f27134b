import { connectBus, type Bus } from '@weir/bus'
import {
  edgeId,
  edgeOrderSubject,
  edgeReport,
  edgeReportSubject,
  type DesiredResource,
  type EdgeOrder,
  type EdgeReport,
} from '@weir/contract'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { eventually, testNats, type TestNats } from '@weir/testing'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { marksOf } from './domain/decide.ts'
import { createAddresses, desiredOf, fleet, removeOrder, serveOrder } from './rig/orders.ts'
import { askTcp, listenTcp, type Opened } from './rig/sockets.ts'

const edge = edgeId.parse('edge-1')
const address = createAddresses()
let folder: string
let nats: TestNats
let bus: Bus
let node: Opened
const nodeIp = address()
const running: ChildProcess[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-edge-'))
  nats = await testNats()
  const ports = { clock: systemClock, ids: systemIds, logger: silentLogger }
  bus = await connectBus({ ...ports, url: nats.url, name: 'test' })
  node = await listenTcp(nodeIp, 30_080, (socket) => void socket.end('answered'))
})
afterAll(async () => {
  await Promise.all(running.map(kill))
  await bus.close()
  await nats.stop()
  await node.close()
  await rm(folder, { recursive: true, force: true })
})

const start = (): ChildProcess => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      NATS_URL: nats.url,
      WEIR_FLEET: fleet,
      WEIR_EDGE_ID: edge,
      WEIR_EDGE_STATE_DIR: folder,
    },
  })
  running.push(child)
  return child
}
const kill = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
const order = async (message: EdgeOrder): Promise<void> => {
  const subject = edgeOrderSubject(fleet, marksOf(message).key)
  await bus.publish([{ subject, body: JSON.stringify(message) }])
}
const reported = ({ marks }: DesiredResource, expected: Partial<EdgeReport>): Promise<EdgeReport> =>
  eventually(async () => {
    const last = await bus.last('EDGE', edgeReportSubject(fleet, edge, marks.key))
    const report = last && edgeReport.parse(JSON.parse(last.body))
    expect(report).toMatchObject(expected)
    return report
  })

test('a killed edge comes back with the bus dead, and obeys again when the bus is empty', async () => {
  const vip = address()
  const desired = desiredOf({
    frontends: [{ ip: vip, protocol: 'TCP', port: 8080, nodePort: 30_080 }],
    targets: [{ node: 'n1', ip: nodeIp, weight: 1 }],
  })
  const at = { host: vip, port: 8080 }
  const first = start()
  await order(serveOrder(desired))
  await reported(desired, { state: 'serving', generation: 1 })
  expect(await askTcp(at)).toBe('answered')

  await nats.kill()
  expect(await askTcp(at)).toBe('answered')
  await kill(first)
  await expect(askTcp(at)).rejects.toThrow('ECONNREFUSED')
  start()
  expect(await eventually(() => askTcp(at))).toBe('answered')

  await nats.wipe()
  await reported(desired, { state: 'serving', generation: 1 })
  expect(await askTcp(at)).toBe('answered')
  await order(removeOrder(desired))
  await reported(desired, { state: 'absent' })
  await expect(askTcp(at)).rejects.toThrow('ECONNREFUSED')
})

test('SIGTERM ends the edge in order', async () => {
  const child = running.at(-1)
  const exit = once(child!, 'exit')
  child?.kill('SIGTERM')
  expect((await exit)[0]).toBe(0)
})
