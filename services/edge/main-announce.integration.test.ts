import { connectBus, type Bus } from '@weir/bus'
import { edgeId, edgeOrderSubject, edgeReport, edgeReportSubject } from '@weir/contract'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { eventually, testNats, type TestNats } from '@weir/testing'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectGobgp } from './announce/gobgp.ts'
import { runProgram } from './data-plane/kernel/run-program.ts'
import { createAddresses, desiredOf, fleet, serveOrder } from './rig/orders.ts'
import { listenTcp, type Opened } from './rig/sockets.ts'

const problem = await runProgram(['gobgpd', '--version']).then(
  () => undefined,
  (error: unknown) => (error instanceof Error ? error.message : String(error)),
)
const edge = edgeId.parse('edge-1')
const address = createAddresses()
/** It listens for no router: port -1. */
const gobgpdText = '[global.config]\n  as = 64512\n  router-id = "192.0.2.1"\n  port = -1\n'

describe.skipIf(problem !== undefined)(
  `an edge with a gobgpd${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let folder: string
    let nats: TestNats
    let bus: Bus
    let node: Opened
    const nodeIp = address()
    const running: ChildProcess[] = []
    const api = () => `unix://${join(folder, 'gobgpd.sock')}`

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'weir-edge-'))
      nats = await testNats()
      const ports = { clock: systemClock, ids: systemIds, logger: silentLogger }
      bus = await connectBus({ ...ports, url: nats.url, name: 'test' })
      node = await listenTcp(nodeIp, 30_080, (socket) => void socket.end('answered'))
    })
    afterAll(async () => {
      for (const child of running) {
        if (child.exitCode !== null || child.signalCode !== null) continue
        const gone = once(child, 'exit')
        child.kill('SIGKILL')
        await gone
      }
      await bus.close()
      await nats.stop()
      await node.close()
      await rm(folder, { recursive: true, force: true })
    })

    const startGobgpd = async (): Promise<void> => {
      const file = join(folder, 'gobgpd.toml')
      await writeFile(file, gobgpdText)
      const argv = ['-f', file, '--api-hosts', api(), '--pprof-disable']
      running.push(spawn('gobgpd', argv, { stdio: 'ignore' }))
    }
    /** The address of its health port, as its log tells. */
    const startEdge = async () => {
      const env = {
        ...process.env,
        NATS_URL: nats.url,
        WEIR_FLEET: fleet,
        WEIR_EDGE_ID: edge,
        WEIR_EDGE_STATE_DIR: join(folder, 'state'),
        WEIR_EDGE_ANNOUNCE: 'bgp',
        WEIR_EDGE_BGP_API: api(),
        WEIR_EDGE_BGP_COMMUNITIES: '64512:100',
      }
      const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env,
      })
      running.push(child)
      for await (const line of createInterface({ input: child.stdout })) {
        const told = /"healthPort":(\d+)/.exec(line)?.[1]
        if (told === undefined) continue
        child.stdout.resume()
        return { child, readyz: `http://127.0.0.1:${told}/readyz` }
      }
      throw new Error('the edge ended')
    }

    test('says that gobgpd is away, is served once its address is announced, withdraws when it stops', async () => {
      const { child, readyz } = await startEdge()
      const vip = address()
      const desired = desiredOf({
        frontends: [{ ip: vip, protocol: 'TCP', port: 8080, nodePort: 30_080 }],
        targets: [{ node: 'n1', ip: nodeIp, weight: 1 }],
      })
      const { key } = desired.marks
      const subject = edgeOrderSubject(fleet, key)
      await bus.publish([{ subject, body: JSON.stringify(serveOrder(desired)) }])
      await eventually(async () => (await (await fetch(readyz)).text()).includes('gobgpd'))
      const reported = async () => {
        const last = await bus.last('EDGE', edgeReportSubject(fleet, edge, key))
        return last && edgeReport.parse(JSON.parse(last.body)).state
      }
      expect(await reported()).toBeUndefined()

      await startGobgpd()
      await eventually(async () => (await reported()) === 'serving', { deadlineMs: 20_000 })
      const gobgp = connectGobgp({ address: api(), now: () => systemClock.now() })
      const announced = { address: vip, nextHop: '0.0.0.0', communities: [4_227_858_532] }
      expect(await gobgp.list()).toEqual([announced])
      await eventually(async () => (await (await fetch(readyz)).text()).includes('no router has'))

      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      expect((await exit)[0]).toBe(0)
      expect(await gobgp.list()).toEqual([])
      gobgp.close()
    })
  },
)
