// Run in a namespace of its own: `node peers.ts PEER PROGRAM FOLDER FRONTENDS SAMPLES`. Starts HAProxy or Envoy with so
// many frontends, adds and removes one at a time, and prints what each took until a client saw it, ms, as JSON.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { edgeId } from '@weir/contract'
import { silentLogger, systemClock } from '@weir/kernel'
import { createEnvoyPlane } from '../../services/edge/data-plane/envoy/envoy-plane.ts'
import { runProgram } from '../../services/edge/data-plane/kernel/run-program.ts'
import { addressOf } from '../../services/edge/rig/lab.ts'
import { addressAt, frontendPort, nodes, range, serveAll, serviceAt, timed } from './world.ts'

/** Each call resolves when the program was told; what a client sees comes later. */
interface Peer {
  /** Resolves when it may be told something. */
  ready(): Promise<void>
  serve(count: number): Promise<void>
  add(at: number): Promise<void>
  remove(at: number): Promise<void>
  close(): Promise<void>
}

/** Frontends of HAProxy are its configuration: one more or less is a reload of all. */
const haproxy = (program: string, folder: string): Peer => {
  const file = join(folder, 'haproxy.cfg')
  const servers = nodes.map((node) => `  server ${node} ${addressOf(node).IPv4}:30443\n`).join('')
  const write = (count: number): void => {
    const parts = range(0, count).map(
      (at) => `listen f${at}\n  bind ${addressAt(at)}:${frontendPort}\n${servers}`,
    )
    const head =
      'global\n  maxconn 2000\ndefaults\n  mode tcp\n' +
      '  timeout connect 5s\n  timeout client 1m\n  timeout server 1m\n'
    writeFileSync(file, head + parts.join(''))
  }
  write(0)
  let running: ReturnType<typeof start> | undefined
  const start = () => {
    const child = spawn(program, ['-W', '-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] })
    let told = ''
    child.stderr.on('data', (said: Buffer) => (told += said))
    return { child, loads: () => told.split('Loading success').length - 1 }
  }
  let asked = 0
  const reload = async (count: number): Promise<void> => {
    write(count)
    asked += 1
    running?.child.kill('SIGUSR2')
  }
  return {
    ready: async () => {
      await eventually(() => (running?.loads() ?? 0) >= asked)
      // The master starts itself anew after each load, and loses signals meanwhile without a word.
      await new Promise((resolve) => setTimeout(resolve, 1000))
    },
    serve: async (count) => {
      write(count)
      running = start()
      asked = 1
    },
    add: (at) => reload(at + 1),
    remove: (at) => reload(at),
    close: async () => void running?.child.kill('SIGKILL'),
  }
}

/** Envoy as our own data plane feeds it: by delta ADS, one listener at a time. */
const envoy = async (program: string, folder: string): Promise<Peer> => {
  const options = { edge: edgeId.parse('bench'), program, folder, drainMs: 1000 }
  const tools = { clock: systemClock, log: silentLogger, run: runProgram }
  const plane = await createEnvoyPlane({ ...options, ...tools })
  return {
    ready: () => Promise.resolve(),
    serve: (count) =>
      serveAll(
        plane,
        range(0, count).map((at) => serviceAt(at)),
      ),
    add: (at) => serveAll(plane, [serviceAt(at)]),
    remove: (at) => plane.remove(serviceAt(at).marks.key),
    close: async () => {
      await plane.close()
      await plane.envoy().stop()
    },
  }
}

const patienceMs = 120_000
const eventually = async (check: () => boolean | Promise<boolean>): Promise<void> => {
  const end = performance.now() + patienceMs
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within ${patienceMs} ms: ${String(check)}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
const isOpen = (at: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: addressAt(at), port: frontendPort })
    const end = (open: boolean): void => {
      socket.destroy()
      resolve(open)
    }
    socket.once('connect', () => end(true)).once('error', () => end(false))
  })

const [name, program = '', folder = '', size, samples] = process.argv.slice(2)
const peer = name === 'envoy' ? await envoy(program, folder) : haproxy(program, folder)
const count = Number(size)
try {
  const load = await timed(async () => {
    await peer.serve(count)
    await eventually(() => isOpen(count - 1))
  })
  const add: number[] = []
  const remove: number[] = []
  for (const _ of range(0, Number(samples))) {
    await peer.ready()
    add.push(
      await timed(async () => {
        await peer.add(count)
        await eventually(() => isOpen(count))
      }),
    )
    await peer.ready()
    remove.push(
      await timed(async () => {
        await peer.remove(count)
        await eventually(async () => !(await isOpen(count)))
      }),
    )
  }
  process.stdout.write(JSON.stringify({ load, add, remove }))
} finally {
  await peer.close()
}
process.exit(0)
