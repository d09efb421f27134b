import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { findBinary } from '@weir/embedded'
import { z } from 'zod'
import { endAllIn } from '../e2e/lab/control.ts'
import type { Held } from '../services/edge/rig/lab-flows.ts'
import { createLab, labProblem, vips, type Host, type Lab } from '../services/edge/rig/lab.ts'
import { report, type Measured, type Storm } from './frontends/report.ts'
import type { Bench } from './main.ts'

const tell = (line: string): void => console.error(line)

const times = z.array(z.number())
const changes = z.object({
  load: z.number(),
  add: times,
  remove: times,
  remap: times.default([]),
  verify: z.number().optional(),
  addMeanwhile: times.default([]),
})
const storm = z.object({ made: z.number(), ms: z.number(), took: times, differed: z.number() })

/**
 * Changes of a kernel edge's table through its data plane, by the number of frontends; beside them, changes of
 * HAProxy and Envoy; and whether connections live through many changes.
 */
export const benchFrontends: Bench = async (args) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sizes: { type: 'string', default: '1000,4000,10000,50000' },
      samples: { type: 'string', default: '100' },
      peers: { type: 'string', default: '4000' },
      'peer-samples': { type: 'string', default: '10' },
      'storm-frontends': { type: 'string', default: '10000' },
      'per-second': { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '30' },
      connections: { type: 'string', default: '500' },
    },
  })
  const envoy = findBinary('envoy', { env: process.env })
  const haproxy = findHaproxy()
  const problem =
    (await labProblem()) ??
    (envoy === undefined ? 'npm run binaries -- envoy' : undefined) ??
    (haproxy === undefined ? 'there is no haproxy: apt-get install haproxy' : undefined)
  if (problem !== undefined) {
    console.error(`changes of frontends can't be measured here: ${problem}`)
    process.exitCode = 2
    return
  }
  const before = (loadavg()[0] ?? 0).toFixed(1)
  const stop = new AbortController()
  const interrupt = (): void => stop.abort()
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  const lab = await createLab()
  const place = { lab, signal: stop.signal }
  try {
    const measured: Measured[] = []
    for (const size of values.sizes.split(',').map(Number)) {
      measured.push(await measureKernel(place, size, values.samples))
    }
    const peers = { haproxy: haproxy ?? '', envoy: envoy ?? '' }
    for (const [name, program] of Object.entries(peers)) {
      const wish = { name, program, size: values.peers, samples: values['peer-samples'] }
      measured.push(await measurePeer(place, wish))
    }
    const rage = [values['storm-frontends'], values['per-second'], values.seconds]
    const lived = await runStorm(place, rage, Number(values.connections))
    const load = `load average before: ${before}, after: ${(loadavg()[0] ?? 0).toFixed(1)}`
    console.log(`${availableParallelism()} processors, ${values.samples} samples; ${load}\n`)
    console.log(report(measured, lived))
  } catch (error) {
    if (!stop.signal.aborted) throw error
    process.exitCode = 130
  } finally {
    await lab.stop()
  }
}

const findHaproxy = (): string | undefined =>
  ['/usr/sbin/haproxy', '/usr/bin/haproxy'].find((path) => existsSync(path))

interface Place {
  readonly lab: Lab
  /** Aborts when somebody wants the bench to end. */
  readonly signal: AbortSignal
}

const scriptIn = (place: Place, host: Host, script: string, args: readonly string[]) => {
  const { lab, signal } = place
  signal.throwIfAborted()
  const file = join(import.meta.dirname, 'frontends', script)
  const argv = ['netns', 'exec', lab.spaceOf(host), process.execPath, file, ...args]
  const child = spawn('ip', argv, { stdio: ['pipe', 'pipe', 'inherit'] })
  lab.endsWith(child)
  signal.addEventListener('abort', () => child.kill('SIGKILL'), { once: true })
  return child
}

/** What a script prints, once it has ended well. */
const saidBy = async (child: ReturnType<typeof scriptIn>): Promise<string> => {
  const said: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${child.spawnargs.join(' ')} ended with code ${String(code)}`)
  return Buffer.concat(said).toString()
}

const measureKernel = async (place: Place, size: number, samples: string): Promise<Measured> => {
  tell(`kernel, ${size} frontends`)
  const said = await saidBy(scriptIn(place, 'e1', 'one-size.ts', [`${size}`, samples]))
  await place.lab.on('e1')(['nft', 'flush', 'ruleset'])
  return { name: 'kernel', size, ...changes.parse(JSON.parse(said)) }
}

interface PeerWish {
  readonly name: string
  readonly program: string
  readonly size: string
  readonly samples: string
}

const measurePeer = async (place: Place, wish: PeerWish): Promise<Measured> => {
  const { name, program, size, samples } = wish
  tell(`${name}, ${size} frontends`)
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  try {
    const anyAddress = ['ip', 'route', 'replace', 'local', '100.64.0.0/10', 'dev', 'lo']
    await place.lab.on('e2')(anyAddress)
    const child = scriptIn(place, 'e2', 'peers.ts', [name, program, folder, size, samples])
    const said = await saidBy(child)
    return { name, size: Number(size), ...changes.parse(JSON.parse(said)) }
  } finally {
    // Envoy and HAProxy outlive the script if it ends too soon.
    await endAllIn(place.lab, 'e2')
    rmSync(folder, { recursive: true, force: true })
  }
}

const runStorm = async (
  place: Place,
  rage: readonly string[],
  connections: number,
): Promise<Storm> => {
  const { lab, signal } = place
  const [size, perSecond, seconds] = rage
  tell(`${perSecond} changes per second for ${seconds} s of ${size} frontends`)
  await lab.routeTo('e1')
  const child = scriptIn(place, 'e1', 'storm.ts', rage)
  const lines = createInterface({ input: child.stdout })
  await once(lines, 'line', { signal })
  const held = await lab.hold(vips.IPv4, connections)
  const opened = held.answers.filter((answer) => answer !== null).length
  const result = once(lines, 'line', { signal })
  child.stdin.write('go\n')
  let aliveMeanwhile = opened
  const over = new AbortController()
  const end = (): void => over.abort()
  void result.then(end, end)
  // Each look sends something on all of them and waits for the answers.
  while (!over.signal.aborted) aliveMeanwhile = Math.min(aliveMeanwhile, await alive(held, signal))
  const [said] = await result
  const left = Math.min(aliveMeanwhile, await held.alive())
  const asked = { perSecond: Number(perSecond), seconds: Number(seconds), size: Number(size) }
  return { ...asked, opened, alive: left, ...storm.parse(JSON.parse(String(said))) }
}

const alive = (held: Held, signal: AbortSignal): Promise<number> =>
  new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('interrupted')), { once: true })
    held.alive().then(resolve, reject)
  })
